"""Heartbeats of the processes that execute runs, and what becomes of the runs of one that has none any more."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from storage import executors, runs
from storage.database import Database
from storage.errors import StorageError
from storage.executors import Executor

if TYPE_CHECKING:
    from handlers.run_engine import Engine

logger = logging.getLogger(__name__)

LONGEST_LOOK_SECONDS = 1.0
# So many beats may be late, or lost with a connection, before a process is taken for dead.
LOOKS_OF_SILENCE = 5


class Takeover:
    """Says that this process is alive, and goes on with the runs of those that do not."""

    def __init__(
        self, database: Database, engine: Engine, call: Callable[..., Awaitable[Any]], *, silence: float
    ) -> None:
        """`call` has the engine's methods run in a thread. `silence` is how many seconds without a beat are a death."""
        self._database = database
        self._engine = engine
        self._call = call
        self._look_seconds = min(LONGEST_LOOK_SECONDS, silence / LOOKS_OF_SILENCE)
        self._most_looks = math.ceil(silence / self._look_seconds)
        self._seen: dict[Executor, int] = {}
        # A file is opened by one server: there are no others that could be alive.
        self._is_alone = database.is_sqlite

    async def run(self) -> None:
        """Beat and look until cancelled."""
        while True:
            try:
                await self._beat()
                await self.look()
            except StorageError as error:
                logger.warning("this process cannot say that it is alive: %s", error)
            except Exception:
                logger.exception("the runs of a process that died could not be taken over, trying again")
            await asyncio.sleep(self._look_seconds)

    async def _beat(self) -> None:
        async with self._database.write() as connection:
            was_known = await executors.beat(connection, self._engine.executor_id)
        if not was_known:
            logger.warning("this process was taken for dead, and its runs were taken over; it goes on with new ones")

    async def look(self) -> None:
        """Count a look at who is silent, and take over from who is too long. Looks are counted, not seconds: when it
        was this process that stood still, the others' beats are there to be read.
        """
        async with self._database.read() as connection:
            others = await executors.others(connection, self._engine.executor_id)
        self._seen = {other: self._seen.get(other, -1) + 1 for other in others}
        for other, silent_looks in self._seen.items():
            if self._is_alone or other.has_left or silent_looks >= self._most_looks:
                await self._take_over(other)

    async def _take_over(self, other: Executor) -> None:
        async with self._database.write() as connection:
            if not await executors.claim(connection, other):
                return
            if not other.has_left:
                await runs.lost(connection, other.id)
        count = 0
        while begun := await self._call(self._engine.begun_by, other.id):
            await self._call(self._engine.resume, begun)
            count += len(begun)
        async with self._database.write() as connection:
            await executors.remove(connection, other.id)
        if count:
            how = "stopped" if other.has_left else "died"
            logger.warning("the process %s %s; its %d unfinished runs go on elsewhere", other.id, how, count)
