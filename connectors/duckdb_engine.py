"""A DuckDB of our own process, shut in: it reads the files it is given and nothing else, and changes nothing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from connectors import errors
from connectors.arrow_stream import ArrowStream
from connectors.datasets import Column, ColumnBatch, QueryResult
from connectors.duckdb_errors import telling
from connectors.plain_values import plain_rows
from connectors.settings import SourceLimits
from connectors.threads import InterruptibleThread

R = TypeVar("R")


class Engine:
    """One DuckDB, used from one thread. What it raises is told as ConnectorErrors."""

    def __init__(self, limits: SourceLimits) -> None:
        self._limits = limits
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._thread = InterruptibleThread("duckdb", self._interrupt)

    @property
    def is_well(self) -> bool:
        return not self._thread.is_stuck

    async def run(self, work: Callable[[duckdb.DuckDBPyConnection], R]) -> R:
        """What `work(connection)` answers, in the engine's thread. Raises ConnectorError."""

        def call() -> R:
            assert self._connection is not None
            with telling():
                return work(self._connection)

        return await self._thread.run(call, self._limits.statement_seconds)

    async def open(self, connect: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        """Takes the connection that `connect()` makes, in the engine's thread."""

        def call() -> None:
            with telling():
                self._connection = connect()

        await self._thread.run(call, self._limits.statement_seconds)

    async def query(self, sql: str, max_rows: int) -> QueryResult:
        """The rows of one statement that reads."""

        def work(connection: duckdb.DuckDBPyConnection) -> QueryResult:
            require_one_select(connection, sql)
            result = connection.execute(sql)
            names = tuple(str(column[0]) for column in result.description or ())
            rows = result.fetchmany(max_rows + 1)
            connection.execute("SELECT 1").fetchall()  # lets go of the rest
            return QueryResult(names, plain_rows(rows[:max_rows]), truncated=len(rows) > max_rows)

        return await self.run(work)

    async def stream(
        self, sql: str, arguments: list[Any], columns: Sequence[Column], *, text_limit: int | None, rows: int, cap: int
    ) -> AsyncGenerator[ColumnBatch, None]:
        """Batches of `rows` rows, `cap` rows in all; the statement asks for one more, to know whether there are."""
        chunks = await self.run(lambda connection: _open_stream(connection, sql, arguments, columns, text_limit))
        left = cap
        try:
            while (chunk := await self.run(lambda _: _next(chunks))) is not None:
                truncated = chunk.rows > left
                kept = min(chunk.rows, left)
                for start in range(0, kept, rows):
                    stop = min(start + rows, kept)
                    yield part_of(chunk, start, stop, truncated=truncated and stop == kept)
                left -= kept
                if truncated:
                    return
        finally:
            if self.is_well:
                await self.run(lambda _: chunks.close())

    def close(self) -> None:
        """In the engine's own thread, so that nothing is closed under a statement."""
        # It stays here, for what does not stop is still being interrupted.
        if self._connection is not None:
            with contextlib.suppress(RuntimeError):
                self._thread.submit(self._connection.close)
        self._thread.close()

    def _interrupt(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(duckdb.ConnectionException):  # it is closed: nothing runs there
                self._connection.interrupt()


def new_connection(database: Path | None, limits: SourceLimits) -> duckdb.DuckDBPyConnection:
    """A file, only to be read, or an empty database in memory. Its doors are open until `lock_up`."""
    options: dict[str, Any] = {
        "threads": limits.threads,
        "memory_limit": f"{limits.memory_bytes // 2**20}MiB",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
        "allow_persistent_secrets": False,
        "temp_directory": "",
    }
    name = ":memory:" if database is None else str(database)
    connection = duckdb.connect(name, read_only=database is not None, config=options)
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


def lock_up(connection: duckdb.DuckDBPyConnection, files: Sequence[str] = ()) -> None:
    """From here on only these files can be reached, and nothing turns that back."""
    connection.execute("SET allowed_paths = $1", [list(files)])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def require_one_select(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """By DuckDB's own reading of the statement. Raises NotReadOnly."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise errors.NotReadOnly("only one statement is allowed")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise errors.NotReadOnly("only a SELECT is allowed here")


def _open_stream(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    arguments: list[Any],
    columns: Sequence[Column],
    text_limit: int | None,
) -> Generator[ColumnBatch, None, None]:
    relation = connection.sql(sql, params=arguments or None)
    assert relation is not None
    return ArrowStream(relation.__arrow_c_stream__()).chunks(columns, text_limit)


def _next(chunks: Iterator[ColumnBatch]) -> ColumnBatch | None:
    return next(chunks, None)


def part_of(batch: ColumnBatch, start: int, stop: int, *, truncated: bool) -> ColumnBatch:
    """Some of a batch's rows."""
    if start == 0 and stop == batch.rows:
        return ColumnBatch(batch.columns, batch.rows, truncated)
    columns = {
        name: replace(
            values, values=values.values[start:stop], nulls=None if values.nulls is None else values.nulls[start:stop]
        )
        for name, values in batch.columns.items()
    }
    return ColumnBatch(columns, stop - start, truncated)
