"""MySQL and MariaDB, through asyncmy."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from connectors import mysql_catalog as catalog
from connectors.connector import BATCH_ROWS, QUERY_ROWS, TEXT_LIMIT, Connector, chosen_columns
from connectors.datasets import (
    ChangeMarker,
    ChangeMethod,
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
from connectors.mysql_session import Session, open_session
from connectors.mysql_types import cast_of, expression_of
from connectors.plain_values import plain_rows
from connectors.row_columns import batch_of_rows
from connectors.sessions import Sessions
from connectors.settings import SourceSettings
from connectors.sql_text import one_select, quoted, quoted_ref

# The server notes the time of a write to the second: within this many of now, another may follow unseen.
_TIME_GRAIN = 2.0
_TIMES = """
SELECT CAST(UPDATE_TIME AS CHAR), CAST(CREATE_TIME AS CHAR), TIMESTAMPDIFF(MICROSECOND, UPDATE_TIME, NOW(6)) / 1e6
FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s
"""


async def connect(settings: SourceSettings) -> MysqlConnector:
    """Signs in once, so that a wrong address or password is told now."""
    connector = MysqlConnector(settings)
    async with connector.reading():
        pass
    return connector


class MysqlConnector(Connector):
    kind = Kind.MYSQL

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._database = settings.database or ""
        self._sessions = Sessions(
            settings.limits.connections, lambda: open_session(settings), _close, lambda session: session.is_well
        )

    async def aclose(self) -> None:
        await self._sessions.close()

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Session]:
        """A session in a transaction that only reads, and sees one moment of the database."""
        async with self._sessions.session() as session, session.transaction():
            yield session

    async def test(self) -> Health:
        async with self.reading() as session:
            started = time.perf_counter()
            await session.execute("SELECT 1")
            latency = (time.perf_counter() - started) * 1000
            rights, warnings = await catalog.rights(session)
            product = "MariaDB" if session.is_mariadb else "MySQL"
            version = session.version.removeprefix("5.5.5-").partition("-")[0]
        return Health(f"{product} {version}", latency, rights, warnings)

    async def list_datasets(self) -> list[Dataset]:
        async with self.reading() as session:
            return await catalog.datasets(session, self._settings.schemas or (self._database,))

    async def describe(self, ref: DatasetRef) -> Description:
        async with self.reading() as session:
            return await catalog.describe(session, ref, self._database)

    async def count_rows(self, ref: DatasetRef, *, after: Watermark | None = None) -> int:
        async with self.reading() as session:
            description = await catalog.describe(session, ref, self._database)
            source, arguments = _source(description, after)
            [(count,)] = await session.execute(f"SELECT count(*) FROM {source}", arguments)  # noqa: S608 - quoted
            return int(count)

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
        async with self.reading() as session:
            description = await catalog.describe(session, ref, self._database)
            chosen = chosen_columns(description, columns)
            source, arguments = _source(description, after)
            if sample is not None:
                source += await _sampled(session, source, arguments, sample)
            expressions = ", ".join(expression_of(column, text_limit) for column in chosen)
            expressions = expressions.replace("%", "%%") if arguments else expressions
            sql = f"SELECT {expressions} FROM {source} LIMIT {cap + 1}"  # noqa: S608 - quoted
            left = cap
            async with session.streaming(), session.stream(sql, arguments) as cursor:
                while rows := await session.next_rows(cursor, min(batch_rows, left + 1)):
                    kept = rows[:left]
                    left -= len(kept)
                    truncated = len(rows) > len(kept)
                    yield await asyncio.to_thread(batch_of_rows, chosen, kept, text_limit, truncated=truncated)
                    if truncated:
                        break

    async def query(self, sql: str, *, max_rows: int = QUERY_ROWS) -> QueryResult:
        statement = one_select(sql, backslashes=True)
        limit = min(max_rows, self._limits.row_cap)
        async with self.reading() as session:
            names, rows = await session.fetch_some(statement, None, limit + 1)
        plain = await asyncio.to_thread(plain_rows, rows[:limit])
        return QueryResult(names, plain, truncated=len(rows) > limit)

    async def change_marker(self, ref: DatasetRef, watermark_column: str | None = None) -> ChangeMarker:
        async with self.reading() as session:
            description = await catalog.describe(session, ref, self._database)
            if watermark_column is not None:
                return await _by_column(session, description, watermark_column)
            if description.dataset.kind is not DatasetKind.TABLE:
                return ChangeMarker(ChangeMethod.NONE, None, None, "a view has no record of its changes")
            return await _by_time_or_checksum(session, description)


async def _by_column(session: Session, description: Description, name: str) -> ChangeMarker:
    [column] = chosen_columns(description, (name,))
    ref = quoted_ref(description.dataset.ref, "`")
    sql = f"SELECT CAST(max({quoted(column.name, '`')}) AS CHAR) FROM {ref}"  # noqa: S608 - quoted
    [(highest,)] = await session.execute(sql)
    return ChangeMarker(
        ChangeMethod.WATERMARK, highest or "", highest, "rows that were deleted, or changed without a new value"
    )


async def _by_time_or_checksum(session: Session, description: Description) -> ChangeMarker:
    """The time of the last write, which servers forget when they start; else a checksum over all rows."""
    ref = description.dataset.ref
    updated, created, age = await _times(session, ref)
    if updated is not None and age < _TIME_GRAIN:
        await asyncio.sleep(_TIME_GRAIN - max(age, 0))
        updated, created, age = await _times(session, ref)
    if updated is None:
        [(_, checksum)] = await session.execute(f"CHECKSUM TABLE {quoted_ref(ref, '`')}")
        return ChangeMarker(ChangeMethod.CHECKSUM, None if checksum is None else str(checksum))
    if age < _TIME_GRAIN:
        return ChangeMarker(ChangeMethod.NONE, None, None, "it is being written to all the time")
    return ChangeMarker(ChangeMethod.UPDATE_TIME, f"{updated}/{created}")


async def _times(session: Session, ref: DatasetRef) -> tuple[str | None, str | None, float]:
    """When it was written to, when it was made, and how many seconds ago it was written to."""
    [(updated, created, age)] = await session.execute(_TIMES, (ref.schema, ref.name))
    return updated, created, float(age or 0)


def _source(description: Description, after: Watermark | None) -> tuple[str, tuple[str, ...] | None]:
    """What follows FROM. Where there are arguments, percent signs of names are doubled for the driver."""
    ref = quoted_ref(description.dataset.ref, "`")
    if after is None:
        return f"{ref} WHERE TRUE", None
    [column] = chosen_columns(description, (after.column,))
    name = quoted(column.name, "`")
    return f"{ref.replace('%', '%%')} WHERE {name.replace('%', '%%')} > {cast_of(column)}", (after.value,)


async def _sampled(session: Session, source: str, arguments: tuple[str, ...] | None, sample: Sample) -> str:
    """A condition that picks about so many rows; none where all are wanted."""
    [(rows,)] = await session.execute(f"SELECT count(*) FROM {source}", arguments)  # noqa: S608 - quoted
    share = sample.rows / rows if rows else 1.0
    return "" if share >= 1 else f" AND RAND({sample.seed}) < {share:.12f}"


async def _close(session: Session) -> None:
    session.close()
