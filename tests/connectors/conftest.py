"""Sources of every kind, with the same table in each."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
from mariadb_server import MariadbServer, running_mariadb
from postgres_server import PostgresServer, running_postgres
from sources import LIMITS, SECRET, TABLE, Source, duckdb_source, files_source, quoted, sqlite_source, statements

from connectors.datasets import DatasetRef, Kind
from connectors.settings import SourceSettings

_roles = itertools.count(1)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    with running_mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    """A server that asks everybody but `postgres` for a password."""
    with running_postgres() as server:
        [rules] = server.execute("SHOW hba_file")
        own = "host all postgres 127.0.0.1/32 trust"
        Path(rules).write_text(f"{own}\nhost all all 127.0.0.1/32 scram-sha-256\n", encoding="utf-8")
        server.execute("SELECT pg_reload_conf()")
        yield server


@pytest.fixture
def postgresql_source(postgresql: PostgresServer) -> Source:
    """Read by an account that may only read, and that signs in with a password."""
    role = f"reader_{next(_roles)}"
    postgresql.refresh()
    url = postgresql.url

    def write(*sql: str) -> list[Any]:
        return asyncio.run(executed(url, *sql))

    write(
        *statements(Kind.POSTGRESQL),
        f"CREATE ROLE {role} LOGIN PASSWORD '{SECRET}'",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
    )
    settings = SourceSettings(
        host="127.0.0.1",
        port=postgresql.port,
        database=postgresql.database,
        user=role,
        password=SECRET,
        limits=LIMITS,
    )
    slow = "SELECT pg_sleep(60)"
    return Source(Kind.POSTGRESQL, settings, DatasetRef("public", TABLE), write, slow, quoted(TABLE))


@pytest.fixture
def mysql_source(mariadb: MariadbServer) -> Source:
    name = mariadb.new_database(*statements(Kind.MYSQL))
    role = f"reader_{next(_roles)}"
    mariadb.execute(f"CREATE USER {role}@'%' IDENTIFIED BY '{SECRET}'", f"GRANT SELECT ON {name}.* TO {role}@'%'")
    settings = SourceSettings(
        host="127.0.0.1", port=mariadb.port, database=name, user=role, password=SECRET, limits=LIMITS
    )

    def write(sql: str) -> list[Any]:
        return mariadb.execute(sql, database=name)

    return Source(Kind.MYSQL, settings, DatasetRef(name, TABLE), write, "SELECT sleep(60)", quoted(TABLE, "`"))


@pytest.fixture(params=[kind for kind in Kind if kind is not Kind.METRICS])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    """The test runs once for each kind that has datasets."""
    match Kind(request.param):
        case Kind.SQLITE:
            return sqlite_source(tmp_path)
        case Kind.DUCKDB:
            return duckdb_source(tmp_path)
        case Kind.FILES:
            return files_source(tmp_path)
        case kind:
            made: Source = request.getfixturevalue(f"{kind}_source")
            return made


async def executed(url: str, *sql: str) -> list[Any]:
    """What the last statement answers."""
    rows: list[Any] = []
    connection = await asyncpg.connect(url)
    try:
        for statement in sql:
            rows = await connection.fetch(statement)
        return rows
    finally:
        await connection.close()
