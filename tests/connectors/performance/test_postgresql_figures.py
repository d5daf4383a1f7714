"""What is read of a PostgreSQL server agrees with what others count, and costs next to nothing."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pgbench
import pytest
from followed_source import looked_at, until
from postgres_server import PostgresServer

from connectors.performance.figures import COUNTER, Level, StatementSnapshot, Unsupported
from connectors.performance.postgresql.visits import SECTIONS

WITHIN = 0.02
LOAD_SECONDS = 4


async def told_of_all_accounts(connection: asyncpg.Connection) -> None:
    """The session that filled the tables tells what it did a moment after it is gone."""
    accounts = await connection.fetchval("SELECT count(*) FROM pgbench_accounts")
    told = "SELECT tup_inserted FROM pg_stat_database WHERE datname = current_database()"
    deadline = time.monotonic() + 10
    while await connection.fetchval(told) < accounts:
        assert time.monotonic() < deadline, "the load is not counted"
        await asyncio.sleep(0.05)


def test_figures_agree_with_pgbench_and_with_sql(loaded: PostgresServer) -> None:
    async def scenario() -> None:
        async with looked_at(loaded) as (source, connection):
            counts = "SELECT clock_timestamp() AS at, * FROM pg_stat_database WHERE datname = current_database()"
            await told_of_all_accounts(connection)
            before = await connection.fetchrow(counts)
            await source.visit()
            load = asyncio.create_task(asyncio.to_thread(pgbench.run, loaded, seconds=LOAD_SECONDS))
            while not load.done():
                await asyncio.wait([load], timeout=1.0)
                await source.visit()
            report = await load
            # Sessions tell what they counted when they end, after pgbench is told goodbye.
            deadline = time.monotonic() + 10
            database = loaded.database
            while sum(n for _, n in source.increases("postgresql.commits", database=database)) < report.transactions:
                assert time.monotonic() < deadline, (source.samples, report)
                await asyncio.sleep(0.1)
                await source.visit()
            after = await connection.fetchrow(counts)

            steps = source.increases("postgresql.commits", database=database)
            commits = sum(increase for _, increase in steps)
            assert len(steps) >= LOAD_SECONDS
            assert commits == pytest.approx(report.transactions, rel=WITHIN)
            assert commits / report.seconds == pytest.approx(report.a_second, rel=WITHIN)
            by_sql = (after["xact_commit"] - before["xact_commit"]) / (after["at"] - before["at"]).total_seconds()
            assert commits / sum(seconds for seconds, _ in steps) == pytest.approx(by_sql, rel=WITHIN)
            for metric, column in (("rows.updated", "tup_updated"), ("rows.inserted", "tup_inserted")):
                increases = source.increases(f"postgresql.{metric}", database=database)
                assert sum(n for _, n in increases) == pytest.approx(after[column] - before[column], rel=WITHIN)

    asyncio.run(scenario())


def test_statements_agree_with_pgbench_and_with_sql(loaded: PostgresServer) -> None:
    async def scenario() -> None:
        async with looked_at(loaded) as (source, connection):
            report = await asyncio.to_thread(pgbench.run, loaded, seconds=2)
            snapshot = await source.reader.statements()
            assert isinstance(snapshot, StatementSnapshot)
            texts = await source.reader.statement_texts(snapshot.keys)
            calls, seconds = (snapshot.names.index(name) for name in ("calls", "seconds"))
            [row] = [
                row
                for row, key in enumerate(snapshot.keys)
                if texts[key].text.startswith("UPDATE pgbench_accounts") and snapshot.databases[row] == loaded.database
            ]
            # The server may have ended what pgbench no longer waited for, once for each client.
            assert abs(snapshot.counters[row, calls] - report.transactions) <= 2
            by_sql = await connection.fetchrow(
                "SELECT sum(calls) AS calls, sum(total_exec_time) / 1000 AS seconds FROM pg_stat_statements"
                " WHERE query LIKE 'UPDATE pgbench_accounts%' AND dbid ="
                " (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            assert snapshot.counters[row, calls] == float(by_sql["calls"])
            assert snapshot.counters[row, seconds] == pytest.approx(by_sql["seconds"], rel=1e-6)
            assert snapshot.users[row] == "postgres"
            assert snapshot.evicted == 0

    asyncio.run(scenario())


def test_a_visit_costs_next_to_nothing(loaded: PostgresServer) -> None:
    """Our side: CPU time of this process. The server's: as it counts its own time for our statements."""

    async def scenario() -> None:
        async with looked_at(loaded) as (source, connection):
            for level in Level:
                await source.visit(level)
            await connection.execute("SELECT pg_stat_statements_reset()")
            await connection.execute("ALTER ROLE monitor SET pg_stat_statements.track_planning = on")
            await source.reader.aclose()
            await source.visit()
            await source.reader.blocking()
            await connection.execute("ALTER ROLE monitor RESET pg_stat_statements.track_planning")
            visits, used = 50, time.process_time()
            for _ in range(visits):
                await source.reader.visit(Level.FAST)
            used = time.process_time() - used
            assert used / visits < 0.002
            used = time.process_time()
            for _ in range(visits):
                await source.reader.blocking()
            used = time.process_time() - used
            assert used / visits < 0.001
            rows = await connection.fetch(
                "SELECT mean_exec_time AS ms FROM pg_stat_statements WHERE userid = 'monitor'::regrole"
            )
            # A hundredth of the core at an interval of 10 s would be 100 ms.
            assert len(rows) >= 2
            assert all(row["ms"] < 10 for row in rows), rows
            # Planned once for all: that is most of what a visit would cost there.
            planned = await connection.fetchval(
                "SELECT max(plans) FROM pg_stat_statements WHERE userid = 'monitor'::regrole"
            )
            assert planned <= 1

    asyncio.run(scenario())


