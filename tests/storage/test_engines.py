"""What is a usable database URL, and how a SQLite file is made."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from storage.engines import parse_url, prepare_sqlite_file
from storage.errors import InvalidUrl, StorageError, Unavailable


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+aiosqlite"])
def test_sqlite_urls(scheme: str) -> None:
    url = parse_url(f"{scheme}:////data/studio.sqlite3")
    assert (url.drivername, url.database) == ("sqlite+aiosqlite", "/data/studio.sqlite3")
    assert parse_url(f"{scheme}:///data/studio.sqlite3").database == str(Path.cwd() / "data" / "studio.sqlite3")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_postgresql_urls(scheme: str) -> None:
    url = parse_url(f"{scheme}://ann:secret@db.example:5433/studio?sslmode=require")
    assert url.drivername == "postgresql+asyncpg"
    assert (url.username, url.password, url.host, url.port, url.database) == (
        "ann",
        "secret",
        "db.example",
        5433,
        "studio",
    )
    assert dict(url.query) == {"sslmode": "require"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "studio.sqlite3",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite+aiosqlite:///file::memory:?uri=true",
        "mysql://secret@host/name",
        "postgresql+psycopg://secret@host/name",
        "postgresql://ann:secret@host:port/name",
    ],
)
def test_other_urls_are_refused_without_telling_the_password(text: str) -> None:
    with pytest.raises(InvalidUrl) as raised:
        parse_url(text)
    assert "secret" not in str(raised.value)


def test_a_new_file_is_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "studio.sqlite3"
    prepare_sqlite_file(path, 1.0)
    assert path.stat().st_mode & 0o777 == 0o600
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_what_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_text("Dear Ann, " * 1000)
    with pytest.raises(StorageError, match="not a database"):
        prepare_sqlite_file(path, 1.0)
    assert path.read_text() == "Dear Ann, " * 1000


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        prepare_sqlite_file(tmp_path, 1.0)
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable):
        prepare_sqlite_file(tmp_path / "file" / "studio.sqlite3", 1.0)


def test_many_prepare_the_same_file_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        path = tmp_path / "studio.sqlite3"
        await asyncio.gather(*[asyncio.to_thread(prepare_sqlite_file, path, 10.0) for _ in range(8)])

    asyncio.run(run())
