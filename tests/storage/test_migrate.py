"""Migrations: run as often and by as many as one likes, they leave the schema that tables.py describes."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

import storage.access_policy_tables
import storage.advisory_tables
import storage.alert_tables
import storage.analytics_tables
import storage.backup_tables
import storage.catalog_tables
import storage.data_policy_tables
import storage.detection_tables
import storage.event_export_tables
import storage.finding_tables
import storage.governance_tables
import storage.integration_tables
import storage.metric_tables
import storage.openid_tables
import storage.run_tables
import storage.scan_tables
import storage.security_tables
import storage.session_tables
import storage.workflow_run_tables
import storage.workflow_tables  # noqa: F401 - the tables of all are in the metadata
from storage import users
from storage.database import Database
from storage.errors import SchemaTooNew, Unavailable
from storage.migrate import migrate
from storage.tables import metadata
from tests.storage.opened import NOW, with_database

ROOT = Path(__file__).parents[2]

MIGRATE = """
import asyncio, sys
from storage.database import Database
async def main():
    database = await Database.open(sys.argv[1])
    await database.migrate()
    await database.close()
asyncio.run(main())
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/studio.sqlite3"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


def differences(connection: Connection) -> list[Any]:
    """What autogenerate would change, but for the tables that only one of the databases has."""

    def include(_: object, name: str | None, kind: str, reflected: bool, __: object) -> bool:
        own = any(table in str(name) for table in ("document_words", "catalog_words", "append_batches"))
        return not (reflected and kind in ("table", "index") and own)

    options = {"include_object": include, "compare_type": True, "compare_server_default": True}
    found: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    return found


def test_the_schema_is_the_one_described(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.read() as connection:
            assert await connection.run_sync(differences) == []

    with_database(database_url, body)


def test_a_second_time_changes_nothing(empty_url: str) -> None:
    async def body(database: Database) -> None:
        await database.migrate()
        async with database.write() as connection:
            await users.ensure(connection, "ann", at=NOW)
        await database.migrate()
        async with database.read() as connection:
            assert await users.count(connection) == 1

    with_database(empty_url, body)


def test_nodes_of_one_process_start_at_once(empty_url: str) -> None:
    async def start() -> None:
        database = await Database.open(empty_url, busy_timeout=30.0)
        await database.migrate()
        async with database.write() as connection:
            await users.ensure(connection, "admin", at=NOW)
        await database.close()

    async def run() -> None:
        await asyncio.gather(*[start() for _ in range(4)])

    asyncio.run(run())

    async def count(database: Database) -> int:
        async with database.read() as connection:
            return await users.count(connection)

    assert with_database(empty_url, count) == 1


def test_processes_start_at_once(empty_url: str) -> None:
    # Several on one file only happen by mistake.
    count = 2 if empty_url.startswith("sqlite") else 6
    command = [sys.executable, "-c", MIGRATE, empty_url]
    processes = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(count)]
    results = [(process.communicate()[1], process.returncode) for process in processes]
    assert results == [("", 0)] * count

    async def body(database: Database) -> None:
        async with database.read() as connection:
            assert await connection.run_sync(differences) == []

    with_database(empty_url, body)


def test_a_node_waits_for_the_one_that_migrates_and_then_finds_nothing_to_do(
    empty_postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "storage.migrate")

    async def body(database: Database) -> None:
        async with database.write() as connection:
            await migrate(connection, 1.0)
            second = asyncio.ensure_future(database.migrate())
            while not await connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                assert not second.done()
        await second
        assert "another node is migrating the database; waiting for it" in caplog.text
        async with database.read() as connection:
            assert await connection.run_sync(differences) == []

    with_database(empty_postgres_url, body)


def test_a_node_does_not_wait_for_ever(empty_postgres_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            await migrate(connection, 1.0)
            with pytest.raises(Unavailable, match=r"another node .* for more than 0\.05 s"):
                await database.migrate(patience=0.05)
        await database.migrate(patience=0.05)

    with_database(empty_postgres_url, body)


def test_a_migration_may_take_longer_than_any_other_statement(empty_postgres_url: str) -> None:
    """The limits of a node's connections would end it half-way through an index, again and again."""

    async def body(database: Database) -> None:
        await database.migrate()
        async with database.write() as connection:
            await connection.execute(text("LOCK TABLE alembic_version"))
            migrating = asyncio.ensure_future(database.migrate())
            # Longer than server and driver allow.
            await asyncio.wait((migrating,), timeout=0.5)
            assert not migrating.done()
        await migrating

    with_database(empty_postgres_url + "&command_timeout=0.2", body)


def test_a_newer_schema_is_left_alone(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(SchemaTooNew, match="newer version of the program; this one knows schema"):
            await database.migrate()
        async with database.read() as connection:
            assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"

    with_database(database_url, body)


def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            # Something of that name is in the way of the last statements.
            await connection.execute(text("CREATE TABLE document_words (x integer)"))
        with pytest.raises(Exception, match="already exists"):
            await database.migrate()
        async with database.write() as connection:
            await connection.execute(text("DROP TABLE document_words"))
        await database.migrate()

    with_database(empty_url, body)
