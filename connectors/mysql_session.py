"""A session with a MySQL or MariaDB server: read-only, with time limits on both sides, its errors in our words."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import asyncmy
from asyncmy import cursors
from asyncmy import errors as driver

from connectors import errors
from connectors.concealing import without_values
from connectors.network import network_error, one_line
from connectors.settings import SourceSettings
from connectors.tls import context_for

logger = logging.getLogger(__name__)

PORT = 3306
# Beyond the server's own limit: it answers first, unless it is gone.
_GRACE_SECONDS = 3.0
_KILL_SECONDS = 2.0
_END_SECONDS = 2.0
_LOCK_SECONDS = 5
# How long the server may go on sending one result; each batch of it has the usual limit.
_STREAM_SECONDS = 6 * 3600
# The driver's words when an account signs in by a method that it needs a further package for.
_LACKING = "package is required for"
_MODE = "STRICT_TRANS_TABLES"
_BROKEN = (struct.error, IndexError, AssertionError, UnicodeDecodeError, KeyError, AttributeError, TypeError)


class Session:
    """One connection in a transaction that only reads. What is cancelled, or takes too long, is killed there."""

    def __init__(self, connection: Any, settings: SourceSettings) -> None:
        self._connection = connection
        self._settings = settings
        self.version: str = connection.get_server_info()
        self.is_mariadb = "mariadb" in self.version.lower()
        self._patience = settings.limits.statement_seconds + _GRACE_SECONDS

    @property
    def is_well(self) -> bool:
        return bool(self._connection.connected)

    async def prepare(self) -> None:
        """Makes the session a reader, whatever the server's defaults."""
        await self.execute("SET SESSION TRANSACTION READ ONLY")
        await self.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await self.execute("SET SESSION time_zone = '+00:00'")
        await self.execute(f"SET SESSION lock_wait_timeout = {_LOCK_SECONDS}")
        await self.limit_statements(self._settings.limits.statement_seconds)
        if not self.is_mariadb:
            # Statistics of now, not of yesterday.
            with contextlib.suppress(errors.StatementFailed):
                await self.execute("SET SESSION information_schema_stats_expiry = 0")

    async def limit_statements(self, seconds: float) -> None:
        if self.is_mariadb:
            await self.execute(f"SET SESSION max_statement_time = {seconds:.3f}")
        else:
            await self.execute(f"SET SESSION max_execution_time = {int(seconds * 1000)}")

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        await self.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        try:
            yield
        finally:
            if self.is_well:
                try:
                    await self.execute("ROLLBACK")
                except errors.ConnectorError:
                    self._connection.close()

    async def execute(self, sql: str, arguments: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        async with self._watched(), self._connection.cursor() as cursor:
            await cursor.execute(sql, arguments)
            return list(await cursor.fetchall() or ())

    async def fetch_some(
        self, sql: str, arguments: Sequence[Any] | None, most: int
    ) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """The names of the columns, and not more rows than that; the rest is left with the server."""
        async with self.stream(sql, arguments) as cursor:
            names = tuple(column[0] for column in cursor.description or ())
            rows = await self.next_rows(cursor, most) if names else []
        return names, rows

    @contextlib.asynccontextmanager
    async def stream(self, sql: str, arguments: Sequence[Any] | None) -> AsyncIterator[Any]:
        """A cursor to read rows from bit by bit. One that is left early takes the connection with it."""
        cursor = self._connection.cursor(cursors.SSCursor)
        async with self._watched():
            await cursor.execute(sql, arguments)
        try:
            yield cursor
        finally:
            if self.is_well and self._connection._result is not None and self._connection._result.unbuffered_active:
                # The driver would read all that is left.
                self._connection.close()
                await self._kill()

    async def next_rows(self, cursor: Any, count: int) -> list[tuple[Any, ...]]:
        async with self._watched():
            return list(await cursor.fetchmany(count) or ())

    def close(self) -> None:
        self._connection.close()

    async def end(self) -> None:
        """Closes with a word to the server, which logs those that go without one."""
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._connection.ensure_closed()
        except (TimeoutError, OSError, driver.MySQLError):
            self._connection.close()

    @contextlib.asynccontextmanager
    async def streaming(self) -> AsyncIterator[None]:
        """Inside, the server may send for longer than a statement may take."""
        await self.limit_statements(_STREAM_SECONDS)
        try:
            yield
        finally:
            if self.is_well:
                await self.limit_statements(self._settings.limits.statement_seconds)

    @contextlib.asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        """Tells errors in our words, and has the server drop what nobody waits for any more."""
        try:
            with telling(self._settings):
                async with asyncio.timeout(self._patience):
                    yield
        except (asyncio.CancelledError, errors.ConnectTimeout) as error:
            self._connection.close()
            await self._kill()
            if isinstance(error, errors.ConnectTimeout):
                raise errors.StatementTimeout(
                    f"it ran longer than {self._settings.limits.statement_seconds:g} s and was stopped"
                ) from None
            raise

    async def _kill(self) -> None:
        """Ends the statement at the server, over a connection of its own."""
        number = self._connection.thread_id()
        try:
            async with asyncio.timeout(_KILL_SECONDS):
                other = await _connect(self._settings)
                try:
                    async with other.cursor() as cursor:
                        await cursor.execute(f"KILL {number}")
                finally:
                    other.close()
        except (TimeoutError, OSError, driver.MySQLError, errors.ConnectorError) as error:
            logger.info("a statement at %s could not be ended there: %s", self._settings.host, one_line(error))


async def open_session(settings: SourceSettings) -> Session:
    """Raises ConnectorError with what kept it from being opened."""
    if not settings.host or not settings.database or not settings.user:
        raise errors.BadSettings("host, database and user are needed")
    try:
        session = await _session(settings)
    except errors.TlsFailed:
        if settings.tls != "prefer":
            raise
        session = await _session(replace(settings, tls="disable"))
    try:
        await session.prepare()
    except BaseException:
        session.close()
        raise
    return session


async def _session(settings: SourceSettings) -> Session:
    try:
        with telling(settings):
            async with asyncio.timeout(settings.limits.connect_seconds):
                return Session(await _connect(settings), settings)
    except _BROKEN as error:
        where = f"{settings.host}:{settings.port or PORT}"
        raise errors.NotThatServer(f"what answers at {where} is not MySQL or MariaDB") from error
    except RuntimeError as error:
        if _LACKING not in str(error):
            raise
        raise errors.LoginRefused(
            f"the user {settings.user!r} signs in by a method that is not supported here ({one_line(error)}); "
            "give it mysql_native_password (MariaDB) or caching_sha2_password (MySQL)"
        ) from error


async def _connect(settings: SourceSettings) -> Any:
    return await asyncmy.connect(
        host=settings.host,
        port=settings.port or PORT,
        user=settings.user,
        password=settings.password or "",
        database=settings.database,
        charset="utf8mb4",
        autocommit=True,
        sql_mode=_MODE,
        local_infile=False,
        connect_timeout=settings.limits.connect_seconds,
        ssl=None if settings.tls == "disable" else context_for(settings),
        program_name="collab-studio",
    )


@contextlib.contextmanager
def telling(settings: SourceSettings) -> Iterator[None]:
    """Raises a ConnectorError for what the driver raises inside the block."""
    try:
        yield
    except (driver.MySQLError, OSError, TimeoutError) as error:
        raise told(error, settings) from error


def told(error: Exception, settings: SourceSettings) -> errors.ConnectorError:
    """What the driver's error means, in a sentence. A timeout of ours is a ConnectTimeout here."""
    where = f"{settings.host}:{settings.port or PORT}"
    if not isinstance(error, driver.MySQLError):
        return network_error(error, where, settings, "MySQL")
    if isinstance(error.__cause__, OSError | TimeoutError):
        return network_error(error.__cause__, where, settings, "MySQL")
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    text = one_line(Exception(error.args[1])) if len(error.args) > 1 else one_line(error)
    if code == _SIGNALLED:
        text = "a routine of the source raised an error; its words may hold values of rows and are not shown"
    elif code not in _WITHOUT_ROWS:
        text = without_values(text)
    meaning = next((meaning for codes, meaning in _MEANINGS if code in codes), errors.StatementFailed)
    return meaning(_SENTENCES.get(meaning, "{text}").format(where=where, settings=settings, text=text))


_MEANINGS: tuple[tuple[frozenset[int], type[errors.ConnectorError]], ...] = (
    (frozenset({1045, 1129, 1130, 1251, 1524, 1698, 4151}), errors.LoginRefused),
    (frozenset({1044, 1049}), errors.DatabaseNotFound),
    (frozenset({1040, 1203, 1226, 2003}), errors.Unreachable),
    (frozenset({2026, 3159}), errors.TlsFailed),
    (frozenset({1205, 1317, 1969, 3024}), errors.StatementTimeout),
    (frozenset({1290, 1792, 1836}), errors.NotReadOnly),
    (frozenset({1142, 1143, 1227, 1370}), errors.RightsMissing),
    (frozenset({1146}), errors.DatasetNotFound),
    (frozenset({0, 1053, 1927, 2006, 2013}), errors.SourceLost),
)
_SIGNALLED = 1644
# Errors about the statement, names in it, or the server: what they quote is no value of a row.
_WITHOUT_ROWS = frozenset().union(*(codes for codes, _ in _MEANINGS)) | {
    1030, 1033, 1046, 1051, 1052, 1054, 1055, 1064, 1066, 1109, 1140, 1194, 1195, 1222, 1235, 1241, 1242, 1248, 1267,
    1305, 1356, 1412, 1449, 1462, 1932,
}  # fmt: skip
_SENTENCES: dict[type[errors.ConnectorError], str] = {
    errors.LoginRefused: "{where} does not let the user {settings.user!r} in: {text}",
    errors.DatabaseNotFound: "{where} has no database {settings.database!r} for the user {settings.user!r}",
    errors.Unreachable: "{where} takes no connection now: {text}",
    errors.TlsFailed: "no encrypted connection to {where}: {text}",
    errors.StatementTimeout: "it ran longer than it may ({settings.limits.statement_seconds:g} s) and was stopped",
    errors.NotReadOnly: "the source is only read: {text}",
    errors.RightsMissing: "the user {settings.user!r} may not: {text}",
    errors.SourceLost: "the connection to {where} broke: {text}",
}
