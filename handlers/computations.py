"""Work that takes a while: done once for all who ask for the same, whether they wait for it or look in again.

Who waits and goes away takes the work along, if nobody else wants it. Who was told that it goes on, and asks again
within `patience` seconds, finds it where it is; work that nobody has asked for in that time is stopped.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# Panels look in every few seconds; a browser's sleeping tab every minute is too seldom to keep a source busy.
PATIENCE = 30.0
# Of answers, as JSON: some hundred of the largest, thousands of usual ones.
KEPT_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class Progress:
    """How far the work is: `share` from 0 to 1, None where nobody knows."""

    share: float | None = None
    note: str | None = None
    at: float = 0.0


@dataclass(slots=True, eq=False)
class _Work:
    task: asyncio.Task[Any]
    progress: Progress
    began: float
    waiting: int = 0
    asked: float = 0.0
    timer: asyncio.TimerHandle | None = None


class Underway(Exception):
    """The work goes on: ask again for what comes of it."""

    def __init__(self, progress: Progress, seconds: float) -> None:
        super().__init__("the work goes on")
        self.progress = progress
        self.seconds = seconds


Start = Callable[[Progress], Awaitable[T]]


class Computations:
    """What is being worked on in this process, by key."""

    def __init__(self, *, patience: float = PATIENCE, clock: Callable[[], float] = time.monotonic) -> None:
        self.kept = Kept(KEPT_BYTES, clock)
        self._patience = patience
        self._clock = clock
        self._work: dict[Hashable, _Work] = {}
        self._closed = False

    @property
    def underway(self) -> int:
        """How much is being worked on."""
        return sum(not work.task.done() for work in self._work.values())

    async def get(self, key: Hashable, start: Start[T], *, wait: float) -> T:
        """What comes of `start(progress)`, begun unless somebody did, if it is there within `wait` seconds.

        Raises what the work raises, to everybody who asked, and Underway where it takes longer.
        """
        work = self._work.get(key)
        if work is None:
            work = self._begun(key, start)
        work.asked = self._clock()
        work.waiting += 1
        try:
            # Not `wait_for`: the work goes on when the waiting ends.
            await asyncio.wait((work.task,), timeout=wait)
        except asyncio.CancelledError:
            if work.waiting == 1 and work.timer is None:
                self._stop(key, work)
            raise
        finally:
            work.waiting -= 1
        if not work.task.done():
            self._look_later(key, work)
            raise Underway(work.progress, self._clock() - work.began)
        self._forget(key, work)
        return work.task.result()  # type: ignore[no-any-return]

    async def close(self) -> None:
        """Stops all of it."""
        self._closed = True
        tasks = [work.task for work in self._work.values()]
        for key, work in list(self._work.items()):
            self._stop(key, work)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begun(self, key: Hashable, start: Start[T]) -> _Work:
        if self._closed:
            raise RuntimeError("the server is stopping")
        progress = Progress()
        task = asyncio.ensure_future(_started(start, progress))
        # Whoever waits is told; if nobody does any more, nobody needs to know.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        work = self._work[key] = _Work(task, progress, self._clock())
        return work

    def _look_later(self, key: Hashable, work: _Work) -> None:
        if work.timer is None:
            work.timer = asyncio.get_running_loop().call_later(self._patience, self._look, key, work)

    def _look(self, key: Hashable, work: _Work) -> None:
        """Stops what nobody has asked for lately; what has ended is forgotten."""
        work.timer = None
        left = work.asked + self._patience - self._clock()
        if not work.waiting and left <= 0:
            self._stop(key, work)
        else:
            work.timer = asyncio.get_running_loop().call_later(max(left, 0.01), self._look, key, work)

    def _stop(self, key: Hashable, work: _Work) -> None:
        work.task.cancel()
        self._forget(key, work)

    def _forget(self, key: Hashable, work: _Work) -> None:
        if work.timer is not None:
            work.timer.cancel()
            work.timer = None
        if self._work.get(key) is work:
            del self._work[key]


async def _started(start: Start[T], progress: Progress) -> T:
    return await start(progress)


@dataclass(slots=True)
class _Entry(Generic[T]):
    value: T
    size: int
    at: float = field(default=0.0)


class Kept:
    """Answers kept in memory, at most so many bytes of them; those that nobody asked for the longest go first."""

    def __init__(self, most_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most_bytes
        self._clock = clock
        self._entries: OrderedDict[Hashable, _Entry[Any]] = OrderedDict()
        self._size = 0

    def get(self, key: Hashable, *, max_age: float | None = None) -> Any | None:
        """What was kept, None if it is not there or older than so many seconds."""
        entry = self._entries.get(key)
        if entry is None or (max_age is not None and self._clock() - entry.at > max_age):
            return None
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: Hashable, value: Any, size: int) -> None:
        """`size` is about how many bytes it takes."""
        self.drop(key)
        if size > self._most:
            return
        self._entries[key] = _Entry(value, size, self._clock())
        self._size += size
        while self._size > self._most:
            _, oldest = self._entries.popitem(last=False)
            self._size -= oldest.size

    def drop(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= entry.size
