"""Where the engine of durable runs keeps what it has to remember."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from storage.database import Database
from storage.durable_place import libpq_url, prepare
from storage.engines import parse_url
from tests.storage.opened import with_database


def arguments(text: str) -> dict[str, Any]:
    """What libpq is called with."""
    _, address = PGDialect_psycopg().create_connect_args(libpq_url(parse_url(text)))  # type: ignore[no-untyped-call]
    return dict(address)


def test_beside_an_embedded_database_it_is_a_file_with_a_log_for_writing(sqlite_url: str, tmp_path: Path) -> None:
    async def body(database: Database) -> None:
        url = prepare(database)
        assert url == f"sqlite:///{tmp_path / 'durable.sqlite3'}"
        assert prepare(database) == url
        with closing(sqlite3.connect(tmp_path / "durable.sqlite3")) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert (tmp_path / "durable.sqlite3").stat().st_mode & 0o777 == 0o600

    with_database(sqlite_url, body)


def test_on_a_server_it_is_the_same_database(postgres_url: str) -> None:
    async def body(database: Database) -> None:
        with psycopg.connect(prepare(database)) as connection:
            found = connection.execute("SELECT current_database()").fetchone()
            assert found == (make_url(postgres_url).database,)

    with_database(postgres_url, body)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://ann:p%40ss@db:5433/studio", {"host": "db", "port": 5433, "user": "ann", "password": "p@ss"}),
        ("postgresql://a,b:5433/studio", {"host": "a,b", "port": "5432,5433"}),
        ("postgres://db/studio?ssl=require&connect_timeout=5", {"sslmode": "require", "connect_timeout": "5"}),
        ("postgresql://db/studio?timeout=0.2", {"connect_timeout": "1"}),
        ("postgresql://db/studio?command_timeout=5&prepared_statement_cache_size=0", {}),
        ("postgresql://db/studio?search_path=x&work_mem=8MB", {"options": "-c search_path=x -c work_mem=8MB"}),
        ("postgresql:///studio?host=/run/postgresql", {"host": "/run/postgresql"}),
    ],
)
def test_a_url_is_read_by_the_other_driver_as_by_ours(text: str, expected: dict[str, Any]) -> None:
    found = arguments(text)
    assert found.pop("dbname") == "studio"
    assert found == {"host": "db"} | expected if "@" not in text and "," not in text else found == expected
