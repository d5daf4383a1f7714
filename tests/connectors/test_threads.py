"""Calls that block in a thread: interrupted when their time is over, and for as long as they do not heed it."""

import asyncio
import threading

import pytest

from connectors import threads
from connectors.errors import StatementTimeout
from connectors.threads import InterruptibleThread

DEADLINE = 20.0


class Deaf:
    """Work that heeds no interrupt before the time set, as an engine that still plans a statement."""

    def __init__(self) -> None:
        self.hears = threading.Event()
        self.ended = threading.Event()
        self.begun = threading.Event()

    def interrupt(self) -> None:
        if self.hears.is_set():
            self.ended.set()

    def work(self) -> None:
        self.begun.set()
        assert self.ended.wait(DEADLINE)


def test_what_did_not_stop_at_once_is_stopped_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_PATIENCE", 0.05)
    deaf = Deaf()
    thread = InterruptibleThread("deaf", deaf.interrupt)
    with pytest.raises(StatementTimeout):
        asyncio.run(thread.run(deaf.work, 0.01))
    assert thread.is_stuck
    thread.close()
    # Nobody waits any more, and the loop is gone.
    deaf.hears.set()
    assert deaf.ended.wait(DEADLINE)


def test_it_is_stopped_though_whoever_waits_for_that_is_cancelled_again() -> None:
    deaf = Deaf()
    thread = InterruptibleThread("deaf", deaf.interrupt)

    async def scenario() -> None:
        waiting = asyncio.ensure_future(thread.run(deaf.work, DEADLINE))
        assert await asyncio.to_thread(deaf.begun.wait, DEADLINE)
        waiting.cancel()
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(scenario())
    thread.close()
    deaf.hears.set()
    assert deaf.ended.wait(DEADLINE)


def test_a_thread_that_heeded_is_used_again() -> None:
    deaf = Deaf()
    deaf.hears.set()
    thread = InterruptibleThread("heeding", deaf.interrupt)

    async def scenario() -> int:
        with pytest.raises(StatementTimeout):
            await thread.run(deaf.work, 0.01)
        assert not thread.is_stuck
        return await thread.run(lambda: 1, DEADLINE)

    assert asyncio.run(scenario()) == 1
    thread.close()
