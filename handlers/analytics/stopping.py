"""When a computation has to end: its time is over, or nobody wants it any more. Runs in a reader."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from handlers.analytics.tasks import Told
from handlers.source_readers import Tell

T = TypeVar("T")

TELL_SECONDS = 0.25


class OutOfTime(Exception):
    """The time that was given is over."""


class Stopped(Exception):
    """Nobody waits for it any more."""


class Refused(Exception):
    """It cannot be computed, for a reason that is the caller's to know: a word for programs, a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Course:
    """How a computation goes: analyses look here between their steps, and say here how far they are."""

    def __init__(self, seconds: float, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._deadline = clock() + seconds
        self._tell = tell
        self._told = -TELL_SECONDS
        self._stopped = threading.Event()

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self._deadline - self._clock())

    def check(self) -> None:
        """Raises Stopped, OutOfTime. From any thread."""
        if self._stopped.is_set():
            raise Stopped
        if self._clock() > self._deadline:
            raise OutOfTime

    def tell(self, share: float | None, note: str) -> None:
        """A few times a second at most; what comes in between is left out."""
        now = self._clock()
        if now - self._told >= TELL_SECONDS:
            self._told = now
            self._tell(Told(share=None if share is None else round(min(1.0, max(0.0, share)), 3), note=note))

    def part(self, begin: float) -> Callable[[float, str], None]:
        """`tell` for what makes up the rest from this share on."""
        return lambda share, note: self.tell(begin + (1 - begin) * share, note)

    async def compute(self, work: Callable[[], T]) -> T:
        """What `work()` returns, from a thread. Cancelled, it waits until the work has noticed."""
        thread = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            return await asyncio.shield(thread)
        except asyncio.CancelledError:
            self._stopped.set()
            # Whoever cancels kills this process if it takes too long.
            await asyncio.wait((thread,))
            thread.exception()
            raise
