"""What OpenLineage calls datasets: a namespace, which is the data source, and a name within it.

PostgreSQL and MySQL as its specification has it, files of this machine in the namespace `file` by their path. It says
nothing of SQLite and DuckDB: theirs are `sqlite:///path/of/the/file` and `duckdb:///…`, with the table's name.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"postgres": 5432, "mysql": 3306}
# What producers also write for the same thing.
_ALIASES = {"postgresql": "postgres", "mariadb": "mysql"}
FILE = "file"


class DatasetId(NamedTuple):
    """The whole name of a dataset."""

    namespace: str
    name: str


def server_namespace(scheme: str, host: str, port: int | None = None) -> str:
    """The namespace of a database server: `postgres://db.example:5432`. `scheme` is postgres or mysql."""
    scheme = _ALIASES.get(scheme, scheme)
    port = port or _DEFAULT_PORTS[scheme]
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{scheme}://{shown.lower()}:{port}"


def file_namespace(scheme: str, path: str) -> str:
    """The namespace of a database that is a file: `sqlite:///srv/shop.db`. The path is absolute."""
    return f"{scheme}://{path}"


def postgres_table(host: str, port: int | None, database: str, schema: str, table: str) -> DatasetId:
    return DatasetId(server_namespace("postgres", host, port), f"{database}.{schema}.{table}")


def mysql_table(host: str, port: int | None, database: str, table: str) -> DatasetId:
    return DatasetId(server_namespace("mysql", host, port), f"{database}.{table}")


def sqlite_table(path: str, table: str) -> DatasetId:
    return DatasetId(file_namespace("sqlite", path), table)


def duckdb_table(path: str, schema: str, table: str) -> DatasetId:
    return DatasetId(file_namespace("duckdb", path), f"{schema}.{table}")


def local_file(path: str) -> DatasetId:
    return DatasetId(FILE, path)


def canonical(dataset: DatasetId) -> DatasetId:
    """The name under which a dataset is compared: aliases of schemes, letter case of hosts and default ports aside."""
    namespace = dataset.namespace
    if namespace in (FILE, "file:", "file://", "file:///"):
        return DatasetId(FILE, dataset.name)
    try:
        parts = urlsplit(namespace)
        port = parts.port
    except ValueError:
        return dataset
    scheme = _ALIASES.get(parts.scheme, parts.scheme)
    if scheme not in _DEFAULT_PORTS or not parts.hostname or parts.path not in ("", "/"):
        return dataset
    return DatasetId(server_namespace(scheme, parts.hostname, port), dataset.name)
