"""What a MySQL database holds, out of its information schema."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from connectors.datasets import (
    Column,
    Dataset,
    DatasetKind,
    DatasetRef,
    Description,
    ForeignKey,
    LogicalType,
    SourceIndex,
    UniqueKey,
)
from connectors.errors import DatasetNotFound
from connectors.mysql_session import Session
from connectors.mysql_types import meaning_of
from connectors.sql_text import quoted_ref

_SYSTEM = "('mysql', 'information_schema', 'performance_schema', 'sys')"
_DATASETS = f"""
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, TABLE_ROWS, DATA_LENGTH + INDEX_LENGTH, TABLE_COMMENT, UPDATE_TIME
FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN {_SYSTEM} AND TABLE_TYPE <> 'SEQUENCE'
"""  # noqa: S608 - a constant
_COLUMNS = """
SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, COLUMN_COMMENT
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION
"""
# MySQL 8 has indexes on expressions, MariaDB has no column that tells them.
_INDEXES = """
SELECT INDEX_NAME, NON_UNIQUE, COALESCE(COLUMN_NAME, '(expression)') FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s ORDER BY INDEX_NAME, SEQ_IN_INDEX
"""
_VIEW = "SELECT VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s"
# The information schema hides keys from accounts that only read; this they are shown.
_NAME = r"`(?:[^`]|``)+`"
_FOREIGN_KEY = re.compile(
    rf"CONSTRAINT ({_NAME}) FOREIGN KEY \(([^)]*)\) REFERENCES (?:({_NAME})\.)?({_NAME}) \(([^)]*)\)"
)
_JSON_CHECK = re.compile(rf"json_valid\(({_NAME})\)", re.IGNORECASE)
_WRITING = ("INSERT", "UPDATE", "DELETE", "DROP", "ALTER", "CREATE", "ALL PRIVILEGES")


async def datasets(session: Session, schemas: tuple[str, ...]) -> list[Dataset]:
    """Those of the database that was named, or of these."""
    marks = ", ".join(["%s"] * len(schemas))
    condition = f" AND TABLE_SCHEMA IN ({marks}) ORDER BY TABLE_SCHEMA, TABLE_NAME"
    return sorted(
        (_dataset(row) for row in await session.execute(_DATASETS + condition, schemas)),
        key=lambda dataset: (dataset.ref.schema or "", dataset.ref.name),
    )


async def describe(session: Session, ref: DatasetRef, database: str) -> Description:
    """Without a schema, the database that was named is meant. Raises DatasetNotFound."""
    names = (ref.schema or database, ref.name)
    found = await session.execute(f"{_DATASETS} AND TABLE_SCHEMA = %s AND TABLE_NAME = %s", names)
    # Names may compare without regard to case; the exact one is meant.
    row = next((row for row in found if (row[0], row[1]) == names), None)
    if row is None:
        raise DatasetNotFound(f"there is no {str(ref)!r}, or this account may not read it")
    dataset = _dataset(row)
    columns = await session.execute(_COLUMNS, names)
    indexes = [
        SourceIndex(name, tuple(row[2] for row in rows), not repeats)
        for (name, repeats), rows in _grouped(await session.execute(_INDEXES, names), 2)
    ]
    if dataset.kind is DatasetKind.VIEW:
        views = await session.execute(_VIEW, names)
        definition = views[0][0] or None if views else None
        if not columns:
            # One that refers to what is gone, or to itself, is listed without columns; asked for rows it says why.
            await session.execute(f"SELECT 1 FROM {quoted_ref(DatasetRef(*names), '`')} LIMIT 0")  # noqa: S608 - quoted
        return Description(dataset, _columns(columns, session, ""), definition=definition)
    created = str((await session.execute(f"SHOW CREATE TABLE {quoted_ref(DatasetRef(*names), '`')}"))[0][1])
    return Description(
        dataset,
        _columns(columns, session, created),
        primary_key=next((index.columns for index in indexes if index.name == "PRIMARY"), ()),
        foreign_keys=_foreign_keys(created, names[0]),
        unique_keys=tuple(
            UniqueKey(index.name, index.columns) for index in indexes if index.unique and index.name != "PRIMARY"
        ),
        indexes=tuple(indexes),
    )


async def rights(session: Session) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words for what the account may do, and what is more than it should."""
    grants = [str(row[0]) for row in await session.execute("SHOW GRANTS")]
    granted = " ".join(grant.partition(" ON ")[0].upper() for grant in grants)
    words, warnings = [], []
    if "SELECT" in granted or "ALL PRIVILEGES" in granted:
        words.append("read")
    else:
        warnings.append("the account may read no table; grant it SELECT")
    if any(right in granted for right in _WRITING):
        words.append("write")
        warnings.append("the account may write; one that may only read is enough")
    if any(right in granted for right in ("SUPER", "FILE")) or any(
        "ALL PRIVILEGES ON *.*" in grant for grant in grants
    ):
        words.append("superuser")
        warnings.append("the account has rights on the whole server; one that may only read is enough")
    return tuple(words), tuple(warnings)


def _dataset(row: tuple[Any, ...]) -> Dataset:
    schema, name, kind, rows, size, comment, updated = row
    is_view = kind in ("VIEW", "SYSTEM VIEW")
    return Dataset(
        DatasetRef(schema, name),
        DatasetKind.VIEW if is_view else DatasetKind.TABLE,
        None if is_view or rows is None else int(rows),
        None if is_view or size is None else int(size),
        None if is_view else comment or None,
        updated.replace(tzinfo=UTC) if isinstance(updated, datetime) else None,
    )


def _columns(rows: list[tuple[Any, ...]], session: Session, created: str) -> tuple[Column, ...]:
    """`created` is the statement that would make the table: MariaDB's JSON is a text with a check."""
    checked = {_unquoted(name) for name in _JSON_CHECK.findall(created)}
    columns = []
    for ordinal, (name, native, nullable, default, comment) in enumerate(rows, 1):
        text = native.decode() if isinstance(native, bytes) else str(native)
        meaning = LogicalType.JSON if text == "longtext" and name in checked else meaning_of(text)
        # MariaDB writes defaults as SQL, MySQL as values.
        no_default = session.is_mariadb and default == "NULL"
        columns.append(
            Column(name, text, meaning, nullable == "YES", ordinal, None if no_default else default, comment or None)
        )
    return tuple(columns)


def _foreign_keys(created: str, schema: str) -> tuple[ForeignKey, ...]:
    keys = []
    for name, columns, target_schema, target, targets in _FOREIGN_KEY.findall(created):
        ref = DatasetRef(_unquoted(target_schema) if target_schema else schema, _unquoted(target))
        keys.append(ForeignKey(_unquoted(name), _names(columns), ref, _names(targets)))
    return tuple(keys)


def _names(listed: str) -> tuple[str, ...]:
    return tuple(_unquoted(name) for name in re.findall(_NAME, listed))


def _unquoted(name: str) -> str:
    return name[1:-1].replace("``", "`")


def _grouped(rows: list[tuple[Any, ...]], key: int) -> list[tuple[tuple[Any, ...], list[tuple[Any, ...]]]]:
    """Rows by their first columns, in the order they come."""
    groups: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for row in rows:
        groups.setdefault(row[:key], []).append(row)
    return list(groups.items())
