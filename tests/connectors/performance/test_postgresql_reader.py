"""A reader whose server refuses something, hangs, goes away, or is not the one that answers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import asyncpg  # type: ignore[import-untyped]
import pytest
from balancer import pump
from followed_source import settings_of
from postgres_server import PostgresServer, running_postgres

from connectors.errors import ConnectorError, LoginRefused, Unreachable
from connectors.performance.figures import Level, StatementSnapshot
from connectors.performance.postgresql.reader import PostgresqlReader
from connectors.settings import SourceLimits

IMPATIENT = SourceLimits(statement_seconds=0.3, connect_seconds=2.0)


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """One that may be stopped, and remembers few statements."""
    settings = ("shared_preload_libraries=pg_stat_statements", "pg_stat_statements.max=100")
    with running_postgres(settings) as server:
        server.execute("CREATE EXTENSION pg_stat_statements")
        yield server


def test_what_a_server_refuses_hides_nothing_else(counted: PostgresServer) -> None:
    async def scenario() -> None:
        await counted.execute_soon("REVOKE SELECT ON pg_stat_archiver FROM PUBLIC")
        reader = PostgresqlReader(settings_of(counted, "plain"))
        visit = await reader.visit(Level.MEDIUM)
        assert [(one.what, "archiver" in one.reason) for one in visit.unsupported] == [("archiver", True)]
        metrics = {figure.metric for group in visit.groups for figure in group.figures}
        assert {"postgresql.wal.bytes", "postgresql.locks.waiting"} <= metrics
        assert "postgresql.archiver.failed" not in metrics
        # Not asked for each time.
        assert (await reader.visit(Level.MEDIUM)).unsupported == visit.unsupported
        await reader.aclose()

    asyncio.run(scenario())


def test_a_server_that_hangs_is_left_and_found_again(own_server: PostgresServer) -> None:
    async def scenario() -> None:
        reader = PostgresqlReader(replace(settings_of(own_server, "postgres"), limits=IMPATIENT))
        first = await reader.visit(Level.FAST)
        own_server.freeze()
        try:
            began = time.monotonic()
            with pytest.raises(Unreachable):
                await reader.visit(Level.FAST)
            assert time.monotonic() - began < 10
        finally:
            own_server.thaw()
        assert (await reader.visit(Level.FAST)).server == first.server
        await reader.aclose()

    asyncio.run(scenario())


def test_a_server_that_is_gone_is_told_each_time(own_server: PostgresServer) -> None:
    async def scenario() -> None:
        reader = PostgresqlReader(settings_of(own_server, "postgres"))
        first = await reader.visit(Level.FAST)
        await asyncio.to_thread(own_server.stop)
        for _ in range(3):
            with pytest.raises(Unreachable):
                await reader.visit(Level.FAST)
        await asyncio.to_thread(own_server.start)
        assert (await reader.visit(Level.FAST)).server != first.server
        await reader.aclose()

    asyncio.run(scenario())


def test_a_question_that_is_given_up_leaves_a_reader_that_answers(own_server: PostgresServer) -> None:
    async def scenario() -> None:
        reader = PostgresqlReader(settings_of(own_server, "postgres"))
        await reader.visit(Level.FAST)
        own_server.freeze()
        try:
            asking = asyncio.create_task(reader.visit(Level.FAST))
            waiting = asyncio.create_task(reader.blocking())
            await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        finally:
            own_server.thaw()
        assert (await waiting).sessions == []
        await reader.aclose()
        await reader.aclose()

    asyncio.run(scenario())


def test_a_session_that_only_reads_and_waits_for_nobody(own_server: PostgresServer) -> None:
    async def scenario() -> None:
        reader = PostgresqlReader(settings_of(own_server, "postgres"))
        await asyncio.gather(reader.visit(Level.FAST), reader.blocking(), reader.statements())
        sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'collab-studio monitor'"
        assert await own_server.execute_soon(sessions) == [1]
        assert reader._session is not None
        [row] = await reader._session.once(
            "SELECT current_setting('default_transaction_read_only') AS reads, current_setting('jit') AS jit,"
            " current_setting('lock_timeout') AS locks, current_setting('statement_timeout') AS statements"
        )
        assert tuple(row.values()) == ("on", "off", "100ms", "5s")
        await reader.aclose()

    asyncio.run(scenario())


def test_an_account_that_is_not_let_in(own_server: PostgresServer) -> None:
    async def scenario() -> None:
        reader = PostgresqlReader(settings_of(own_server, "nobody"))
        with pytest.raises(LoginRefused):
            await reader.visit(Level.FAST)
        await reader.aclose()

    asyncio.run(scenario())


def test_statements_that_the_server_forgot_are_counted(own_server: PostgresServer) -> None:
    async def scenario() -> None:
        reader = PostgresqlReader(settings_of(own_server, "postgres"))
        before = await reader.statements()
        connection = await asyncpg.connect(own_server.url)
        for number in range(150):
            await connection.execute(f"SELECT {', '.join(['1'] * (number + 1))}")
        await connection.close()
        after = await reader.statements()
        assert isinstance(before, StatementSnapshot)
        assert isinstance(after, StatementSnapshot)
        assert before.evicted is not None
        assert after.evicted is not None
        assert after.evicted > before.evicted
        assert after.epoch == before.epoch
        await reader.aclose()

    asyncio.run(scenario())


@contextlib.asynccontextmanager
async def pooler(port: int) -> AsyncIterator[int]:
    """Stands between as a pooler does: it tells a process number of its own."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        tasks.add(asyncio.ensure_future(pump(reader, back)))
        head = b""
        while b"K\0\0\0\x0c" not in head and (data := await there.read(65536)):
            place = data.find(b"K\0\0\0\x0c")
            head = data if place < 0 else data[: place + 5] + b"\0\0\x27\x0f" + data[place + 9 :]
            writer.write(head)
        await pump(there, writer)
        back.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        # Those whose reader is closed have ended; a test that failed has left one open.
        _, open_still = await asyncio.wait(tasks, timeout=2.0)
        for task in open_still:
            task.cancel()


def test_a_pooler_in_between_is_told(own_server: PostgresServer) -> None:
    async def scenario() -> None:
        async with pooler(own_server.port) as port:
            reader = PostgresqlReader(settings_of(own_server, "postgres", port))
            visit = await reader.visit(Level.FAST)
            assert [one.what for one in visit.unsupported] == ["direct_connection"]
            # And it is asked without names, which a pooler would not know at its next server.
            assert reader._session is not None
            named = await reader._session.once("SELECT count(*) AS n FROM pg_prepared_statements WHERE name <> ''")
            assert named[0]["n"] == 0
            assert (await reader.visit(Level.FAST)).server == visit.server
            await reader.aclose()

    asyncio.run(scenario())


def test_errors_are_those_of_connectors(own_server: PostgresServer) -> None:
    async def scenario() -> None:
        reader = PostgresqlReader(replace(settings_of(own_server, "postgres"), database="nowhere"))
        with pytest.raises(ConnectorError, match="nowhere"):
            await reader.index_advice()
        await reader.aclose()

    asyncio.run(scenario())
