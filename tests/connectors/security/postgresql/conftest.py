"""The servers are made once: a bad one, and one put right; of the wheel's version, and of Debian's older one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from audited_postgres import bad_postgres, hardened_postgres
from postgres_server import PostgresServer, debian_programs


@pytest.fixture(scope="session")
def bad() -> Iterator[PostgresServer]:
    with bad_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def hardened() -> Iterator[PostgresServer]:
    with hardened_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def older_bad() -> Iterator[PostgresServer]:
    with bad_postgres(debian_programs()) as server:
        yield server


@pytest.fixture(scope="session")
def older_hardened() -> Iterator[PostgresServer]:
    with hardened_postgres(debian_programs()) as server:
        yield server
