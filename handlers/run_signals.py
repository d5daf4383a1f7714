"""What wakes runs that wait: an answer that somebody sent, a time that has come, the end of another run.

What is waited for is in the database, so that any process can go on waiting. Words over the bus only say when to look;
one that is lost costs until the next look.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import run_signals, runs
from storage.bus.channels import Bus
from storage.database import Database

CHANNEL = "run.signals"
# Without a word: how late an answer is noticed.
LOOK_SECONDS = 2.0


class RunSignals:
    """For the server's loop."""

    def __init__(self, database: Database, bus: Bus, now: Callable[[], datetime]) -> None:
        self._database = database
        self._bus = bus
        self._now = now
        # By run, those that wait here.
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def after(self, seconds: float | None) -> datetime | None:
        """When so many seconds will be over."""
        return None if seconds is None else self._now() + timedelta(seconds=seconds)

    async def answer(self, run_id: str, topic: str, seconds: float | None) -> tuple[bool, Any]:
        """Whether an answer came, and which. It is waited for as long as was said when the topic was first named."""
        expires_at = self.after(seconds)
        async with self._database.write() as connection:
            signal = await run_signals.expect(connection, run_id, topic, expires_at=expires_at)
        # An interval, not a time of day: a clock that is set does not make a run wait again.
        left = None if signal.expires_at is None else (signal.expires_at - self._now()).total_seconds()
        ends_at = None if left is None else asyncio.get_running_loop().time() + left

        async def look() -> Any:
            async with self._database.read() as connection:
                return await run_signals.find(connection, run_id, topic)

        with self._listening(run_id) as news:
            while True:
                news.clear()
                found = await look()
                if found is not None and found.answer is not None:
                    return True, msgspec.json.decode(found.answer)
                if ends_at is not None and asyncio.get_running_loop().time() >= ends_at:
                    return False, None
                await _until(news, ends_at)

    async def ended(self, run_id: str) -> runs.Run | None:
        """The run, once it has ended; None if it is gone."""
        with self._listening(run_id) as news:
            while True:
                news.clear()
                async with self._database.read() as connection:
                    run = await runs.get(connection, run_id)
                if run is None or run.finished_at is not None:
                    return run
                await _until(news, None)

    async def send(self, connection: AsyncConnection, run_id: str, topic: str, value: Any) -> bool:
        """Answers the run, in the caller's transaction; call `tell` after the commit. Whether it is the first answer.

        The run must exist.
        """
        return await run_signals.answer(connection, run_id, topic, value)

    def tell(self, run_id: str) -> None:
        """Whoever waits for something of the run looks at once."""
        self._wake(run_id)
        self._bus.publish(CHANNEL, run_id.encode())

    def listen(self) -> Callable[[], None]:
        """Hears other nodes, until the returned function is called."""
        self._bus.subscribe(CHANNEL, self)
        return lambda: self._bus.unsubscribe(CHANNEL, self)

    # Hearing, as a listener of the bus

    def received(self, message: bytes) -> None:
        self._wake(message.decode())

    def resumed(self) -> None:
        for run_id in tuple(self._waiting):
            self._wake(run_id)

    def _wake(self, run_id: str) -> None:
        for event in self._waiting.get(run_id, ()):
            event.set()

    @contextlib.contextmanager
    def _listening(self, run_id: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._waiting.setdefault(run_id, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[run_id].discard(event)
            if not self._waiting[run_id]:
                del self._waiting[run_id]


async def _until(news: asyncio.Event, ends_at: float | None) -> None:
    """There are news, or it is time to look anyway."""
    pause = LOOK_SECONDS
    if ends_at is not None:
        pause = min(pause, max(0.0, ends_at - asyncio.get_running_loop().time()))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(pause):
            await news.wait()
