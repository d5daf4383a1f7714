"""A bounded number of sessions with one source; who comes when all are taken waits for a turn."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

from connectors.errors import SourceLost

S = TypeVar("S")


class Sessions(Generic[S]):
    """Opens sessions as they are needed and keeps them for the next who asks.

    `is_well` is asked of a session before it is used again and after it was used; one that is not is closed.
    """

    def __init__(
        self,
        limit: int,
        open_one: Callable[[], Awaitable[S]],
        close_one: Callable[[S], Awaitable[None]],
        is_well: Callable[[S], bool],
    ) -> None:
        self._turns = asyncio.Semaphore(limit)
        self._open_one = open_one
        self._close_one = close_one
        self._is_well = is_well
        self._idle: list[S] = []
        self._busy: list[S] = []
        self._closed = False

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[S]:
        """A session of the caller's own until the block ends. Raises ConnectorError where none can be opened."""
        async with self._turns:
            session = await self._take()
            self._busy.append(session)
            try:
                yield session
            finally:
                if session in self._busy:
                    self._busy.remove(session)
                    await self._give_back(session)

    async def close(self) -> None:
        """Closes all, those in use too."""
        self._closed = True
        sessions, self._idle, self._busy = [*self._idle, *self._busy], [], []
        for session in sessions:
            await self._close_one(session)

    async def _take(self) -> S:
        while self._idle and not self._closed:
            session = self._idle.pop()
            if self._is_well(session):
                return session
            await self._close_one(session)
        if self._closed:
            raise SourceLost("the connection to the source was closed")
        return await self._open_one()

    async def _give_back(self, session: S) -> None:
        if self._closed or not self._is_well(session):
            await self._close_one(session)
        else:
            self._idle.append(session)
