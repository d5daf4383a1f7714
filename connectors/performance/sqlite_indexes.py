"""Which indexes of an SQLite database another one serves, and which foreign keys have none."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors.performance.figures import AdviceKind, IndexAdvice
from connectors.sql_text import quoted

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
_INDEXES = 'SELECT name, "unique", partial FROM pragma_index_list(?) ORDER BY name'
# The collation and direction of each column; an expression has no name.
_COLUMNS = 'SELECT name, coll, "desc" FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno'
_FOREIGN_KEYS = 'SELECT id, "table", "from" FROM pragma_foreign_key_list(?) ORDER BY id, seq'
_PRIMARY_KEY = "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk"
_SCHEMA = "main"
_OWN = "sqlite_autoindex"


@dataclass(frozen=True, slots=True)
class _Index:
    name: str
    is_unique: bool
    parts: tuple[tuple[str | None, str, int], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name or "(expression)" for name, _, _ in self.parts)


def advise(connection: sqlite3.Connection) -> list[IndexAdvice]:
    """Of all tables; partial indexes and those on expressions are compared with nothing."""
    found: list[IndexAdvice] = []
    for (table,) in connection.execute(_TABLES).fetchall():
        indexes = [
            _Index(name, bool(unique), tuple(connection.execute(_COLUMNS, (name,)).fetchall()))
            for name, unique, partial in connection.execute(_INDEXES, (table,)).fetchall()
            if not partial
        ]
        found += _served(table, [index for index in indexes if all(name for name, _, _ in index.parts)])
        found += _missing(connection, table, indexes)
    return found


def _served(table: str, indexes: Sequence[_Index]) -> Iterator[IndexAdvice]:
    for index in indexes:
        if index.is_unique or index.name.startswith(_OWN):
            continue
        for other in sorted(indexes, key=lambda other: other.parts != index.parts):
            is_same = other.parts == index.parts
            if other is index or other.parts[: len(index.parts)] != index.parts:
                continue
            if is_same and not other.is_unique and other.name > index.name:
                continue  # of two that are alike one goes
            how = "has the same columns" if is_same else "begins with the same columns"
            yield IndexAdvice(
                kind=AdviceKind.DUPLICATE if is_same else AdviceKind.REDUNDANT,
                schema=_SCHEMA,
                table=table,
                index=index.name,
                columns=index.columns,
                bytes=None,
                reason=f"The index {other.name!r} {how}, so it serves whatever this one does.",
                sql=f"DROP INDEX {quoted(index.name)};",
                evidence={"served_by": other.name, "its_columns": list(other.columns)},
            )
            break


def _missing(connection: sqlite3.Connection, table: str, indexes: Sequence[_Index]) -> Iterator[IndexAdvice]:
    keys: dict[int, tuple[str, list[str]]] = {}
    for number, parent, column in connection.execute(_FOREIGN_KEYS, (table,)).fetchall():
        keys.setdefault(number, (parent, []))[1].append(column)
    primary = tuple(name for (name,) in connection.execute(_PRIMARY_KEY, (table,)))
    beginnings = [index.columns for index in indexes] + [primary]
    for parent, columns in keys.values():
        if any(set(each[: len(columns)]) == set(columns) for each in beginnings):
            continue
        listed = ", ".join(map(quoted, columns))
        name = quoted("_".join((table, *columns, "idx")))
        yield IndexAdvice(
            kind=AdviceKind.MISSING,
            schema=_SCHEMA,
            table=table,
            index=None,
            columns=tuple(columns),
            bytes=None,
            reason=f"A row of {parent!r} that is deleted or changed makes SQLite read all of {table!r}.",
            sql=f"CREATE INDEX {name} ON {quoted(table)} ({listed});",
            evidence={"refers_to": parent},
        )
