"""Work done once for all who ask, and stopped when nobody wants it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from handlers.computations import Computations, Kept, Progress, Underway

DEADLINE = 5.0


class Slow:
    """Work that ends when it is told to; counts how often it was begun and stopped."""

    def __init__(self) -> None:
        self.begun = self.stopped = 0
        self.may_end = asyncio.Event()
        self.is_begun = asyncio.Event()
        self.is_stopped = asyncio.Event()

    async def __call__(self, progress: Progress) -> str:
        self.begun += 1
        self.is_begun.set()
        progress.note = "reading"
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.stopped += 1
            self.is_stopped.set()
            raise
        return "done"


def play(scenario: Callable[[Slow], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE):
            await scenario(Slow())

    asyncio.run(run())


def test_who_asks_for_the_same_shares_the_work() -> None:
    async def scenario(slow: Slow) -> None:
        computations = Computations()
        asking = [asyncio.create_task(computations.get("a", slow, wait=DEADLINE)) for _ in range(5)]
        await slow.is_begun.wait()
        slow.may_end.set()
        assert await asyncio.gather(*asking) == ["done"] * 5
        assert (slow.begun, computations.underway) == (1, 0)

    play(scenario)


def test_work_ends_with_the_last_who_waits_for_it() -> None:
    async def scenario(slow: Slow) -> None:
        computations = Computations()
        first, second = (asyncio.create_task(computations.get("a", slow, wait=DEADLINE)) for _ in range(2))
        await slow.is_begun.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert (slow.stopped, computations.underway) == (0, 1)
        second.cancel()
        await slow.is_stopped.wait()
        assert computations.underway == 0

    play(scenario)


def test_who_does_not_wait_finds_it_when_asking_again() -> None:
    async def scenario(slow: Slow) -> None:
        computations = Computations()
        with pytest.raises(Underway) as told:
            await computations.get("a", slow, wait=0.01)
        assert told.value.progress.note == "reading"
        slow.may_end.set()
        assert await computations.get("a", slow, wait=DEADLINE) == "done"
        assert slow.begun == 1

    play(scenario)


def test_work_that_nobody_asks_for_again_is_stopped() -> None:
    async def scenario(slow: Slow) -> None:
        computations = Computations(patience=0.05)
        with pytest.raises(Underway):
            await computations.get("a", slow, wait=0.01)
        await slow.is_stopped.wait()
        assert computations.underway == 0

    play(scenario)


def test_who_looks_in_and_goes_away_leaves_it_to_the_patience() -> None:
    """Somebody was told to ask again; that another one goes away does not take the work from them."""

    async def scenario(slow: Slow) -> None:
        computations = Computations()
        with pytest.raises(Underway):
            await computations.get("a", slow, wait=0.01)
        gone = asyncio.create_task(computations.get("a", slow, wait=DEADLINE))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        assert slow.stopped == 0
        await computations.close()
        assert slow.stopped == 1

    play(scenario)


def test_a_failure_is_told_to_all_and_kept_from_nobody_later() -> None:
    async def scenario(slow: Slow) -> None:
        async def failing(_: Progress) -> str:
            await slow.may_end.wait()
            raise ValueError("no")

        computations = Computations()
        asking = [asyncio.create_task(computations.get("a", failing, wait=DEADLINE)) for _ in range(2)]
        await asyncio.sleep(0)
        slow.may_end.set()
        told = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(error) for error in told] == [ValueError, ValueError]
        assert await computations.get("a", slow, wait=DEADLINE) == "done"

    play(scenario)


def test_what_is_kept_is_bounded_and_ages() -> None:
    now = [0.0]
    kept = Kept(10, clock=lambda: now[0])
    kept.put("a", "A", 4)
    kept.put("b", "B", 4)
    assert kept.get("a") == "A"
    kept.put("c", "C", 4)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == ("A", None, "C")
    kept.put("d", "D", 11)
    assert kept.get("d") is None
    now[0] = 3.0
    assert (kept.get("a", max_age=2.0), kept.get("a", max_age=4.0)) == (None, "A")
    kept.put("a", "A2", 10)
    assert (kept.get("a"), kept.get("c")) == ("A2", None)
