"""An SQLite database in a file."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from connectors import sqlite_catalog as catalog
from connectors.connector import BATCH_ROWS, QUERY_ROWS, TEXT_LIMIT, Connector, Undescribed, chosen_columns
from connectors.datasets import (
    ChangeMarker,
    ChangeMethod,
    Column,
    ColumnBatch,
    Dataset,
    DatasetRef,
    Description,
    Health,
    Kind,
    LogicalType,
    QueryResult,
    Sample,
    Watermark,
)
from connectors.file_stamp import stamp_of
from connectors.paths import resolve_file
from connectors.plain_values import plain_rows
from connectors.row_columns import batch_of_rows
from connectors.sessions import Sessions
from connectors.settings import SourceSettings
from connectors.sql_text import one_select, quoted, quoted_ref
from connectors.sqlite_sampling import sampled
from connectors.sqlite_session import Session, check_file
from connectors.sqlite_types import expression_of, held_type, kinds_expression, odd_date


async def connect(settings: SourceSettings) -> SqliteConnector:
    path = await asyncio.to_thread(resolve_file, settings.path, settings.roots)
    await check_file(path, str(settings.path))
    connector = SqliteConnector(settings, path)
    try:
        async with connector.reading() as session:
            await session.run(catalog.datasets)
    except BaseException:
        await connector.aclose()
        raise
    return connector


class SqliteConnector(Connector):
    kind = Kind.SQLITE

    def __init__(self, settings: SourceSettings, path: Path) -> None:
        self._limits = settings.limits
        self._path = path
        self._sessions = Sessions(settings.limits.connections, self._open, _close, lambda session: session.is_well)

    async def aclose(self) -> None:
        await self._sessions.close()

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Session]:
        """A session in a transaction, which sees one moment of the database."""
        async with self._sessions.session() as session:
            try:
                await session.run(lambda connection: connection.execute("BEGIN"))
                yield session
            finally:
                if session.is_well:
                    await session.run(_roll_back)

    async def test(self) -> Health:
        async with self.reading() as session:
            started = time.perf_counter()
            await session.run(lambda connection: connection.execute("SELECT 1").fetchall())
            latency = (time.perf_counter() - started) * 1000
        return Health(f"SQLite {sqlite3.sqlite_version}", latency, ("read",))

    async def list_datasets(self) -> list[Dataset]:
        async with self.reading() as session:
            return await session.run(catalog.datasets)

    async def describe(self, ref: DatasetRef) -> Description:
        async with self.reading() as session:
            return await session.run(lambda connection: catalog.describe(connection, ref))

    async def describe_all(self) -> Sequence[Description | Undescribed]:
        async with self.reading() as session:
            return await session.run(catalog.describe_all)

    async def count_rows(self, ref: DatasetRef, *, after: Watermark | None = None) -> int:
        def work(connection: sqlite3.Connection) -> int:
            description = catalog.describe(connection, ref)
            where, arguments = _where(connection, description, after)
            sql = f"SELECT count(*) FROM {quoted_ref(description.dataset.ref)}{where}"  # noqa: S608 - quoted
            return int(connection.execute(sql, arguments).fetchone()[0])

        async with self.reading() as session:
            return await session.run(work)

    async def fetch(
        self,
        ref: DatasetRef,
        columns: Sequence[str] | None = None,
        *,
        batch_rows: int = BATCH_ROWS,
        row_cap: int | None = None,
        after: Watermark | None = None,
        sample: Sample | None = None,
        text_limit: int | None = TEXT_LIMIT,
    ) -> AsyncGenerator[ColumnBatch, None]:
        cap = min(row_cap or self._limits.row_cap, self._limits.row_cap)

        def begin(connection: sqlite3.Connection) -> tuple[list[Column], sqlite3.Cursor]:
            description = catalog.describe(connection, ref)
            chosen = _as_held(connection, description, chosen_columns(description, columns))
            where, arguments = _where(connection, description, after)
            source = f"{quoted_ref(description.dataset.ref)}{where}"
            if sample is not None:
                share = sampled(connection, description, source, arguments, sample)
                source += f"{' AND' if where else ' WHERE'} {share}" if share else ""
            expressions = ", ".join(expression_of(column, text_limit) for column in chosen)
            return chosen, connection.execute(f"SELECT {expressions} FROM {source} LIMIT {cap + 1}", arguments)  # noqa: S608

        async with self.reading() as session:
            chosen, cursor = await session.run(begin)
            left = cap
            while rows := await session.run(lambda _: cursor.fetchmany(min(batch_rows, left + 1))):  # noqa: B023 - run at once
                kept = rows[:left]
                left -= len(kept)
                truncated = len(rows) > len(kept)
                yield await asyncio.to_thread(batch_of_rows, chosen, kept, text_limit, truncated=truncated)
                if truncated:
                    return

    async def query(self, sql: str, *, max_rows: int = QUERY_ROWS) -> QueryResult:
        statement = one_select(sql)
        limit = min(max_rows, self._limits.row_cap)

        def work(connection: sqlite3.Connection) -> QueryResult:
            with contextlib.closing(connection.execute(statement)) as cursor:
                names = tuple(column[0] for column in cursor.description or ())
                rows = cursor.fetchmany(limit + 1)
            return QueryResult(names, plain_rows(rows[:limit]), truncated=len(rows) > limit)

        async with self.reading() as session:
            return await session.run(work)

    async def change_marker(self, ref: DatasetRef, watermark_column: str | None = None) -> ChangeMarker:
        """By the file: SQLite counts no changes of a table, and its `data_version` holds within one connection only."""

        def work(connection: sqlite3.Connection) -> ChangeMarker:
            description = catalog.describe(connection, ref)
            if watermark_column is None:
                return ChangeMarker(ChangeMethod.FILE, stamp_of(self._path))
            highest = _highest(connection, description, watermark_column)
            return ChangeMarker(
                ChangeMethod.WATERMARK, highest or "", highest, "rows that were deleted, or changed without a new value"
            )

        async with self.reading() as session:
            return await session.run(work)

    async def _open(self) -> Session:
        return Session(self._path, self._limits)


async def _close(session: Session) -> None:
    session.close()


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _as_held(connection: sqlite3.Connection, description: Description, columns: list[Column]) -> list[Column]:
    """The columns with the types that their values have, whatever was declared."""
    if not columns:
        return []
    dates = [column for column in columns if column.logical_type in (LogicalType.DATE, LogicalType.TIMESTAMP)]
    expressions = [*map(kinds_expression, columns), *map(odd_date, dates)]
    sql = f"SELECT {', '.join(expressions)} FROM {quoted_ref(description.dataset.ref)}"  # noqa: S608 - quoted
    found = connection.execute(sql).fetchone()
    odd = {column.name for column, count in zip(dates, found[len(columns) :], strict=True) if count}
    return [
        replace(column, logical_type=LogicalType.TEXT if column.name in odd else held_type(column.logical_type, kinds))
        for column, kinds in zip(columns, found[: len(columns)], strict=True)
    ]


def _where(
    connection: sqlite3.Connection, description: Description, after: Watermark | None
) -> tuple[str, tuple[Any, ...]]:
    if after is None:
        return "", ()
    [column] = chosen_columns(description, (after.column,))
    [held] = _as_held(connection, description, [column])
    value: Any = after.value
    with contextlib.suppress(ValueError):
        if held.logical_type in (LogicalType.INTEGER, LogicalType.BOOLEAN):
            value = int(after.value)
        elif held.logical_type in (LogicalType.NUMBER, LogicalType.DECIMAL):
            value = float(after.value)
    return f" WHERE {quoted(column.name)} > ?", (value,)


def _highest(connection: sqlite3.Connection, description: Description, name: str) -> str | None:
    [column] = chosen_columns(description, (name,))
    sql = f"SELECT max({quoted(column.name)}) FROM {quoted_ref(description.dataset.ref)}"  # noqa: S608 - quoted
    highest = connection.execute(sql).fetchone()[0]
    return None if highest is None else repr(highest) if isinstance(highest, float) else str(highest)
