"""Visits become samples with markers: whatever happens, no rate is taken across two lives of a counter."""

import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_world import GROUPS, INTERVAL_MS, World, happen

from connectors.performance.epochs import follow, recalled
from connectors.performance.figures import COUNTER, GAUGE, Figure, FigureGroup, Visit

events = st.one_of(
    st.tuples(st.just("visit"), st.booleans()),
    st.tuples(st.just("visit"), st.just(True)),
    st.tuples(st.just("busy"), st.sampled_from([0, 1, 500, 5_000])),
    st.tuples(st.just("reset"), st.sampled_from(sorted(GROUPS))),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("failover"), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([1, 2, 10_000, 20_000, 60_000, -1, -30_000, -3_600_000, 86_400_000])),
    st.tuples(st.just("die"), st.none()),
    st.tuples(st.just("interrupt"), st.none()),
    st.tuples(st.just("hide"), st.sampled_from(["commits", "reads", "wal"])),
)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(events, max_size=60))
def test_no_rate_is_taken_across_two_lives(happening: list[tuple[str, object]]) -> None:
    world = World()
    for name, how in happening:
        happen(world, name, how)
    for key, first, second in world.rated():
        assert world.lives[*key, first] == world.lives[*key, second], (key, first, second)


@given(st.lists(st.sampled_from(["visit", "late", "die"]), min_size=2, max_size=20))
def test_nothing_is_left_out_while_nothing_happens(steps: list[str]) -> None:
    """A visit that was missed, and a collector that takes over in time, cost nothing."""
    world = World()
    world.visit()
    visits = 1
    for step in steps:
        for key in world.server.values:
            world.server.values[key] += 7
        world.now_ms += 2 * INTERVAL_MS if step == "late" else INTERVAL_MS
        if step == "die":
            world.replace_collector()
        world.visit()
        visits += 1
    assert len(world.rated()) == (visits - 1) * len(world.server.values)


def test_a_counter_that_passed_its_old_value_after_a_reset_has_a_marker() -> None:
    world = World()
    world.visit()
    world.server.reset("database/a")
    for key in world.server.values:
        world.server.values[key] += 9_000_000
    world.now_ms += INTERVAL_MS
    samples = world.visit().samples
    assert {sample.figure.metric for sample in samples if math.isnan(sample.figure.value)} == {"commits", "rollbacks"}
    assert {sample.at_ms for sample in samples if math.isnan(sample.figure.value)} == {world.now_ms - 1}


def test_a_reset_of_statistics_does_not_interrupt_gauges_but_a_restart_does() -> None:
    size = Figure("size", (), GAUGE, "By", 5.0)
    visit = Visit(1_000, "server", [FigureGroup("sizes", "1", [size])], 0.0)
    before = follow(None, visit, INTERVAL_MS).standing
    reset = replace(visit, at_ms=11_000, groups=[FigureGroup("sizes", "2", [size])])
    assert [sample.figure.value for sample in follow(before, reset, INTERVAL_MS).samples] == [5.0]
    restart = replace(visit, at_ms=11_000, server="another")
    marker, value = follow(before, restart, INTERVAL_MS).samples
    assert math.isnan(marker.figure.value)
    assert (marker.at_ms, value.at_ms) == (10_999, 11_000)


def test_a_gap_begins_where_the_next_sample_was_due() -> None:
    world = World()
    first = world.now_ms
    world.visit()
    world.now_ms += 6 * INTERVAL_MS
    world.visit()
    assert {at for at, value in world.stored["reads", "database/b"].items() if math.isnan(value)} == {
        first - 1,
        first + INTERVAL_MS,
        world.now_ms - 1,
    }


def test_what_is_gone_ends_with_a_marker() -> None:
    world = World()
    world.visit()
    world.hidden = {"wal", "commits"}
    world.now_ms += INTERVAL_MS
    ended = [sample.figure.metric for sample in world.visit().samples if math.isnan(sample.figure.value)]
    assert sorted(ended) == ["bytes", "commits"]


def test_a_source_that_does_not_answer_ends_everything_at_once() -> None:
    world = World()
    world.visit()
    world.now_ms += 3_000
    world.interrupt()
    assert all(math.isnan(samples[world.now_ms]) for samples in world.stored.values())
    world.now_ms += 3_000
    world.visit()
    assert world.rated() == []


def test_a_clock_that_was_set_back_leaves_no_samples_until_it_has_caught_up() -> None:
    world = World()
    world.visit()
    world.now_ms -= 5_000
    early = world.visit()
    assert (early.is_too_early, early.samples) == (True, [])
    world.now_ms += INTERVAL_MS
    assert not world.visit().is_too_early
    assert len(world.rated()) == len(world.server.values)


def test_a_clock_that_was_ahead_for_a_while_is_put_right_at_once() -> None:
    """What it made of the future stays by itself, and is gone around when the time has come."""
    world = World()
    world.visit()
    hour = 360 * INTERVAL_MS
    for ahead_ms in (hour, INTERVAL_MS, INTERVAL_MS - hour):
        world.now_ms += ahead_ms
        for key in world.server.values:
            world.server.values[key] += 5
        assert not world.visit().is_too_early
    # From now on everything is counted anew, so that what lies ahead is less than what comes before it, or more.
    world.server.reset("wal")
    rated = []
    for _ in range(400):
        world.now_ms += INTERVAL_MS
        world.server.values["wal", "bytes"] += 1
        rated.append(not world.visit().is_too_early)
    assert 395 <= sum(rated) < 400
    for key, first, second in world.rated():
        assert world.lives[*key, first] == world.lives[*key, second]
        assert second - first == INTERVAL_MS


def test_what_is_not_a_number_is_no_sample() -> None:
    odd = [Figure("age", (), GAUGE, "s", value) for value in (math.nan, math.inf)]
    assert follow(None, Visit(1_000, "server", [FigureGroup("ages", "1", odd)], 0.0), INTERVAL_MS).samples == []


@pytest.mark.parametrize(
    "text", ["", "{}", "[", '{"fast": 1}', '{"slow": {"at_ms": 1, "server": "s", "groups": {"a": "1"}}}']
)
def test_a_note_that_says_nothing_leaves_what_was_stored_alone(text: str) -> None:
    assert recalled(text, {}) == {}
    [(_, standing)] = recalled(text, {"slow": 20_000}).items()
    visit = Visit(20_001, "s", [FigureGroup("a", "1", [Figure("reads", (), COUNTER, "", 5.0)])], 0.0)
    assert follow(standing, visit, INTERVAL_MS).is_too_early
    marker, value = follow(standing, replace(visit, at_ms=21_000), INTERVAL_MS).samples
    assert math.isnan(marker.figure.value)
    assert value.at_ms == 21_000


def test_a_collector_that_died_before_its_note_leaves_a_gap() -> None:
    """The note says what goes on, but there are samples of another server after it."""
    world = World()
    world.visit()
    world.active = 1
    world.now_ms += INTERVAL_MS
    world.visit(notes=False)
    world.active = 0
    for key in world.server.values:
        world.server.values[key] += 5_000
    world.replace_collector()
    world.now_ms += INTERVAL_MS
    world.visit()
    assert world.rated() == []
