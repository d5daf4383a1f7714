"""What MySQL and MariaDB know of themselves, over one connection that only reads.

The status variables are of the whole server. They begin anew when it starts, and some of them with FLUSH STATUS; both
moments are to be had exactly, as the server counts its uptime in the whole seconds of the statement's own clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from connectors import errors
from connectors.mysql_session import PORT, Session, open_session
from connectors.performance import mysql_activity as activity
from connectors.performance import mysql_indexes as indexes
from connectors.performance import mysql_statements as statements
from connectors.performance.figures import (
    GAUGE,
    Blocking,
    Figure,
    FigureGroup,
    IndexAdvices,
    Level,
    StatementPlan,
    StatementSnapshot,
    StatementText,
    Unsupported,
    Visit,
)
from connectors.performance.mysql_status import FLUSHED, NAMES, figures_of
from connectors.settings import SourceSettings

# Of figures nobody waits for longer, and a server that is that slow should not be asked more.
_STATEMENT_SECONDS = 5.0
_STATUS = (
    "SELECT LOWER(VARIABLE_NAME), VARIABLE_VALUE, UNIX_TIMESTAMP() FROM {}.GLOBAL_STATUS WHERE VARIABLE_NAME IN ({})"
)
_IDENTITY_MARIADB = "SELECT CONCAT_WS(':', @@hostname, @@port, @@server_id)"
_IDENTITY = "SELECT @@server_uuid"
_LIMITS = "SELECT @@max_connections, @@innodb_buffer_pool_size"


def reader(settings: SourceSettings) -> MysqlReader:
    return MysqlReader(settings)


class MysqlReader:
    """A PerformanceReader of a MySQL or MariaDB server."""

    def __init__(self, settings: SourceSettings, *, clock: Callable[[], float] = time.time) -> None:
        limits = replace(settings.limits, statement_seconds=min(_STATEMENT_SECONDS, settings.limits.statement_seconds))
        self._settings = replace(settings, limits=limits)
        self._clock = clock
        self._turn = asyncio.Lock()
        self._held: Session | None = None
        self._server = ""

    async def visit(self, level: Level) -> Visit:
        began = time.perf_counter()
        async with self._session() as session:
            at_ms = int(self._clock() * 1000)
            match level:
                case Level.FAST:
                    server, groups = await self._status(session)
                    unsupported: list[Unsupported] = []
                case Level.MEDIUM:
                    server = await self._identity(session)
                    groups, unsupported = await self._activity(session, server)
                case Level.SLOW:
                    server = await self._identity(session)
                    groups, unsupported = [FigureGroup("sizes", server, await activity.sizes(session))], []
        return Visit(at_ms, server, groups, time.perf_counter() - began, unsupported)

    async def statements(self) -> StatementSnapshot | Unsupported:
        began = time.perf_counter()
        async with self._session() as session:
            at_ms = int(self._clock() * 1000)
            server, _ = await self._status(session)
            found = await statements.snapshot(session, at_ms, server)
        return found if isinstance(found, Unsupported) else replace(found, seconds=time.perf_counter() - began)

    async def statement_texts(self, keys: Sequence[str]) -> dict[str, StatementText]:
        async with self._session() as session:
            return await statements.texts(session, keys)

    async def plan(self, key: str) -> StatementPlan | Unsupported:  # noqa: ARG002 - the same of all
        return Unsupported(
            "plan",
            "MySQL and MariaDB keep no statement that could be explained without the values it was sent with.",
        )

    async def blocking(self) -> Blocking:
        async with self._session() as session:
            return await activity.blocking(session, int(self._clock() * 1000))

    async def index_advice(self) -> IndexAdvices:
        async with self._session() as session:
            at_ms = int(self._clock() * 1000)
            _, [group] = await self._status(session)
            uptime = next((each.value for each in group.figures if each.metric == "mysql.uptime"), None)
            since = None if uptime is None else at_ms - int(uptime * 1000)
            return await indexes.advise(session, self._settings, at_ms, since)

    async def aclose(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        async with self._turn:
            if self._held is None or not self._held.is_well:
                self._held, self._server = await open_session(self._settings), ""
            try:
                yield self._held
            except errors.Unreachable:
                # Whatever the driver thinks of it: the next question has a new connection.
                await self.aclose()
                raise

    async def _status(self, session: Session) -> tuple[str, list[FigureGroup]]:
        """Who answers since when, and the figures of the status variables."""
        place = "information_schema" if session.is_mariadb else "performance_schema"
        names = ", ".join(f"'{name}'" for name in NAMES)
        rows = await session.execute(_STATUS.format(place, names))
        status = {str(name): str(value) for name, value, _ in rows}
        if not rows or "uptime" not in status:
            raise errors.StatementFailed("the server does not tell its status variables")
        now = int(rows[0][2])
        started = now - int(status["uptime"])
        flushed = now - int(status.get(FLUSHED, status["uptime"]))
        server = f"{await self._name(session)}/{started}"
        return server, [FigureGroup("status", f"{server}/{flushed}", list(figures_of(status)))]

    async def _identity(self, session: Session) -> str:
        server, _ = await self._status(session)
        return server

    async def _name(self, session: Session) -> str:
        if not self._server:
            [(name,)] = await session.execute(_IDENTITY_MARIADB if session.is_mariadb else _IDENTITY)
            self._server = f"{name}@{self._settings.host}:{self._settings.port or PORT}"
        return self._server

    async def _activity(self, session: Session, server: str) -> tuple[list[FigureGroup], list[Unsupported]]:
        [(most, pool)] = await session.execute(_LIMITS)
        figures = [
            Figure("mysql.connections.limit", (), GAUGE, "{connections}", float(most)),
            Figure("mysql.innodb.buffer_pool.size", (), GAUGE, "By", float(pool)),
        ]
        unsupported: list[Unsupported] = []
        for ask in (activity.sessions, activity.transactions, activity.replication):
            found = await ask(session, self._settings.user or "")
            if isinstance(found, Unsupported):
                unsupported.append(found)
            else:
                figures += found
        return [FigureGroup("activity", server, figures)], unsupported
