"""Whatever happens to a PostgreSQL server or to its statistics: no rate is taken over it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pgbench
import pytest
from balancer import Balancer
from followed_source import FollowedSource, settings_of
from postgres_server import PostgresServer, running_postgres

from connectors.errors import ConnectorError
from connectors.performance.figures import Level, StatementSnapshot
from connectors.performance.postgresql.reader import PostgresqlReader

LEVELS = (Level.FAST, Level.MEDIUM, Level.SLOW)


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """One that may be killed."""
    with running_postgres(("shared_preload_libraries=pg_stat_statements", "autovacuum=off")) as server:
        server.execute("CREATE EXTENSION pg_stat_statements", "CREATE ROLE plain LOGIN")
        pgbench.initialise(server)
        yield server


async def after(
    server: PostgresServer, event: Callable[[], Awaitable[None]], user: str = "postgres"
) -> tuple[FollowedSource, int]:
    """The source, visited before the event, and again when the server was busier since than ever before; and when."""
    source = FollowedSource(PostgresqlReader(settings_of(server, user)))
    try:
        for level in LEVELS:
            await source.visit(level)
        commits = source.newest("postgresql.commits", database="postgres")
        at_ms = round(time.time() * 1000)
        await event()
        await busier(server, commits)
        await answered(source)
        for level in (Level.MEDIUM, Level.SLOW):
            await source.visit(level)
        assert source.newest("postgresql.commits", database="postgres") > commits
    finally:
        await source.reader.aclose()
    return source, at_ms


async def busier(server: PostgresServer, commits: float) -> None:
    """Its counters go beyond what they were, if they began anew."""
    connection = await asyncpg.connect(server.url)
    try:
        for _ in range(int(commits) + 200):
            await connection.execute("UPDATE pgbench_branches SET bbalance = bbalance + 1")
    finally:
        await connection.close()
    counted = "SELECT xact_commit > $1 FROM pg_stat_database WHERE datname = 'postgres'"
    connection = await asyncpg.connect(server.url)
    try:
        deadline = time.monotonic() + 20
        while not await connection.fetchval(counted, int(commits)):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
    finally:
        await connection.close()


async def answered(source: FollowedSource) -> None:
    """A connection that broke is told once; the next question opens another."""
    try:
        await source.visit()
    except ConnectorError:
        await source.visit()


def test_a_restart(own_server: PostgresServer) -> None:
    async def restart() -> None:
        await asyncio.to_thread(own_server.stop)
        await asyncio.to_thread(own_server.start)

    source, at_ms = asyncio.run(after(own_server, restart))
    assert source.rated_across(at_ms) == set()


def test_a_power_failure(own_server: PostgresServer) -> None:
    async def fail() -> None:
        await asyncio.to_thread(own_server.kill)
        await asyncio.to_thread(own_server.start)

    source, at_ms = asyncio.run(after(own_server, fail))
    assert source.rated_across(at_ms) == set()


@pytest.mark.parametrize("user", ["postgres", "plain"])
def test_a_process_of_the_server_that_is_killed(own_server: PostgresServer, user: str) -> None:
    """The server goes on without a restart, and begins its statistics anew without a word."""

    async def kill() -> None:
        victim = await asyncpg.connect(own_server.url)
        os.kill(await victim.fetchval("SELECT pg_backend_pid()"), signal.SIGKILL)
        deadline = time.monotonic() + 20
        while True:
            try:
                await own_server.execute_soon("SELECT 1")
            except (asyncpg.PostgresError, OSError):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
            else:
                break
        victim.terminate()

    source, at_ms = asyncio.run(after(own_server, kill, user))
    assert source.rated_across(at_ms) == set()


@pytest.mark.parametrize(
    ("reset", "anew", "goes_on"),
    [
        ("SELECT pg_stat_reset()", {"commits", "blocks.hit", "rows.updated", "table.scans"}, {"wal.bytes"}),
        ("SELECT pg_stat_reset_single_table_counters('pgbench_tellers'::regclass)", {"table.scans"}, {"wal.bytes"}),
        ("SELECT pg_stat_reset_shared('wal')", {"wal.bytes", "wal.records"}, {"commits", "table.scans"}),
        ("SELECT pg_stat_reset_shared('io')", {"io.hits"}, {"commits", "wal.bytes"}),
        ("SELECT pg_stat_reset_shared('checkpointer')", {"checkpoints.timed"}, {"commits"}),
    ],
)
def test_statistics_that_are_reset(own_server: PostgresServer, reset: str, anew: set[str], goes_on: set[str]) -> None:
    async def statistics() -> None:
        await own_server.execute_soon(reset)

    source, at_ms = asyncio.run(after(own_server, statistics))
    rated, marked = (
        {metric.removeprefix("postgresql.") for metric in metrics}
        for metrics in (source.rated_across(at_ms), source.marked_since(at_ms))
    )
    assert anew <= marked
    assert goes_on <= rated
    assert goes_on.isdisjoint(marked)
    # Other databases have commits as well, and those go on.
    assert bool(source.increases("postgresql.commits", database="postgres")) == ("commits" in goes_on)


def test_a_table_of_the_same_name_that_is_another_one(own_server: PostgresServer) -> None:
    async def make_anew() -> None:
        await own_server.execute_soon(
            "DROP TABLE IF EXISTS again",
            "CREATE TABLE again AS SELECT generate_series(1, 5000) AS n",
            "SELECT pg_stat_force_next_flush()",
        )

    asyncio.run(make_anew())
    source, _ = asyncio.run(after(own_server, make_anew))
    assert source.newest("postgresql.table.rows.inserted", schema="public", table="again") == 5000
    assert source.increases("postgresql.table.rows.inserted", schema="public", table="again") == []


def test_statements_that_are_reset(own_server: PostgresServer) -> None:
    async def scenario() -> None:
        reader = PostgresqlReader(settings_of(own_server, "postgres"))
        before = await reader.statements()
        await own_server.execute_soon("SELECT pg_stat_statements_reset()")
        after = await reader.statements()
        assert isinstance(before, StatementSnapshot)
        assert isinstance(after, StatementSnapshot)
        assert before.epoch != after.epoch
        assert len(after.since) < len(before.since)
        assert min(after.since) > max(before.since)
        await reader.aclose()

    asyncio.run(scenario())


def test_a_failover_to_a_replica_that_was_promoted(own_server: PostgresServer) -> None:
    """The replica counted for itself, and more than the primary."""
    with running_postgres(primary=own_server) as standby:
        asyncio.run(failed_over(own_server, standby))


async def failed_over(primary: PostgresServer, standby: PostgresServer) -> None:
    ports = [primary.port]
    balancer = Balancer(ports, random.Random(1))
    await balancer.start()
    source = FollowedSource(PostgresqlReader(settings_of(primary, "postgres", balancer.port)))
    try:
        for level in LEVELS:
            await source.visit(level)
        assert source.newest("postgresql.in_recovery") == 0
        assert any(metric == "postgresql.replication.replay.lag.bytes" for metric, _ in source.samples)
        await read_much(standby, source.newest("postgresql.commits", database="postgres"))
        at_ms = round(time.time() * 1000)
        await asyncio.to_thread(primary.kill)
        await standby.execute_soon("SELECT pg_promote()")
        ports[:] = [standby.port]
        balancer.cut(1.0)
        await answered(source)
        for level in (Level.MEDIUM, Level.SLOW):
            await source.visit(level)
        assert source.rated_across(at_ms) == set()
        assert source.newest("postgresql.in_recovery") == 0
        # From there on it goes on.
        await source.visit()
        assert len(source.increases("postgresql.commits", database="postgres")) == 1
    finally:
        await source.reader.aclose()
        await stopped(balancer)
        await asyncio.to_thread(primary.start)


async def stopped(balancer: Balancer) -> None:
    await balancer.stop()
    deadline = time.monotonic() + 10
    while len(asyncio.all_tasks()) > 1:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def read_much(server: PostgresServer, commits: float) -> None:
    connection = await asyncpg.connect(server.url)
    for _ in range(int(commits) + 200):
        await connection.execute("SELECT 1")
    await connection.close()


def test_a_standby_that_is_promoted_is_another_server(own_server: PostgresServer) -> None:
    async def scenario(standby: PostgresServer) -> None:
        source = FollowedSource(PostgresqlReader(settings_of(standby, "postgres")))
        await source.visit()
        assert source.newest("postgresql.in_recovery") == 1
        assert source.newest("postgresql.recovery.lag.bytes") >= 0
        at_ms = round(time.time() * 1000)
        await standby.execute_soon("SELECT pg_promote()")
        await source.visit()
        assert source.newest("postgresql.in_recovery") == 0
        assert source.rated_across(at_ms) == set()
        await source.reader.aclose()

    with running_postgres(primary=own_server) as standby:
        asyncio.run(scenario(standby))


def test_an_address_behind_which_two_servers_take_turns(own_server: PostgresServer) -> None:
    """Each visit meets the other one: there are values, and never a rate."""

    async def scenario(other: Any) -> None:
        ports = [own_server.port]
        balancer = Balancer(ports, random.Random(2))
        await balancer.start()
        source = FollowedSource(PostgresqlReader(settings_of(own_server, "postgres", balancer.port)))
        for turn in range(6):
            ports[:] = [(own_server, other)[turn % 2].port]
            balancer.cut(1.0)
            await answered(source)
        assert source.increases("postgresql.commits", database="postgres") == []
        await source.reader.aclose()
        await stopped(balancer)

    with running_postgres() as other:
        asyncio.run(scenario(other))
