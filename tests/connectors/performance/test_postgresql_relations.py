"""Tables and indexes: the large and the busy ones by themselves, the others together, none of them waited for."""

from __future__ import annotations

import asyncio

from followed_source import looked_at, until
from postgres_server import PostgresServer

from connectors.performance.figures import Level


def test_tables_beyond_the_largest_are_told_together(counted: PostgresServer) -> None:
    """And one that comes to them or leaves them is no activity of theirs."""

    async def scenario() -> None:
        async with looked_at(counted) as (source, connection):
            for number in range(60):
                await connection.execute(f"CREATE TABLE t{number} AS SELECT generate_series(1, {number + 1}) AS n")
            await until(connection, "SELECT sum(n_tup_ins) = 1830 FROM pg_stat_user_tables")
            await source.visit(Level.SLOW)
            shown = {dict(labels)["table"] for metric, labels in source.samples if metric == "postgresql.table.size"}
            assert "t59" in shown
            assert "t30" not in shown
            assert source.newest("postgresql.table.other.count") == 60 - len(shown)
            written = source.newest("postgresql.table.other.rows.written")
            assert written == 1830 - sum(
                source.newest("postgresql.table.rows.inserted", schema="public", table=table) for table in shown
            )
            # What becomes large leaves the others.
            await connection.execute("INSERT INTO t30 SELECT generate_series(1, 100000)")
            await connection.execute("ANALYZE t30")
            await until(connection, "SELECT n_tup_ins > 99999 FROM pg_stat_user_tables WHERE relname = 't30'")
            await source.visit(Level.SLOW)
            assert source.newest("postgresql.table.size", schema="public", table="t30") > 1_000_000
            assert source.increases("postgresql.table.other.rows.written") == []
            # Those that many others outdo come to them, with all they ever did.
            before = source.newest("postgresql.table.other.rows.written")
            for number in range(40):
                await connection.execute(f"CREATE TABLE busy{number} AS SELECT generate_series(1, 100) AS n")
            await until(connection, "SELECT count(*) = 40 FROM pg_stat_user_tables WHERE n_tup_ins = 100")
            await source.visit(Level.SLOW)
            assert source.newest("postgresql.table.other.rows.written") > before
            assert source.increases("postgresql.table.other.rows.written") == []

    asyncio.run(scenario())


def test_a_table_that_is_locked_is_not_waited_for(loaded: PostgresServer) -> None:
    async def scenario() -> None:
        async with looked_at(loaded) as (source, connection):
            await connection.execute("BEGIN; LOCK pgbench_accounts IN ACCESS EXCLUSIVE MODE")
            visit = await source.visit(Level.SLOW)
            assert list(visit.unsupported) == []
            keys = source.samples.keys()
            locked = (("schema", "public"), ("table", "pgbench_accounts"))
            assert ("postgresql.table.rows.live", locked) in keys
            assert ("postgresql.table.size", locked) not in keys

    asyncio.run(scenario())
