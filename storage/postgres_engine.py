"""PostgreSQL's engine: how its connections are opened, what holds on each, and which errors say that one is lost.

A lost connection takes the pool with it: after a restart or a failover all the others are lost as well. No connection
is asked whether it stands before it is used, which would cost three round trips a transaction; instead what the
operating system already knows is looked at, and the BEGIN of a transaction finds the rest (storage/database.py).
"""

import socket
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import URL, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util.concurrency import await_

from storage.errors import Unavailable
from storage.postgres_url import split_options

# A statement that was not answered for this long never will be: the server is frozen, or behind a broken network.
COMMAND_SECONDS = 10.0
# A server that is there takes a connection within milliseconds; several hosts are tried one after the other.
CONNECT_SECONDS = 5.0
# Every lock is held for milliseconds. Whoever waits longer gives the others' connections back, and tries again.
LOCK_SECONDS = 5
# The server ends a slow statement itself, so that the connection stays, unless it cannot even do that.
STATEMENT_GRACE_SECONDS = 1
# A node that froze in the middle of a transaction must not hold its locks for the others.
IDLE_IN_TRANSACTION_SECONDS = 10
# Requests wait for a free connection no longer than for an answer on one.
POOL_SECONDS = 10.0

# An idle connection to a machine that went silent is found out within IDLE + COUNT * INTERVAL seconds.
_KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}

# SQLSTATEs, or their beginnings, after which a connection is of no use: connection failures, the server going down,
# or up, or having ended an idle transaction, and a server that takes no writes (any more), as after a failover.
READ_ONLY = "25006"
_LOST = ("08", "57P", "25P03", READ_ONLY)

# The driver's words for a connection that is closed, or that still waits for an abandoned statement.
_OUT_OF_ORDER = "cannot perform operation"

# Where an operator has set something for the role or the database, that stands. "Stored" means on disk, so of the
# settings of synchronous_commit only the one that breaks that promise is changed.
_SESSION = """
SELECT set_config(name, chosen, false)
FROM (VALUES ('synchronous_commit', 'off', 'on'), {limits}) AS wanted (name, found, chosen)
WHERE current_setting(name) = found
"""


class Dialect(PGDialect_asyncpg):
    """Sends BEGIN when a transaction begins, not with its first statement: it shows whether the connection stands."""

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: Any) -> None:
        # There is no public way, and the driver's own would begin a second one with the first statement.
        await_(dbapi_connection._start_transaction())


_NAME = "studio"
registry.register(f"postgresql.{_NAME}", __name__, Dialect.__name__)


class KeptConnection(asyncpg.Connection):  # type: ignore[misc]
    """A connection whose other end is asked by the kernel whether it is still there."""

    def __init__(self, protocol: Any, transport: Any, *rest: Any) -> None:
        super().__init__(protocol, transport, *rest)
        keep_alive(transport.get_extra_info("socket"))


def keep_alive(connected: socket.socket) -> None:
    """Has the kernel notice a silent peer, as far as this system can."""
    if connected.family == getattr(socket, "AF_UNIX", None):
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if (option := getattr(socket, name, None)) is not None:
            connected.setsockopt(socket.IPPROTO_TCP, option, value)


async def connect_to_any(*, host: Any = None, port: Any = None, **arguments: Any) -> asyncpg.Connection:
    """A connection to the first host that takes one and is what `target_session_attrs` asks for.

    The driver would do the same, but within one time limit for all: a first host that is silent would use it up.
    """
    hosts = list(zip(host, port, strict=True)) if isinstance(host, list) else [(host, port)]
    failures: list[Exception] = []
    for one, its_port in hosts:
        try:
            return await asyncpg.connect(host=one, port=its_port, connection_class=KeptConnection, **arguments)
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.TargetServerAttributeNotMatched) as error:
            failures.append(error)
    if len(hosts) == 1 and not isinstance(failures[0], asyncpg.TargetServerAttributeNotMatched):
        raise failures[0]
    reasons = [f"{one}: {str(error) or 'no answer'}" for (one, _), error in zip(hosts, failures, strict=True)]
    raise ConnectionError(f"none of the hosts can be used ({'; '.join(reasons)})")


