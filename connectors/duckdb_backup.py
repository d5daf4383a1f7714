"""Backups of DuckDB: one moment of the database, copied into a file of its own. All of this blocks."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import duckdb

from connectors.backup_contents import Contents, Piece, Tell, refuse_existing, require_room, telling_disk
from connectors.duckdb_engine import new_connection
from connectors.duckdb_errors import telling
from connectors.settings import SourceLimits
from connectors.sql_text import quoted

_MEMORY_BYTES = 384 * 1024 * 1024
_TABLES = """
SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database() AND NOT internal
ORDER BY ALL
"""


def back_up(source: Path, target: Path, tell: Tell) -> Contents:
    """Makes `target`. Raises ConnectorError, as for a database that another program holds open to write."""
    with telling_disk(), telling():
        require_room(target.parent, source.stat().st_size)
        tell(0, 1)
        with contextlib.closing(new_connection(None, SourceLimits(memory_bytes=_MEMORY_BYTES))) as connection:
            connection.execute(f"ATTACH {_literal(source)} AS origin (READ_ONLY)")
            connection.execute(f"ATTACH {_literal(target)} AS copy")
            connection.execute("COPY FROM DATABASE origin TO copy")
            connection.execute("DETACH copy")
        tell(1, 1)
        return contents(target)


def restore(archive: Path, target: Path) -> Contents:
    """Makes `target` out of a backup, and tells what is in it. Raises ConnectorError, TargetExists."""
    with telling_disk(), telling():
        refuse_existing(target)
        require_room(target.parent, archive.stat().st_size)
        shutil.copyfile(archive, target)
        return contents(target)


def contents(path: Path) -> Contents:
    """What is in a database that nobody writes to."""
    with contextlib.closing(new_connection(path, SourceLimits(memory_bytes=_MEMORY_BYTES))) as connection:
        names = connection.execute(_TABLES).fetchall()
        pieces = tuple(Piece(f"{schema}.{name}", _count(connection, schema, name)) for schema, name in names)
    return Contents(pieces, f"DuckDB {duckdb.__version__} COPY FROM DATABASE")


def _count(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {quoted(schema)}.{quoted(name)}").fetchone()  # noqa: S608 - quoted
    return int(row[0]) if row else 0


def _literal(path: Path) -> str:
    text = str(path).replace("'", "''")
    return f"'{text}'"
