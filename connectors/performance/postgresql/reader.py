"""What a PostgreSQL server knows of itself, from major version 13 on."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from connectors.errors import BadSettings, StatementFailed
from connectors.performance.clock import SourceClock
from connectors.performance.figures import (
    Level,
    Visit,
)
from connectors.performance.postgresql.session import Session
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

    async def visit(self, level: Level) -> Visit:
        async with self._asking() as session:
            if self._visits is None:
                self._visits = Visits(session, self._clock, self._now)
            return await self._visits.visit(level)

    async def aclose(self) -> None:
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
        session, self._session, self._visits = self._session, None, None
        if session is not None:
            session.terminate()
