"""A session with a PostgreSQL server: read-only, with timeouts of the server's own, and its errors in our words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from asyncpg import exceptions

from connectors import errors
from connectors.concealing import without_values
from connectors.network import network_error, one_line
from connectors.settings import SourceSettings
from connectors.tls import context_for

PORT = 5432
# Waiting for a lock holds back others that wait behind us.
_LOCK_MS = 5000

# By SQLSTATE: what is about rights, views that stand in a circle, and the state, resources and features of the server.
_STATES_WITHOUT_ROWS = frozenset({"42501", "42P17"})
_CLASSES_WITHOUT_ROWS = frozenset({"0A", "25", "53", "54", "55", "57"})

_RAISED = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
    ValueError,
)


async def open_session(settings: SourceSettings, parameters: Mapping[str, str] | None = None) -> Any:
    """Raises ConnectorError with what kept it from being opened. `parameters` of the session go before the usual."""
    if not settings.host or not settings.database or not settings.user:
        raise errors.BadSettings("host, database and user are needed")
    limits = settings.limits
    with telling(settings):
        async with asyncio.timeout(limits.connect_seconds):
            return await asyncpg.connect(
                host=settings.host,
                port=settings.port or PORT,
                database=settings.database,
                user=settings.user,
                # None would have the driver look into files and variables of the server's own account.
                password=settings.password or "",
                ssl=_tls(settings),
                timeout=limits.connect_seconds,
                # Statements come from people: nothing to win by keeping them, and poolers forget them.
                statement_cache_size=0,
                server_settings={
                    "application_name": "collab-studio",
                    "default_transaction_read_only": "on",
                    "statement_timeout": str(int(limits.statement_seconds * 1000)),
                    "lock_timeout": str(_LOCK_MS),
                    # A reader that is slow between two batches must not keep the server from cleaning up for ever.
                    "idle_in_transaction_session_timeout": str(int(limits.statement_seconds * 10_000)),
                    "timezone": "UTC",
                    "datestyle": "ISO, MDY",
                    "intervalstyle": "iso_8601",
                    **(parameters or {}),
                },
            )


def _tls(settings: SourceSettings) -> Any:
    if settings.tls in ("disable", "prefer"):
        return settings.tls
    return context_for(settings)


@contextlib.contextmanager
def telling(settings: SourceSettings) -> Iterator[None]:
    """Raises a ConnectorError for what the driver raises inside the block."""
    try:
        yield
    except errors.ConnectorError:
        raise
    except _RAISED as error:
        raise told(error, settings) from error


def told(error: Exception, settings: SourceSettings) -> errors.ConnectorError:
    """What the driver's error means, in a sentence."""
    where = f"{settings.host}:{settings.port or PORT}"
    match error:
        case exceptions.InvalidPasswordError() | exceptions.InvalidAuthorizationSpecificationError():
            return errors.LoginRefused(f"{where} does not let the user {settings.user!r} in: {one_line(error)}")
        case exceptions.InvalidCatalogNameError():
            return errors.DatabaseNotFound(f"{where} has no database {settings.database!r}")
        case exceptions.TooManyConnectionsError() | exceptions.CannotConnectNowError():
            return errors.Unreachable(f"{where} takes no connection now: {one_line(error)}")
        case exceptions.QueryCanceledError():
            seconds = settings.limits.statement_seconds
            return errors.StatementTimeout(f"it ran longer than {seconds:g} s and was stopped")
        case exceptions.LockNotAvailableError():
            return errors.StatementTimeout("the table is locked by somebody else")
        case exceptions.ReadOnlySQLTransactionError():
            return errors.NotReadOnly(f"the source is only read: {one_line(error)}")
        case exceptions.InsufficientPrivilegeError():
            return errors.RightsMissing(f"the user {settings.user!r} may not: {one_line(error)}")
        case exceptions.UndefinedTableError() | exceptions.InvalidSchemaNameError():
            return errors.DatasetNotFound(_sentence_of(error))
        case exceptions.OutOfMemoryError():
            return errors.OutOfMemory(one_line(error))
        case (
            exceptions.AdminShutdownError() | exceptions.CrashShutdownError() | exceptions.ConnectionDoesNotExistError()
        ):
            return _lost(error, where)
        case exceptions.PostgresConnectionError():
            return _lost(error, where)
        case asyncpg.PostgresError():
            return errors.StatementFailed(_sentence_of(error))
    return _of_network(error, settings, where)


def _sentence_of(error: Any) -> str:
    """What the server says, without values: `invalid input syntax for type integer: "..."` quotes what a row holds."""
    state = error.sqlstate or ""
    if state.startswith("P0"):
        return "a function of the source raised an error; its words may hold values of rows and are not shown"
    # An error with a position was found in the statement's text, before any row was read.
    if error.position is not None or state in _STATES_WITHOUT_ROWS or state[:2] in _CLASSES_WITHOUT_ROWS:
        return one_line(error)
    return without_values(error.message or type(error).__name__)


def _lost(error: Exception, where: str) -> errors.ConnectorError:
    return errors.SourceLost(f"the connection to {where} broke: {one_line(error)}")


def _of_network(error: Exception, settings: SourceSettings, where: str) -> errors.ConnectorError:
    match error:
        case exceptions.InternalClientError() if "another operation" in str(error):
            return _lost(error, where)
        case exceptions.ProtocolError() | exceptions.InternalClientError():
            return errors.NotThatServer(f"what answers at {where} is not PostgreSQL")
        case asyncpg.InterfaceError():
            return errors.StatementFailed(one_line(error))
        case _:
            return network_error(error, where, settings, "PostgreSQL")
