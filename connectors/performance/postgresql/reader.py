"""What a PostgreSQL server knows of itself, from major version 13 on."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence

from connectors.errors import BadSettings, StatementFailed
from connectors.performance.clock import SourceClock
from connectors.performance.figures import (
    Blocking,
    IndexAdvices,
    Level,
    StatementPlan,
    StatementSnapshot,
    StatementText,
    Unsupported,
    Visit,
)
from connectors.performance.postgresql.blocking import blocking, blocking_sql
from connectors.performance.postgresql.index_advice import index_advice
from connectors.performance.postgresql.plans import plan_of
from connectors.performance.postgresql.session import Session
from connectors.performance.postgresql.statements import Statements
from connectors.performance.postgresql.visits import Visits
from connectors.settings import SourceSettings

OLDEST_VERSION = 13


def reader(settings: SourceSettings) -> PostgresqlReader:
    return PostgresqlReader(settings)


class PostgresqlReader:
    """Keeps the contract of PerformanceReader. `now` is our clock in s since 1970."""

    def __init__(self, settings: SourceSettings, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._now = now
        self._clock = SourceClock()
        self._one_at_a_time = asyncio.Lock()
        self._session: Session | None = None
        self._visits: Visits | None = None
        self._statements: Statements | None = None
        self._blocking_sql: str | None = None

    async def visit(self, level: Level) -> Visit:
        async with self._asking() as session:
            if self._visits is None:
                self._visits = Visits(session, self._clock, self._now)
            return await self._visits.visit(level)

    async def statements(self) -> StatementSnapshot | Unsupported:
        async with self._asking() as session:
            found = await self._found_statements(session)
            return found if isinstance(found, Unsupported) else await found.snapshot(self._clock, self._now)

    async def statement_texts(self, keys: Sequence[str]) -> dict[str, StatementText]:
        async with self._asking() as session:
            found = await self._found_statements(session)
            return {} if isinstance(found, Unsupported) else await found.texts(keys)

    async def plan(self, key: str) -> StatementPlan | Unsupported:
        async with self._asking() as session:
            found = await self._found_statements(session)
            return found if isinstance(found, Unsupported) else await plan_of(session, found, key)

    async def index_advice(self) -> IndexAdvices:
        async with self._asking() as session:
            found = await self._found_statements(session)
            return await index_advice(session, found, self._clock, self._now)

    async def blocking(self) -> Blocking:
        async with self._asking() as session:
            if self._blocking_sql is None:
                self._blocking_sql = blocking_sql(session)
            return await blocking(session, self._blocking_sql, self._clock, self._now)

    async def _found_statements(self, session: Session) -> Statements | Unsupported:
        """Looked for until it is found: extensions are made while we look on."""
        if self._statements is None:
            found = await Statements.found(session)
            if isinstance(found, Unsupported):
                return found
            self._statements = found
        return self._statements

    async def aclose(self) -> None:
        async with self._one_at_a_time:
            if self._session is not None:
                await self._session.close()
            self._forget()

    @contextlib.asynccontextmanager
    async def _asking(self) -> AsyncIterator[Session]:
        """The session, opened if it is not; one that did not answer in order is given up."""
        async with self._one_at_a_time:
            if self._session is None or not self._session.is_open:
                self._forget()
                self._session = await Session.open(self._settings)
            if self._session.facts.version < OLDEST_VERSION:
                version = self._session.facts.version
                self._forget()
                raise BadSettings(f"PostgreSQL {version} cannot be monitored; {OLDEST_VERSION} and later can")
            try:
                yield self._session
            except StatementFailed:
                raise
            except BaseException:
                self._forget()
                raise

    def _forget(self) -> None:
        session, self._session = self._session, None
        self._visits, self._statements, self._blocking_sql = None, None, None
        if session is not None:
            session.terminate()
