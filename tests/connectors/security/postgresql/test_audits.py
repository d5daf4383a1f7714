"""What an audit of PostgreSQL does to the server, how long it takes, and what its remedies do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

import asyncpg  # type: ignore[import-untyped]
import psutil  # type: ignore[import-untyped]
import pytest
from audited_postgres import BAD_OBJECTS, CHECKSUMS, run_script, settings_of
from postgres_server import PostgresServer, running_postgres

from connectors.errors import NotReadOnly, SourceLost, Unreachable
from connectors.security.auditing import audit
from connectors.security.catalogue import catalogue, grant_script, open_audit
from connectors.security.check import Check, CheckResult, Outcome
from connectors.settings import SourceLimits

CHECKS = {check.id: check for check in catalogue("postgresql")}
# The whole must stay under 5 s; so much is left to slower machines.
MOST_CPU_SECONDS = 3.0
TABLES = 1000


async def audited(
    server: PostgresServer, login: str, database: str = "postgres", checks: Sequence[Check] = tuple(CHECKS.values())
) -> dict[str, CheckResult]:
    async with open_audit("postgresql", settings_of(server, login, database)) as session:
        return {result.check.id: result for result in await audit(session, checks)}


def written(server: PostgresServer) -> list[object]:
    """Rows written in all databases and by the server itself, and every relation with its files."""
    counters = "sum(tup_inserted), sum(tup_updated), sum(tup_deleted)"
    return server.execute(
        f"SELECT ARRAY[{counters}]::text FROM pg_stat_database UNION ALL"
        " SELECT ARRAY[n_tup_ins, n_tup_upd, n_tup_del]::text FROM pg_stat_all_tables"
        " WHERE n_tup_ins + n_tup_upd + n_tup_del > 0"
    )


def test_nothing_is_written(hardened: PostgresServer) -> None:
    before = written(hardened)
    results = asyncio.run(audited(hardened, "postgres"))
    assert len(results) == len(CHECKS)
    assert written(hardened) == before


def test_a_standby_that_can_write_nothing_is_audited_as_its_primary() -> None:
    with running_postgres(init=CHECKSUMS) as primary, running_postgres(primary=primary) as standby:
        of_primary, of_standby = (asyncio.run(audited(server, "postgres")) for server in (primary, standby))
    # What they archive and whom they send changes to is each one's own.
    own = {"PG-DATA-003", "PG-DATA-006"}
    assert {one: result.outcome for one, result in of_standby.items() if one not in own} == {
        one: result.outcome for one, result in of_primary.items() if one not in own
    }
    assert {result.outcome for result in of_standby.values()} == {Outcome.PASS, Outcome.FAIL}


def test_the_session_cannot_write(hardened: PostgresServer) -> None:
    async def go() -> None:
        async with open_audit("postgresql", settings_of(hardened, "postgres")) as session:
            await session.rows("CREATE TABLE public.left_behind (id int)")

    with pytest.raises(NotReadOnly):
        asyncio.run(go())


def test_a_server_that_is_lost_ends_the_audit(hardened: PostgresServer) -> None:
    """It would be no verdict to call the rest of the checks unseen."""
    told = []

    async def cut(result: CheckResult) -> None:
        told.append(result)
        if len(told) == 3:
            sessions = "FROM pg_stat_activity WHERE usename = 'monitor'"
            await hardened.execute_soon(f"SELECT pg_terminate_backend(pid) {sessions}")
            async with asyncio.timeout(10):
                # Until it is gone, so that the driver notices before the next statement.
                while await hardened.execute_soon(f"SELECT pid {sessions}"):
                    pass

    async def go() -> None:
        async with open_audit("postgresql", settings_of(hardened, "monitor")) as session:
            await audit(session, tuple(CHECKS.values()), on_progress=cut)

    with pytest.raises(Unreachable):
        asyncio.run(go())
    assert [result.check.id for result in told] == list(CHECKS)[:3]


def test_a_server_that_hangs_ends_the_audit(hardened: PostgresServer) -> None:
    told = []

    async def freeze(result: CheckResult) -> None:
        told.append(result)
        if len(told) == 3:
            hardened.freeze()

    async def go() -> None:
        settings = replace(settings_of(hardened, "monitor"), limits=SourceLimits(statement_seconds=0.5))
        async with open_audit("postgresql", settings) as session:
            await audit(session, tuple(CHECKS.values()), on_progress=freeze)

    try:
        with pytest.raises(SourceLost, match="did not answer within 1 s"):
            asyncio.run(go())
    finally:
        hardened.thaw()
    assert len(told) == 3


def test_a_thousand_tables(hardened: PostgresServer) -> None:
    async def go() -> tuple[float, dict[str, CheckResult]]:
        async with open_audit("postgresql", settings_of(hardened, "postgres", "large")) as session:
            [row] = await session.rows("SELECT pg_backend_pid() AS pid")
            backend = psutil.Process(row["pid"])
            before = backend.cpu_times()
            began = time.process_time()
            results = await audit(session, tuple(CHECKS.values()))
            after = backend.cpu_times()
            seconds = time.process_time() - began + after.user - before.user + after.system - before.system
            return seconds, {result.check.id: result for result in results}

    hardened.execute("CREATE DATABASE large")
    make = f"""
        DO $$ BEGIN FOR i IN 1..{TABLES} LOOP
          EXECUTE format('CREATE TABLE public.t%s (id int, token text, a int, b int, c int, d int)', i);
          EXECUTE format('GRANT SELECT ON public.t%s TO PUBLIC', i);
        END LOOP; END $$
    """
    run_script(hardened, make, "large")
    try:
        seconds, results = asyncio.run(go())
    finally:
        hardened.execute("DROP DATABASE large WITH (FORCE)")
    print(f"{len(results)} checks of {TABLES} tables: {seconds:.2f} s of CPU")
    assert len(results["PG-PRIV-003"].violations) == TABLES
    assert len(results["PG-DATA-004"].violations) == TABLES
    assert {one.object.database for one in results["PG-DATA-004"].violations} == {"large"}
    assert seconds < MOST_CPU_SECONDS


def test_without_checksums() -> None:
    """And what a provider manages is not asked of its customer."""
    with running_postgres(init=("--no-data-checksums",)) as server:
        results = asyncio.run(audited(server, "postgres"))
        assert results["PG-DATA-001"].outcome is Outcome.FAIL
        assert results["PG-DATA-002"].outcome is Outcome.NOT_EVALUATED
        assert results["PG-AUTH-003"].outcome is Outcome.FAIL
        # Anybody who may make roles could make this one, and no check looks away for it.
        server.execute("CREATE ROLE rds_superuser LOGIN SUPERUSER")
        named = asyncio.run(audited(server, "rds_superuser"))
        assert named["PG-AUTH-003"].outcome is Outcome.FAIL
        assert [one.object.name for one in named["PG-ROLE-001"].violations] == ["rds_superuser"]
        asyncio.run(rename_the_first(server, "rdsadmin"))
        managed = asyncio.run(audited(server, "rds_superuser"))
        assert managed["PG-AUTH-003"].outcome is Outcome.NOT_APPLICABLE
        assert "rds" in (managed["PG-AUTH-003"].reason or "")
        assert managed["PG-ROLE-001"].outcome is Outcome.PASS


async def rename_the_first(server: PostgresServer, name: str) -> None:
    connection = await asyncpg.connect(server.url, user="rds_superuser")
    try:
        await connection.execute(f"ALTER ROLE postgres RENAME TO {name}")
    finally:
        await connection.close()


REMEDIES = [
    *("PG-ROLE-001", "PG-ROLE-002", "PG-ROLE-003", "PG-ROLE-004", "PG-ROLE-005", "PG-ROLE-006", "PG-ROLE-007"),
    *("PG-ROLE-008", "PG-ROLE-012", "PG-ROLE-015", "PG-PRIV-001", "PG-PRIV-002", "PG-PRIV-003", "PG-PRIV-005"),
    *(
        "PG-PRIV-006",
        "PG-PRIV-007",
        "PG-PRIV-008",
        "PG-PRIV-011",
        "PG-RLS-001",
        "PG-RLS-004",
        "PG-RLS-005",
        "PG-SURF-007",
    ),
    *("PG-SURF-010", "PG-SURF-012", "PG-SURF-005", "PG-SURF-006", "PG-SURF-013"),
]


def test_remedies_remedy() -> None:
    """The SQL that is suggested, as it is, puts right what was found: names that need quotes too."""
    with running_postgres(("wal_level=logical",)) as server:
        run_script(server, BAD_OBJECTS)
        server.execute('CREATE DATABASE "Pattern 1" IS_TEMPLATE true')
        checks = tuple(CHECKS[check_id] for check_id in REMEDIES)
        before = asyncio.run(audited(server, "postgres", checks=checks))
        assert [one for one in REMEDIES if before[one].outcome is not Outcome.FAIL] == []
        # What is put right may uncover something: policies in force at last that do not count for the owner.
        for results in (before, None):
            for result in (results or asyncio.run(audited(server, "postgres", checks=checks))).values():
                for violation in result.violations:
                    sql = result.check.remediation(violation).sql
                    assert sql is not None
                    run_script(server, sql)
        after = asyncio.run(audited(server, "postgres", checks=checks))
        assert [one for one in REMEDIES if after[one].outcome is not Outcome.PASS] == []


def test_the_grants_let_nobody_read_tables(hardened: PostgresServer) -> None:
    script = grant_script("postgresql", 'odd "name"')
    assert 'TO "odd ""name""";' in script
    [reads] = hardened.execute("SELECT has_table_privilege('granted', 'shop.customers', 'SELECT')")
    assert reads is False
