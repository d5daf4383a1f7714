"""When a source is visited."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from connectors.performance.figures import Level
from handlers.performance.pacing import BREAKS_AFTER, Intervals, Pace, State, phase_of

INTERVALS = Intervals(10.0, 60.0, 300.0)
START = 1_800_000_000.0


def test_the_first_visit_is_at_once_and_asks_for_everything() -> None:
    pace = Pace(INTERVALS, 3, START + 4)
    assert pace.next_at == START + 4
    assert pace.due(START + 4) == [Level.FAST, Level.MEDIUM, Level.SLOW]
    assert pace.state is State.WAITING


@pytest.mark.parametrize("source_id", [1, 2, 7, 1000])
def test_each_interval_has_one_visit_of_each_level_whenever_the_loop_wakes(source_id: int) -> None:
    """Timers fire a little early or late; every aligned interval still has its one visit."""
    seed = source_id
    print(f"seed {seed}")
    chance = random.Random(seed)
    pace = Pace(INTERVALS, source_id, START)
    asked: dict[Level, list[float]] = {level: [] for level in Level}
    while pace.next_at < START + 3600:
        at = pace.next_at + chance.uniform(-0.01, 0.3)
        levels = pace.due(at)
        for level in levels:
            asked[level].append(at)
        pace.succeeded(levels, at, 0.002)
    for level, length in ((Level.FAST, 10), (Level.MEDIUM, 60), (Level.SLOW, 300)):
        # The first comes whenever collecting begins.
        turns = [int(at // length) for at in asked[level][1:]]
        assert turns == list(range(turns[0], turns[0] + len(turns))), level
        assert len(turns) >= 3600 // length - 1


def test_sources_are_spread_over_the_interval() -> None:
    phases = sorted(phase_of(source_id) for source_id in range(1, 101))
    assert phases[0] >= 0.1
    assert phases[-1] <= 0.6
    assert max(later - before for before, later in pairwise(phases)) < 0.02


def test_a_slow_source_is_visited_less_often() -> None:
    pace = Pace(INTERVALS, 1, START)
    pace.succeeded(list(Level), START, 4.0)
    assert START + 40 <= pace.next_at < START + 50
    pace.succeeded((Level.FAST,), pace.next_at, 0.1)
    second = pace.next_at
    pace.succeeded((Level.FAST,), second, 0.1)
    assert pace.next_at == second + 10


def test_a_source_that_fails_is_tried_at_the_next_turn_and_then_left_alone_for_longer_and_longer() -> None:
    pace = Pace(INTERVALS, 1, START)
    rests: list[float] = []
    at = START
    while len(rests) < 8:
        if not pace.is_left_alone(at):
            assert pace.due(at) == ((Level.FAST,) if pace.failures else list(Level))
            pace.failed(at, 0.0)
            if pace.failures >= BREAKS_AFTER:
                rests.append(at)
                assert pace.state is State.PAUSED
            else:
                assert pace.state is State.FAILING
        else:
            pace.left_alone(at)
        assert 0 < pace.next_at - at <= 10.0 + 1e-6  # every turn is accounted for, also while nobody visits
        at = pace.next_at
    pauses = [later - before for before, later in pairwise(rests)]
    assert pauses[0] == pytest.approx(30, abs=10)
    assert pauses[1] == pytest.approx(60, abs=10)
    # One that is back is known to be soon, however long it was away.
    assert all(pause <= 60 + 10 for pause in pauses)
    assert pauses[-1] == pytest.approx(60, abs=10)


def test_a_source_that_is_back_is_asked_for_all_that_was_missed() -> None:
    pace = Pace(INTERVALS, 1, START, failures=5)
    assert pace.due(START) == (Level.FAST,)
    pace.succeeded((Level.FAST,), START, 0.01)
    assert pace.state is State.WORKING
    assert set(pace.due(pace.next_at)) == set(Level)