def test_sessions_are_counted_by_what_they_do(counted: PostgresServer) -> None:
    async def scenario() -> None:
        async with looked_at(counted) as (source, connection):
            await source.visit()
            idle = source.newest("postgresql.sessions", state="idle")
            others = [await asyncpg.connect(counted.url) for _ in range(2)]
            try:
                await others[0].execute("BEGIN; SELECT txid_current()")
                sleeping = asyncio.create_task(others[1].execute("SELECT pg_sleep(30)"))
                await until(connection, "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
                await source.visit()
                assert source.newest("postgresql.sessions", state="idle in transaction") == 1
                assert source.newest("postgresql.sessions", state="active") == 1
                assert source.newest("postgresql.sessions", state="idle") == idle
                assert source.newest("postgresql.sessions.waiting", wait="Timeout") == 1
                assert source.newest("postgresql.sessions.events", wait="Timeout", event="PgSleep") == 1
                assert 0 < source.newest("postgresql.transactions.oldest") < 30
                await connection.execute("SELECT pg_cancel_backend($1::int)", others[1].get_server_pid())
                with pytest.raises(asyncpg.QueryCanceledError):
                    await sleeping
                await source.visit()
                # What was there once is none now, rather than unknown.
                assert source.newest("postgresql.sessions.events", wait="Timeout", event="PgSleep") == 0
            finally:
                for other in others:
                    await other.close()

    asyncio.run(scenario())


def test_every_level_brings_figures_of_its_own(loaded: PostgresServer) -> None:
    async def scenario() -> None:
        async with looked_at(loaded) as (source, _):
            visits = {level: await source.visit(level) for level in Level}
            assert [list(visit.unsupported) for visit in visits.values()] == [[], [], []]
            figures = [figure for visit in visits.values() for group in visit.groups for figure in group.figures]
            assert len({figure[:2] for figure in figures}) == len(figures)
            assert all(figure.labels == tuple(sorted(figure.labels)) for figure in figures)
            names = [group.name for visit in visits.values() for group in visit.groups]
            assert len(set(names)) == len(names)
            metrics = {figure.metric for figure in figures}
            for metric in ("wal.bytes", "checkpoints.timed", "io.reads", "archiver.failed", "database.size"):
                assert f"postgresql.{metric}" in metrics
            accounts = {"schema": "public", "table": "pgbench_accounts"}
            assert source.newest("postgresql.table.size", **accounts) > 10_000_000
            assert source.newest("postgresql.table.rows.live", **accounts) == 100_000

    asyncio.run(scenario())


def test_a_metric_has_one_kind_and_one_unit() -> None:
    kinds: dict[str, set[tuple[str, str]]] = {}
    for section in SECTIONS:
        for measure in section.measures:
            kinds.setdefault(measure.metric, set()).add((measure.kind, measure.unit))
    assert {metric for metric, found in kinds.items() if len(found) > 1} == set()


def test_every_metric_is_in_the_documentation() -> None:
    described = (Path(__file__).parents[3] / "docs" / "performance.md").read_text(encoding="utf-8")
    metrics = {measure.metric.removeprefix("postgresql.") for section in SECTIONS for measure in section.measures}
    lags = {f"replication.{kind}.lag.bytes" for kind in ("write", "flush", "replay")}
    assert {metric for metric in metrics - lags if f"`{metric}`" not in described} == set()


def test_an_account_without_rights_is_told_what_it_lacks(loaded: PostgresServer) -> None:
    async def scenario() -> None:
        async with looked_at(loaded, "plain") as (source, _):
            visit = await source.visit()
            missing = {one.what: one for one in visit.unsupported}
            assert set(missing) == {"sessions.states", "sessions.events", "replication"}
            assert missing["sessions.states"].remedy == 'GRANT pg_monitor TO "plain";'
            metrics = {metric for metric, _ in source.samples}
            assert "postgresql.commits" in metrics
            # Nobody at work, nobody waiting: that would be a lie.
            assert "postgresql.sessions" not in metrics
            statements = await source.reader.statements()
            assert isinstance(statements, Unsupported)
            assert "plain" in statements.reason

    asyncio.run(scenario())


def test_statements_that_are_not_counted_are_unsupported(counting_server: PostgresServer) -> None:
    counting_server.refresh()

    async def scenario() -> None:
        async with looked_at(counting_server) as (source, connection):
            missing = await source.reader.statements()
            assert isinstance(missing, Unsupported)
            assert missing.remedy is not None
            assert "CREATE EXTENSION" in missing.remedy
            await connection.execute('CREATE SCHEMA "odd name"; CREATE EXTENSION pg_stat_statements SCHEMA "odd name"')
            assert isinstance(await source.reader.statements(), StatementSnapshot)

    asyncio.run(scenario())


def test_counters_are_told_as_counters(loaded: PostgresServer) -> None:
    async def scenario() -> None:
        async with looked_at(loaded) as (source, _):
            for level in Level:
                visit = await source.visit(level)
                for group in visit.groups:
                    for figure in group.figures:
                        assert figure.value >= 0, figure
                        assert not (figure.kind == COUNTER and figure.unit == "1"), figure

    asyncio.run(scenario())
