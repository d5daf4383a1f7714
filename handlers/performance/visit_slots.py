"""How many visits are at work at once; those that only wait for an answer hold nobody up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

# Readers share the event loop: more would hold each other up.
VISITS_AT_ONCE = 8
# What takes longer waits for its source. Were it counted, a few that hang would put off all others.
SECONDS_AT_WORK = 1.0


class VisitSlots:
    """Room for so many visits; each leaves it when it ends, or after so many seconds if that is sooner."""

    def __init__(self, count: int = VISITS_AT_ONCE, seconds: float = SECONDS_AT_WORK) -> None:
        self._free = asyncio.Semaphore(count)
        self._seconds = seconds

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        await self._free.acquire()
        with contextlib.ExitStack() as taken:
            taken.callback(self._free.release)
            timer = asyncio.get_running_loop().call_later(self._seconds, taken.close)
            taken.callback(timer.cancel)
            yield