def create_postgresql_engine(url: URL, pool_size: int) -> AsyncEngine:
    """An engine that has not connected yet. The URL is one that storage/postgres_url.py has checked."""
    url, arguments = _arguments(url)
    patience = arguments.setdefault("command_timeout", COMMAND_SECONDS)
    engine = create_async_engine(
        url, pool_size=pool_size, max_overflow=0, pool_timeout=POOL_SECONDS, connect_args=arguments
    )
    _set_on_connect(engine, patience)
    _watch(engine)
    return engine


def create_patient_engine(url: URL) -> AsyncEngine:
    """An engine without a pool and without time limits, for migrations."""
    url, arguments = _arguments(url)
    arguments.pop("command_timeout", None)
    engine = create_async_engine(url, poolclass=NullPool, connect_args=arguments)
    _watch(engine)
    return engine


def keeps_statements(url: URL) -> bool:
    """Whether prepared statements outlive a transaction. They do not where a pooler hands out another connection for
    each, and the URL says so with prepared_statement_cache_size=0."""
    return str(url.query.get("prepared_statement_cache_size")) != "0"


def _arguments(url: URL) -> tuple[URL, dict[str, Any]]:
    keeps = keeps_statements(url)
    url, arguments = split_options(url.set(drivername=f"postgresql+{_NAME}"))
    arguments.setdefault("timeout", CONNECT_SECONDS)
    arguments["async_creator_fn"] = connect_to_any
    if "application_name" not in arguments.get("dsn", ""):
        arguments["server_settings"] = {"application_name": "collab-studio"}
    if not keeps:
        # Unnamed statements, parsed anew each time: nothing is left behind that another connection's name could meet.
        arguments |= {"statement_cache_size": 0, "prepared_statement_name_func": str}
    return url, arguments


def _set_on_connect(engine: AsyncEngine, patience: float) -> None:
    limits = {
        "lock_timeout": LOCK_SECONDS,
        "statement_timeout": max(patience - STATEMENT_GRACE_SECONDS, patience / 2),
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_SECONDS,
    }
    values = ", ".join(f"('{name}', '0', '{int(seconds * 1000)}')" for name, seconds in limits.items())

    @event.listens_for(engine.sync_engine, "connect")
    def set_session(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(_SESSION.format(limits=values))
        cursor.close()
        connection.commit()


def _watch(engine: AsyncEngine) -> None:
    """Take lost connections out of the pool: those that are known to be closed, and those that errors tell of."""

    @event.listens_for(engine.sync_engine, "checkout")
    def refuse_closed(_connection: object, record: Any, _proxy: object) -> None:
        if record.driver_connection.is_closed():
            raise DisconnectionError

    @event.listens_for(engine.sync_engine, "handle_error")
    def note_lost(context: ExceptionContext) -> None:
        error = context.original_exception
        if isinstance(error, OSError):
            context.is_disconnect = True
            raise Unavailable(unanswered(error))
        if is_lost(error) and not (_state(error) == READ_ONLY and _only_reads(context)):
            context.is_disconnect = True


def is_lost(error: BaseException) -> bool:
    """Whether the connection that raised this is of no further use."""
    return _state(error).startswith(_LOST) or _OUT_OF_ORDER in str(error) or isinstance(error, OSError)


def unanswered(error: OSError) -> str:
    """What to say of a connection that failed below the protocol."""
    if isinstance(error, TimeoutError):
        return "the database does not answer"
    return f"the connection to the database is lost: {error}"


def _state(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or "")


def _only_reads(context: ExceptionContext) -> bool:
    """Whether we asked for a transaction that cannot write: then a write in it is our mistake, not the server's."""
    connection = context.connection
    return connection is not None and bool(connection.get_execution_options().get("postgresql_readonly"))
