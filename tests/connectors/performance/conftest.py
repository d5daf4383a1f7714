"""A PostgreSQL server that counts statements, and accounts that look at it."""

from __future__ import annotations

from collections.abc import Iterator

import pgbench
import pytest
from postgres_server import PostgresServer, running_postgres

SETTINGS = ("shared_preload_libraries=pg_stat_statements", "track_io_timing=on", "autovacuum=off")


@pytest.fixture(scope="session")
def counting_server() -> Iterator[PostgresServer]:
    with running_postgres(SETTINGS) as server:
        server.execute(
            "CREATE ROLE monitor LOGIN",
            "GRANT pg_monitor TO monitor",
            "GRANT pg_read_all_data TO monitor",
            "CREATE ROLE plain LOGIN",
        )
        yield server


@pytest.fixture
def counted(counting_server: PostgresServer) -> PostgresServer:
    """An empty database of its own, with the extension."""
    counting_server.refresh()
    counting_server.execute("CREATE EXTENSION pg_stat_statements")
    return counting_server


@pytest.fixture
def loaded(counted: PostgresServer) -> PostgresServer:
    """With the tables of pgbench."""
    pgbench.initialise(counted)
    return counted
