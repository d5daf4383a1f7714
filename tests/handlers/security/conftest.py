"""A PostgreSQL server to be audited."""

from collections.abc import Iterator

import pytest
from postgres_server import PostgresServer, running_postgres


@pytest.fixture(scope="session")
def _server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def audited_server(_server: PostgresServer) -> PostgresServer:
    """With a database of the test's own, in which everybody may change a table."""
    _server.refresh()
    _server.execute("CREATE TABLE open_house (id int PRIMARY KEY)", "GRANT UPDATE ON open_house TO PUBLIC")
    return _server
