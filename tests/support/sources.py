"""One small table in a source of every kind, and how to change it there: what connectors are tried on."""

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from connectors.connector import Connector
from connectors.datasets import DatasetRef, Kind
from connectors.opening import open_connector
from connectors.settings import SourceLimits, SourceSettings

# Every name has what SQL quotes by, and what is not ASCII.
TABLE = "sold 'by' \"näme\" `%s`"
TEXT = 'na"m`e'
COLUMNS = ("id", TEXT, "amount", "at", "day", "is new")
ROWS: tuple[tuple[Any, ...], ...] = (
    (1, "Ägypten", 1.5, "2024-02-29 12:30:00.25", "1969-12-31", True),
    (2, None, None, None, None, None),
    (3, "it's", -0.25, "2024-03-01 00:00:00", "2024-03-01", False),
    (4, "it's", 1e6, "2024-03-02 00:00:00", "2024-03-02", True),
    (5, "x" * 2000, 7.0, "2024-03-03 00:00:00", "2024-03-03", False),
)
SECRET = "correct horse battery staple"


@dataclass(frozen=True)
class Source:
    """A source with the table in it. `write` makes a change there, as its owner; `slow` is a query without an end."""

    kind: Kind
    settings: SourceSettings
    ref: DatasetRef
    write: Callable[..., object]
    slow: str
    table: str
    is_file: bool = False

    async def open(self, **changes: Any) -> Connector:
        return await open_connector(self.kind, replace(self.settings, **changes))

    def limited(self, **limits: Any) -> "Source":
        return replace(self, settings=replace(self.settings, limits=replace(self.settings.limits, **limits)))


LIMITS = SourceLimits(statement_seconds=20.0, connect_seconds=5.0, memory_bytes=256 * 2**20)


def quoted(name: str, mark: str = '"') -> str:
    return f"{mark}{name.replace(mark, mark * 2)}{mark}"


def statements(kind: Kind) -> list[str]:
    """What makes the table, and a view of it, and a table that refers to it."""
    mark = "`" if kind is Kind.MYSQL else '"'
    text, time = "varchar(3000)", "datetime(6)" if kind is Kind.MYSQL else "timestamp"
    flag = "bit(1)" if kind is Kind.MYSQL else "boolean"
    table, column, at, is_new = (quoted(name, mark) for name in (TABLE, TEXT, "at", "is new"))
    return [
        f"CREATE TABLE {table} (id bigint PRIMARY KEY, {column} {text}, amount decimal(12, 2), {at} {time}, day date,"
        f" {is_new} {flag} DEFAULT NULL)",
        *(f"INSERT INTO {table} VALUES ({', '.join(map(literal, row))})" for row in ROWS),
        f"CREATE TABLE part (id bigint PRIMARY KEY, whole bigint NOT NULL, code varchar(20) UNIQUE,"
        f" FOREIGN KEY (whole) REFERENCES {table} (id))",
        "CREATE INDEX part_whole ON part (whole)",
        f"CREATE VIEW seen AS SELECT id, {column} FROM {table}",
    ]


def literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def sqlite_source(folder: Path) -> Source:
    path = folder / "odd name?#%.sqlite3"

    def write(*sql: str) -> None:
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            for statement in sql:
                connection.execute(statement)

    write(*statements(Kind.SQLITE))
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    settings = SourceSettings(path=path, limits=LIMITS)
    return Source(Kind.SQLITE, settings, DatasetRef(None, TABLE), write, slow, quoted(TABLE), is_file=True)


def duckdb_source(folder: Path) -> Source:
    path = folder / "odd name.duckdb"

    def write(*sql: str) -> None:
        with duckdb.connect(str(path)) as connection:
            for statement in sql:
                connection.execute(statement)

    write(*statements(Kind.DUCKDB))
    settings = SourceSettings(path=path, limits=LIMITS)
    return Source(Kind.DUCKDB, settings, DatasetRef("main", TABLE), write, SLOW_DUCKDB, quoted(TABLE), is_file=True)


def files_source(folder: Path) -> Source:
    """A CSV; writing to it is a line more."""
    name = f"deep/{TABLE}.csv"
    path = folder / name
    path.parent.mkdir()
    lines = [COLUMNS, *ROWS]
    path.write_text("".join(",".join(map(cell, line)) + "\n" for line in lines), encoding="utf-8")

    def write(line: str) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    settings = SourceSettings(path=folder, limits=LIMITS)
    return Source(Kind.FILES, settings, DatasetRef(None, name), write, SLOW_DUCKDB, quoted(name), is_file=True)


SLOW_DUCKDB = "SELECT count(*) FROM range(100000000000) a(i), range(1000) b(j) WHERE hash(i + j) % 7 = 3"


def cell(value: Any) -> str:
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return '"' + text.replace('"', '""') + '"'
