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

from storage import users
from storage.database import Database
from storage.errors import SchemaTooNew
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
    """What autogenerate would change, but for the search index, which only the databases know."""

    def include(_: object, name: str | None, kind: str, reflected: bool, __: object) -> bool:
        return not (reflected and kind in ("table", "index") and "document_words" in str(name))

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
    command = [sys.executable, "-c", MIGRATE, empty_url]
    processes = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    results = [(process.communicate()[1], process.returncode) for process in processes]
    assert results == [("", 0)] * 3

    async def body(database: Database) -> None:
        async with database.read() as connection:
            assert await connection.run_sync(differences) == []

    with_database(empty_url, body)


def test_a_newer_schema_is_left_alone(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(SchemaTooNew, match="newer version"):
            await database.migrate()

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
