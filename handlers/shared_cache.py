"""A cache whose misses are read once however many ask; what was dropped while it was read is not kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# The one who was reading went away: whoever waits must read for itself.
_ABANDONED: Final = object()


class SharedCache(Generic[K, V]):
    """`read` is called on a miss. An answer is kept for `max_age` seconds, at most `max_entries` of them.

    The age bounds how long a change made by another process stays unseen; changes made here call `drop`.
    """

    def __init__(
        self,
        read: Callable[[K], Awaitable[V]],
        *,
        max_age: float,
        max_entries: int = 50_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._max_age = max_age
        self._max_entries = max_entries
        self._clock = clock
        self._entries: dict[K, tuple[float, V]] = {}
        self._reading: dict[K, asyncio.Future[Any]] = {}

    async def get(self, key: K) -> V:
        """The cached or freshly read answer; raises what `read` raises, and caches no failure."""
        while True:
            entry = self._entries.get(key)
            if entry is not None and self._clock() - entry[0] < self._max_age:
                return entry[1]  # not `peek`: None may be the answer
            reading = self._reading.get(key)
            if reading is None:
                return await self._read_for_all(key)
            answer = await asyncio.shield(reading)
            if answer is not _ABANDONED:
                return answer  # type: ignore[no-any-return]

    def peek(self, key: K) -> V | None:
        """The cached answer if it is there and young enough, without reading."""
        entry = self._entries.get(key)
        return entry[1] if entry is not None and self._clock() - entry[0] < self._max_age else None

    def drop(self, matches: Callable[[K], bool]) -> None:
        """Forgets matching answers, those being read at this moment too."""
        for held in (self._entries, self._reading):
            for key in [key for key in held if matches(key)]:
                del held[key]

    async def _read_for_all(self, key: K) -> V:
        reading: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._reading[key] = reading
        started = self._clock()
        try:
            value = await self._read(key)
        except asyncio.CancelledError:
            reading.set_result(_ABANDONED)
            raise
        except Exception as error:
            reading.set_exception(error)
            reading.exception()  # marks it as seen: the error is raised here whether or not somebody waits
            raise
        else:
            reading.set_result(value)
            if self._reading.get(key) is reading:
                self._keep(key, started, value)
            return value
        finally:
            if self._reading.get(key) is reading:
                del self._reading[key]

    def _keep(self, key: K, started: float, value: V) -> None:
        self._entries.pop(key, None)
        while len(self._entries) >= self._max_entries:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = (started, value)
