"""The two databases' engines: how a connection is opened and a transaction begun. Nothing else knows the difference
between their drivers.
"""

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util.concurrency import await_, in_greenlet

from storage import postgres_url
from storage.cancelling import undisturbed
from storage.errors import InvalidUrl, StorageError, Unavailable
from storage.postgres_engine import create_postgresql_engine

SQLITE = "sqlite"
POSTGRESQL = "postgresql"

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}

# UPDATE and DELETE with RETURNING, which the queries use.
_OLDEST_SQLITE = (3, 35, 0)

# A connection that writes takes SQLite's write lock as it begins: a transaction that reads first and wants the lock
# later fails at once, whatever the busy timeout, if somebody else wrote in between.
WRITES = "storage_writes"

# Four times SQLite's default: appends write the same pages again and again, and each is copied back once a checkpoint.
_WAL_PAGES = 4000
# After a burst the write-ahead log is cut back to this.
_WAL_BYTES = 64 * 1024 * 1024

SQLITE_PRAGMAS = (
    "PRAGMA foreign_keys = ON",
    # In WAL mode anything less may lose the last commits when the machine loses power.
    "PRAGMA synchronous = FULL",
    f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}",
    f"PRAGMA journal_size_limit = {_WAL_BYTES}",
    "PRAGMA temp_store = MEMORY",
    # Each connection has its own, and forgets it when another has written: it need not outlast a transaction, and the
    # operating system keeps the same pages once for all. A transaction that changes more spills to the write-ahead log.
    "PRAGMA cache_size = -2048",
)


class Dialect(SQLiteDialect_aiosqlite):
    """Closes a connection, of which a cancelled task left a statement, to the end: cancelled a second time, the driver
    would wait for ever for a thread that is gone."""

    supports_statement_cache = True

    def do_terminate(self, dbapi_connection: Any) -> None:
        if in_greenlet():
            await_(undisturbed(_close(dbapi_connection)))
        else:
            dbapi_connection.terminate()


async def _close(dbapi_connection: Any) -> None:
    # SQLite closes a connection only with its last statement. One that a cancelled task left in the middle of its rows
    # may live for as long as somebody remembers the cancellation, and would keep the write lock.
    with contextlib.suppress(sqlite3.Error, ValueError):
        await dbapi_connection.driver_connection.rollback()
    await dbapi_connection._terminate_graceful_close()


_NAME = "studio"
registry.register(f"{SQLITE}.{_NAME}", __name__, Dialect.__name__)


def parse_url(text: str) -> URL:
    """The URL with the driver this package uses. Raises InvalidUrl."""
    try:
        url = make_url(postgres_url.spread_hosts(text))
    except (ArgumentError, ValueError):
        raise InvalidUrl("this is not a database URL; use sqlite:///path/to/file or postgresql://…") from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise InvalidUrl(f"{url.drivername!r} databases are not supported; use sqlite:///… or postgresql://…")
    url = url.set(drivername=driver)
    if url.get_backend_name() == SQLITE:
        return _parse_sqlite_url(url)
    return postgres_url.checked(url)


def _parse_sqlite_url(url: URL) -> URL:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise InvalidUrl("SQLite needs a file: sqlite:///path/to/file")
    return url.set(database=str(Path(url.database).absolute()), query={})


def prepare_sqlite_file(path: Path, busy_timeout: float) -> None:
    """Creates the file if need be, readable by its owner only, and puts it into WAL mode, which it keeps. Blocks."""
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StorageError(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 or later is needed")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        with contextlib.closing(sqlite3.connect(path, timeout=busy_timeout, isolation_level=None)) as connection:
            _switch_to_wal(connection, time.monotonic() + busy_timeout)
    except OSError as error:
        raise Unavailable(f"cannot open {path}: {error.strerror}") from error
    except sqlite3.OperationalError as error:
        raise Unavailable(f"cannot open {path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StorageError(f"cannot open {path}: {error}") from error


def _switch_to_wal(connection: sqlite3.Connection, deadline: float) -> None:
    # SQLite does not wait out its busy timeout here when two processes switch at the same moment.
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            if mode != "wal":
                raise StorageError("this file system does not support SQLite's write-ahead log")
            return


def create_engine(url: URL, *, busy_timeout: float, pool_size: int) -> AsyncEngine:
    """An engine that has not connected yet. `busy_timeout` in seconds counts for SQLite only."""
    if url.get_backend_name() == SQLITE:
        return _create_sqlite_engine(url, busy_timeout, pool_size)
    return create_postgresql_engine(url, pool_size)


def _create_sqlite_engine(url: URL, busy_timeout: float, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        url.set(drivername=f"{SQLITE}+{_NAME}"),
        pool_size=pool_size,
        max_overflow=0,
        # Without this the driver would begin transactions by itself, and only before some statements.
        connect_args={"isolation_level": None, "timeout": busy_timeout},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in SQLITE_PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
