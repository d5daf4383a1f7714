"""The database of a node: one engine, read and write transactions, migrations."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, exc
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage import engines
from storage.cancelling import undisturbed
from storage.errors import BrokenReference, StorageError, Unavailable
from storage.migrate import migrate
from storage.postgres_engine import create_patient_engine

# Longer than any migration so far took on the largest installation; a node that waits has nothing else to do.
MIGRATION_SECONDS = 300.0

# SQLSTATE classes that say "not now": connection, transaction rollback, resources, operator intervention, system.
PASSING = ("08", "40", "53", "55", "57", "58")


class Database:
    """SQLite or PostgreSQL behind the same transactions.

    In SQLite one transaction writes at a time. `write_lock` keeps the writers of this process in line without
    polling; it must not be taken by who already is in a `write`. Other processes are waited for up to `busy_timeout`.
    """

    def __init__(self, url: URL, engine: AsyncEngine, busy_timeout: float) -> None:
        self.url = url
        self.engine = engine
        self.busy_timeout = busy_timeout
        self.is_sqlite = url.get_backend_name() == engines.SQLITE
        self.write_lock = asyncio.Lock()
        self._at_close: list[Callable[[], Awaitable[None]]] = []

    @classmethod
    async def open(cls, url: str, *, busy_timeout: float = 5.0, pool_size: int = 8) -> Self:
        """Connects once to see that it works. Raises InvalidUrl, Unavailable. `busy_timeout` in seconds."""
        parsed = engines.parse_url(url)
        if parsed.get_backend_name() == engines.SQLITE:
            path = Path(parsed.database or "")
            await asyncio.to_thread(engines.prepare_sqlite_file, path, busy_timeout)
        engine = engines.create_engine(parsed, busy_timeout=busy_timeout, pool_size=pool_size)
        database = cls(parsed, engine, busy_timeout)
        try:
            async with database.read():
                pass
        except BaseException:
            await database.close()
            raise
        return database

    @property
    def path(self) -> Path:
        """The SQLite file."""
        if not self.is_sqlite or self.url.database is None:
            raise StorageError("only SQLite databases are files")
        return Path(self.url.database)

    async def migrate(self, *, patience: float = MIGRATION_SECONDS) -> None:
        """Brings the schema up to date. Nodes that start together wait for the first, up to `patience` seconds.

        Raises SchemaTooNew, Unavailable.
        """
        if self.is_sqlite:
            async with self.write() as connection:
                await migrate(connection, patience)
            return
        # Building an index takes as long as it takes.
        engine = create_patient_engine(self.url)
        try:
            with translated_errors():
                async with engine.begin() as connection:
                    await migrate(connection, patience)
        finally:
            await engine.dispose()

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one state of the database throughout, and must not write."""
        options: dict[str, Any] = {}
        if not self.is_sqlite:
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        async with self._transaction(options) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed, and durable, when the block ends; rolled back if it raises.

        Not to be nested, and no append to the update log may be awaited inside.
        """
        if not self.is_sqlite:
            async with self._transaction({}) as connection:
                yield connection
            return
        async with self.write_lock, self._transaction({engines.WRITES: True}) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def _transaction(self, options: dict[str, Any]) -> AsyncIterator[AsyncConnection]:
        with translated_errors():
            connection = await self._begun(options)
            try:
                yield connection
                await connection.commit()
            finally:
                # What was not committed is rolled back.
                await undisturbed(connection.close())

    async def _begun(self, options: dict[str, Any]) -> AsyncConnection:
        """A connection in a transaction that has done nothing yet.

        BEGIN shows whether a connection from the pool still stands. If it does not, nor do the others, and a new one
        is made: a server that was restarted costs no request.
        """
        try:
            return await self._begin(options)
        except exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return await self._begin(options)

    async def _begin(self, options: dict[str, Any]) -> AsyncConnection:
        connection = await self.connect()
        try:
            await connection.execution_options(**options)
            await connection.begin()
        except BaseException:
            await undisturbed(connection.close())
            raise
        return connection

    async def connect(self) -> AsyncConnection:
        """A connection from the pool, to be closed by the caller."""
        try:
            return await self.engine.connect()
        except OSError as error:
            raise Unavailable(f"the database cannot be reached: {str(error) or 'no answer in time'}") from error

    def at_close(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Awaited by `close`, the latest first."""
        self._at_close.append(callback)

    async def close(self) -> None:
        """Ends everything that was opened from here. Safe to call twice."""
        while self._at_close:
            await self._at_close.pop()()
        await self.engine.dispose()


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """Turns what SQLAlchemy raises into StorageErrors; other exceptions pass."""
    try:
        yield
    except exc.IntegrityError as error:
        raise BrokenReference(_message(error)) from error
    except exc.DBAPIError as error:
        passing = error.connection_invalidated or isinstance(error, (exc.OperationalError, exc.InterfaceError))
        if passing or str(getattr(error.orig, "sqlstate", None) or "").startswith(PASSING):
            raise Unavailable(_message(error)) from error
        raise StorageError(_message(error)) from error
    except exc.TimeoutError as error:
        raise Unavailable("no database connection became free in time") from error


def _message(error: exc.DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]
