"""What the datasets of a source are called elsewhere: by SQL in the source itself, and by OpenLineage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from analysis.lineage.names import TableName
from analysis.openlineage.naming import DatasetId, duckdb_table, local_file, mysql_table, postgres_table, sqlite_table
from connectors.datasets import Kind
from storage.data_sources import DataSource

_DIALECTS = {Kind.POSTGRESQL: "postgres", Kind.MYSQL: "mysql", Kind.SQLITE: "sqlite"}


@dataclass(frozen=True, slots=True)
class SqlNames:
    """How the source's SQL finds tables: see analysis.lineage.names.Catalog."""

    dialect: str
    search_path: tuple[TableName, ...]
    database: str | None


def dialect_of(source: DataSource) -> str:
    return _DIALECTS.get(Kind(source.kind), "duckdb")


def sql_names(source: DataSource, schemas: Iterable[str]) -> SqlNames:
    """`schemas` are those that the source has: what is in none of the usual ones is looked for in them."""
    others = sorted({schema for schema in schemas if schema})
    match Kind(source.kind):
        case Kind.POSTGRESQL:
            usual, database = ["public"], source.settings.get("database")
        case Kind.MYSQL:
            usual, database = [str(source.settings.get("database"))], None
        case Kind.SQLITE:
            usual, database = [], "main"
        case Kind.DUCKDB:
            usual, database = ["main"], Path(str(source.settings.get("path"))).stem
        case Kind.FILES | Kind.METRICS:
            usual, database = [], None
    path = tuple((schema,) for schema in dict.fromkeys([*usual, *others]))
    return SqlNames(dialect_of(source), path, database)


def table_name(schema: str | None, name: str) -> TableName:
    """A dataset as lineage names it."""
    return (schema, name) if schema else (name,)


def open_lineage_id(source: DataSource, schema: str | None, name: str) -> DatasetId:
    """A dataset as OpenLineage names it. A sheet of a workbook stands behind its file's path, as in the source."""
    settings = source.settings
    host, port = str(settings.get("host")), settings.get("port")
    path = str(settings.get("path"))
    match Kind(source.kind):
        case Kind.POSTGRESQL:
            return postgres_table(host, port, str(settings.get("database")), schema or "public", name)
        case Kind.MYSQL:
            return mysql_table(host, port, schema or str(settings.get("database")), name)
        case Kind.SQLITE:
            return sqlite_table(path, name)
        case Kind.DUCKDB:
            return duckdb_table(path, schema or "main", name)
        case Kind.FILES:
            return local_file(f"{path.rstrip('/')}/{name}")
        case Kind.METRICS:
            raise ValueError("a source of pushed samples has no datasets")
