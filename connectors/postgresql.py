"""PostgreSQL, through asyncpg."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from connectors import errors
from connectors import postgresql_catalog as catalog
from connectors.connector import BATCH_ROWS, QUERY_ROWS, TEXT_LIMIT, Connector, Undescribed, chosen_columns
from connectors.datasets import (
    ChangeMarker,
    ColumnBatch,
    Dataset,
    DatasetKind,
    DatasetRef,
    Description,
    Health,
    Kind,
    QueryResult,
    Sample,
    Watermark,
)
from connectors.plain_values import plain_rows
from connectors.postgresql_changes import marker_of
from connectors.postgresql_session import open_session, telling
from connectors.postgresql_types import expression_of, native_of
from connectors.row_columns import batch_of_rows
from connectors.sessions import Sessions
from connectors.settings import SourceSettings
from connectors.sql_text import one_select, quoted, quoted_ref

# Beyond the server's own timeout: it answers first, unless it is gone.
_GRACE_SECONDS = 3.0
_ROLLBACK_SECONDS = 3.0
# Above this a sample by pages reads a part of the table, and pages hold so few of its rows that it hardly shows.
_SAMPLE_BY_PAGES = 1_000_000
_WITH_SAMPLES = (DatasetKind.TABLE, DatasetKind.MATERIALIZED_VIEW)


async def connect(settings: SourceSettings) -> PostgresqlConnector:
    """Signs in once, so that a wrong address or password is told now."""
    connector = PostgresqlConnector(settings)
    async with connector.reading():
        pass
    return connector


class PostgresqlConnector(Connector):
    kind = Kind.POSTGRESQL

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._patience = settings.limits.statement_seconds + _GRACE_SECONDS
        self._sessions: Sessions[Any] = Sessions(
            settings.limits.connections,
            lambda: open_session(settings),
            _close,
            lambda connection: not connection.is_closed(),
        )

    async def aclose(self) -> None:
        await self._sessions.close()

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        """A session in a transaction that only reads, and sees one moment of the database."""
        async with self._sessions.session() as connection:
            try:
                with telling(self._settings):
                    await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", timeout=self._patience)
            except errors.ConnectorError:
                connection.terminate()
                raise
            try:
                with telling(self._settings):
                    yield connection
            finally:
                await _roll_back(connection)

    async def test(self) -> Health:
        async with self.reading() as connection:
            started = time.perf_counter()
            await connection.fetchval("SELECT 1", timeout=self._patience)
            latency = (time.perf_counter() - started) * 1000
            version = await connection.fetchval("SHOW server_version", timeout=self._patience)
            rights, warnings = await catalog.rights(connection, self._patience)
        return Health(f"PostgreSQL {version}", latency, rights, warnings)

    async def list_datasets(self) -> list[Dataset]:
        async with self.reading() as connection:
            return await catalog.datasets(connection, self._settings.schemas, self._patience)

    async def describe(self, ref: DatasetRef) -> Description:
        async with self.reading() as connection:
            return await catalog.describe(connection, ref, self._patience)

    async def describe_all(self) -> Sequence[Description | Undescribed]:
        async with self.reading() as connection:
            return await catalog.describe_all(connection, self._settings.schemas, self._patience)

    async def count_rows(self, ref: DatasetRef, *, after: Watermark | None = None) -> int:
        async with self.reading() as connection:
            description = await catalog.describe(connection, ref, self._patience)
            conditions, arguments = _conditions(description, after)
            source = f"{quoted_ref(description.dataset.ref)}{_where(conditions)}"
            sql = f"SELECT count(*) FROM {source}"  # noqa: S608 - quoted
            return int(await connection.fetchval(sql, *arguments, timeout=self._patience))

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
        async with self.reading() as connection:
            description = await catalog.describe(connection, ref, self._patience)
            chosen = chosen_columns(description, columns)
            conditions, arguments = _conditions(description, after)
            clause = ""
            if sample is not None:
                clause, picked = await self._sampled(connection, description, sample)
                conditions += picked
            expressions = ", ".join(expression_of(column, text_limit) for column in chosen) or "NULL"
            source = f"{quoted_ref(description.dataset.ref)}{clause}{_where(conditions)}"
            sql = f"SELECT {expressions} FROM {source} LIMIT {cap + 1}"  # noqa: S608 - quoted
            cursor = await connection.cursor(sql, *arguments, timeout=self._patience)
            left = cap
            while rows := await cursor.fetch(min(batch_rows, left + 1), timeout=self._patience):
                kept = rows[:left]
                left -= len(kept)
                truncated = len(rows) > len(kept)
                yield await asyncio.to_thread(batch_of_rows, chosen, kept, text_limit, truncated=truncated)
                if truncated:
                    return

    async def query(self, sql: str, *, max_rows: int = QUERY_ROWS) -> QueryResult:
        statement = one_select(sql)
        limit = min(max_rows, self._limits.row_cap)
        async with self.reading() as connection:
            prepared = await connection.prepare(statement, timeout=self._patience)
            names = tuple(attribute.name for attribute in prepared.get_attributes())
            cursor = await prepared.cursor(timeout=self._patience)
            rows = await cursor.fetch(limit + 1, timeout=self._patience)
        plain = await asyncio.to_thread(plain_rows, rows[:limit])
        return QueryResult(names, plain, truncated=len(rows) > limit)

    async def change_marker(self, ref: DatasetRef, watermark_column: str | None = None) -> ChangeMarker:
        async with self.reading() as connection:
            description = await catalog.describe(connection, ref, self._patience)
            if watermark_column is not None:
                chosen_columns(description, (watermark_column,))
            return await marker_of(connection, description, watermark_column, self._patience)

    async def _sampled(self, connection: Any, description: Description, sample: Sample) -> tuple[str, list[str]]:
        """The clause or condition that picks about so many rows; neither where all are wanted anyway."""
        dataset = description.dataset
        rows = dataset.estimated_rows
        if rows is None or dataset.kind not in _WITH_SAMPLES:
            counting = f"SELECT count(*) FROM {quoted_ref(dataset.ref)}"  # noqa: S608 - quoted
            rows = int(await connection.fetchval(counting, timeout=self._patience))
        share = 100.0 * sample.rows / rows if rows else 100.0
        if share >= 100:
            return "", []
        if dataset.kind not in _WITH_SAMPLES:
            await connection.fetchval("SELECT setseed($1)", math.sin(sample.seed), timeout=self._patience)
            return "", [f"random() < {share / 100:.12f}"]
        method = "SYSTEM" if rows > _SAMPLE_BY_PAGES else "BERNOULLI"
        return f" TABLESAMPLE {method} ({share:.12f}) REPEATABLE ({sample.seed})", []


def _conditions(description: Description, after: Watermark | None) -> tuple[list[str], tuple[str, ...]]:
    if after is None:
        return [], ()
    [column] = chosen_columns(description, (after.column,))
    return [f"{quoted(column.name)} > $1::text::{native_of(column)}"], (after.value,)


def _where(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


async def _roll_back(connection: Any) -> None:
    """Ends the transaction; a session that cannot even do that is given up."""
    try:
        await connection.execute("ROLLBACK", timeout=_ROLLBACK_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        connection.terminate()
    except asyncio.CancelledError:
        connection.terminate()
        raise


async def _close(connection: Any) -> None:
    try:
        await connection.close(timeout=_ROLLBACK_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        connection.terminate()
