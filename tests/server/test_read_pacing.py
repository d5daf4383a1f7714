"""A busy server polls once an interval; one with little to do at once."""

import asyncio
from collections.abc import Callable

import pytest

from server.read_pacing import ReadPacing

INTERVAL = 0.008


class Time:
    """A clock that only sleeping and the test move."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def play(pacing: ReadPacing, time: Time, *, rate: int, work: float, seconds: float) -> None:
    """So many messages a second come for so long; each turn takes what has come, and takes so long in all."""

    async def run() -> None:
        end, read = time.now + seconds, 0
        start = time.now
        while time.now < end:
            time.now += work
            due = int((time.now - start) * rate)
            for _ in range(due - read):
                pacing.note()
            read = due
            # What was asked for in this turn runs.
            await asyncio.sleep(0)

    asyncio.run(run())


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def pacing(time: Time) -> ReadPacing:
    return ReadPacing(INTERVAL, lambda: time.now, time.sleep)


def test_a_server_with_little_to_do_never_waits(pacing: ReadPacing, time: Time) -> None:
    play(pacing, time, rate=100, work=0.0005, seconds=2)
    assert time.slept == []


def test_a_busy_server_polls_once_an_interval(pacing: ReadPacing, time: Time) -> None:
    play(pacing, time, rate=2000, work=0.0005, seconds=2)
    # But for the first moments; and the work of a turn counts.
    assert 200 < len(time.slept) <= 250
    assert time.slept == pytest.approx([INTERVAL - 0.0005] * len(time.slept))


def test_a_server_that_is_busy_without_a_pause_is_not_held_up(pacing: ReadPacing, time: Time) -> None:
    play(pacing, time, rate=2000, work=0.02, seconds=2)
    assert set(time.slept) == {0.0}


def test_it_waits_no_more_once_it_is_quiet_again(pacing: ReadPacing, time: Time) -> None:
    play(pacing, time, rate=2000, work=0.0005, seconds=1)
    time.slept.clear()
    play(pacing, time, rate=10, work=0.0005, seconds=5)
    assert len(time.slept) <= 1


def test_without_an_interval_nothing_is_asked_of_the_loop() -> None:
    def never(_: float) -> None:
        raise AssertionError

    clock: Callable[[], float] = iter(range(10_000)).__next__
    pacing = ReadPacing(0.0, clock, never)
    for _ in range(1000):
        # Outside a loop: to ask for anything would raise.
        pacing.note()
