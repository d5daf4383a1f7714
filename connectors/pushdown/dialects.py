"""In which SQL a source is asked; by itself, as what writes it takes half a second to load."""

from __future__ import annotations

from connectors.datasets import Kind

# As sqlglot calls them. Warehouses that no connector reaches yet are compiled for all the same.
DIALECTS = {
    Kind.POSTGRESQL: "postgres",
    Kind.MYSQL: "mysql",
    Kind.SQLITE: "sqlite",
    Kind.DUCKDB: "duckdb",
    Kind.FILES: "duckdb",
}
