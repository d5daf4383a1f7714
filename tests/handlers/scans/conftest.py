"""A PostgreSQL server to be scanned."""

from collections.abc import Iterator

import pytest
from postgres_server import PostgresServer, running_postgres


@pytest.fixture(scope="session")
def _server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def source_server(_server: PostgresServer) -> PostgresServer:
    """With an empty database of the test's own."""
    _server.refresh()
    return _server
