"""What an SQLite database holds, out of its schema table and the table-valued pragmas."""

from __future__ import annotations

import sqlite3
from typing import Any

from connectors.connector import OF_A_DATASET, Undescribed
from connectors.datasets import (
    Column,
    Dataset,
    DatasetKind,
    DatasetRef,
    Description,
    ForeignKey,
    SourceIndex,
    UniqueKey,
)
from connectors.errors import DatasetNotFound
from connectors.sqlite_session import telling
from connectors.sqlite_types import meaning_of

_DATASETS = """
SELECT name, type, sql FROM sqlite_schema
WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name
"""
_COLUMNS = 'SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid'
_FOREIGN_KEYS = 'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq'
_INDEXES = 'SELECT name, "unique", origin FROM pragma_index_list(?) ORDER BY name'
_INDEX_COLUMNS = "SELECT name FROM pragma_index_info(?) ORDER BY seqno"
_STATISTICS = "SELECT tbl, max(CAST(stat AS INTEGER)) FROM sqlite_stat1 GROUP BY tbl"


def datasets(connection: sqlite3.Connection) -> list[Dataset]:
    rows = estimates(connection)
    return [
        Dataset(DatasetRef(None, name), DatasetKind(kind), rows.get(name) if kind == "table" else None)
        for name, kind, _ in connection.execute(_DATASETS)
    ]


def estimates(connection: sqlite3.Connection) -> dict[str, int]:
    """Rows by table, as of the last ANALYZE; nothing where there was none."""
    try:
        return dict(connection.execute(_STATISTICS).fetchall())
    except sqlite3.OperationalError:
        return {}


def describe(connection: sqlite3.Connection, ref: DatasetRef) -> Description:
    """Raises DatasetNotFound."""
    found = next((row for row in connection.execute(_DATASETS) if row[0] == ref.name), None)
    if found is None or ref.schema not in (None, "main"):
        raise DatasetNotFound(f"there is no {str(ref)!r} in this database")
    name, kind, sql = found
    dataset = Dataset(DatasetRef(None, name), DatasetKind(kind), estimates(connection).get(name))
    columns = connection.execute(_COLUMNS, (name,)).fetchall()
    keys = sorted((row for row in columns if row[4]), key=lambda row: row[4])
    indexes = [
        (index, tuple(str(row[0]) for row in connection.execute(_INDEX_COLUMNS, (index,))), bool(unique), origin)
        for index, unique, origin in connection.execute(_INDEXES, (name,)).fetchall()
    ]
    return Description(
        dataset,
        tuple(_column(row, number) for number, row in enumerate(columns, 1)),
        primary_key=tuple(row[0] for row in keys),
        foreign_keys=_foreign_keys(connection, name),
        unique_keys=tuple(UniqueKey(index, on) for index, on, unique, origin in indexes if unique and origin == "u"),
        indexes=tuple(SourceIndex(index, on, unique) for index, on, unique, _ in indexes),
        definition=sql if kind == "view" else None,
    )


def describe_all(connection: sqlite3.Connection) -> list[Description | Undescribed]:
    """All of them; a view that is broken keeps its definition."""
    found: list[Description | Undescribed] = []
    for name, kind, sql in connection.execute(_DATASETS).fetchall():
        ref = DatasetRef(None, name)
        try:
            with telling():
                found.append(describe(connection, ref))
        except OF_A_DATASET as error:
            found.append(Undescribed(Dataset(ref, DatasetKind(kind)), error, sql if kind == "view" else None))
    return found


def _column(row: tuple[Any, ...], ordinal: int) -> Column:
    name, declared, not_null, default, key = row
    # A primary key may be null in SQLite, by an old mistake that it keeps; nobody means it to.
    return Column(name, declared, meaning_of(declared), not (not_null or key), ordinal, default)


def _foreign_keys(connection: sqlite3.Connection, name: str) -> tuple[ForeignKey, ...]:
    grouped: dict[int, list[tuple[Any, ...]]] = {}
    for row in connection.execute(_FOREIGN_KEYS, (name,)):
        grouped.setdefault(row[0], []).append(row)
    keys = []
    for rows in grouped.values():
        target = rows[0][1]
        targets = tuple(row[3] for row in rows)
        if None in targets:  # the target's primary key is meant
            found = connection.execute(_COLUMNS, (target,)).fetchall()
            targets = tuple(row[0] for row in sorted(found, key=lambda row: int(row[4])) if row[4])
        keys.append(ForeignKey(None, tuple(row[2] for row in rows), DatasetRef(None, target), targets))
    return tuple(keys)
