"""Values for stretches of time: the same as plain loops say, for any samples, markers, resets and steps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_timeseries import Sample, counter, gauge

from analysis.timeseries.counters import Growth, grown
from analysis.timeseries.gauges import Summary, summarised
from analysis.timeseries.grid import Grid, aligned
from analysis.timeseries.rollups import How, RollupRows, of_rollups
from analysis.timeseries.rows import Rows, longest_hold

NAN = math.nan
SUMMARIES: tuple[Summary, ...] = ("avg", "min", "max", "sum", "last", "count")
GROWTHS: tuple[Growth, ...] = ("rate", "increase")

# Distances of a few kinds, so that values hold, run out, and come many to a stretch.
DISTANCES = st.sampled_from([1, 400, 1_000, 10_000, 10_007, 24_000, 60_000, 200_000, 899_999, 900_001, 3_000_000])
VALUES = st.one_of(st.integers(-5, 50).map(float), st.just(NAN), st.floats(-1e6, 1e6))


@st.composite
def samples_of_one(draw: st.DrawFn) -> list[Sample]:
    at, made = draw(st.integers(-2_000_000, 500_000)), []
    for _ in range(draw(st.integers(0, 25))):
        at += draw(DISTANCES)
        made.append((at, draw(VALUES)))
    return made


SERIES = st.lists(samples_of_one(), min_size=1, max_size=4)
STEPS = st.sampled_from([1_000, 10_000, 60_000, 300_000])


def rows_of(series: list[list[Sample]]) -> Rows:
    index = [i for i, samples in enumerate(series) for _ in samples]
    flat = [sample for samples in series for sample in samples]
    return Rows(
        len(series),
        np.array(index, np.int64),
        np.array([at for at, _ in flat], np.int64),
        np.array([value for _, value in flat], np.float64),
    )


def grid_of(step: int) -> Grid:
    return aligned(0, 60 * step, step)


@settings(max_examples=150, deadline=None)
@given(SERIES, STEPS, st.sampled_from(SUMMARIES))
def test_gauges_are_what_plain_loops_say(series: list[list[Sample]], step: int, summary: Summary) -> None:
    grid = grid_of(step)
    expected = [[gauge(samples, int(t), step, summary) for t in grid.times] for samples in series]
    np.testing.assert_allclose(summarised(rows_of(series), grid, summary), expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=150, deadline=None)
@given(SERIES, STEPS, st.sampled_from(GROWTHS))
def test_counters_are_what_plain_loops_say(series: list[list[Sample]], step: int, growth: Growth) -> None:
    grid = grid_of(step)
    expected = [[counter(samples, int(t), step, growth) for t in grid.times] for samples in series]
    np.testing.assert_allclose(grown(rows_of(series), grid, growth), expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(SERIES, STEPS, st.sampled_from(["avg", "last", "rate", "increase"]), st.integers(0, 59))
def test_stretches_depend_on_rows_from_two_longest_holds_before(
    series: list[list[Sample]], step: int, how: str, first: int
) -> None:
    """What a part of the grid is told for is the same whether rows long before it are there or not."""
    grid = grid_of(step)
    part = grid.since(int(grid.times[first]))
    since = part.start_ms - 2 * longest_hold(step)
    cut = [[sample for sample in samples if sample[0] >= since] for samples in series]

    def told(kept: list[list[Sample]], over: Grid) -> object:
        rows = rows_of(kept)
        return grown(rows, over, how) if how in GROWTHS else summarised(rows, over, how)  # type: ignore[arg-type]

    np.testing.assert_array_equal(told(cut, part), np.asarray(told(series, grid))[:, first:])


def test_a_counter_that_begins_anew_leaves_a_gap_and_no_spike() -> None:
    rows = rows_of([[(0, 100.0), (10_000, 200.0), (20_000, 5.0), (30_000, 15.0), (40_000, NAN), (50_000, 900.0)]])
    rates = grown(rows, Grid(0, 10_000, 7), "rate")[0]
    np.testing.assert_array_equal(rates, [NAN, 10.0, NAN, 1.0, NAN, NAN, NAN])


def test_a_rate_of_an_open_stretch_is_of_the_time_that_is_known() -> None:
    rows = rows_of([[(50_000, 0.0), (60_000, 10.0), (70_000, 20.0)]])
    np.testing.assert_array_equal(grown(rows, Grid(60_000, 60_000, 1), "rate"), [[1.0]])


def test_what_came_once_a_minute_has_its_rate_each_ten_seconds() -> None:
    rows = rows_of([[(0, 0.0), (60_000, 60.0), (120_000, 60.0), (180_000, 240.0)]])
    rates = grown(rows, Grid(0, 10_000, 19), "rate")[0]
    np.testing.assert_array_equal(rates[1:7], [1.0] * 6)
    np.testing.assert_array_equal(rates[7:13], [0.0] * 6)
    np.testing.assert_array_equal(rates[13:19], [3.0] * 6)
    increases = grown(rows, Grid(0, 10_000, 19), "increase")[0]
    assert np.nansum(increases) == 240.0


def test_a_gauge_that_falls_silent_is_a_gap_after_two_and_a_half_distances() -> None:
    rows = rows_of([[(0, 1.0), (10_000, 2.0), (20_000, 3.0)]])
    np.testing.assert_array_equal(summarised(rows, Grid(0, 10_000, 7), "avg")[0], [1, 2, 3, 3, 3, NAN, NAN])


@pytest.mark.parametrize("how", ["avg", "min", "max", "sum", "last", "count", "increase", "rate"])
def test_stretches_made_of_shorter_ones_are_those_of_the_samples(how: How) -> None:
    seed = 20_260
    print("seed", seed)
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 9, 720).cumsum()
    rows, minute = rows_of([[(10_000 * i, float(value)) for i, value in enumerate(values)]]), Grid(0, 60_000, 120)
    own: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {
        name: summarised(rows, minute, name)[0] for name in SUMMARIES
    }
    increase = grown(rows, minute, "increase")[0]
    # The first minute has one sample fewer to grow from.
    seconds = np.where(minute.times == 0, 50.0, 60.0)
    rollups = RollupRows(
        1,
        np.zeros(120, np.int64),
        minute.times,
        own["count"].astype(np.int64),
        own["sum"],
        own["min"],
        own["max"],
        own["last"],
        increase,
        seconds,
        np.zeros(120, bool),
    )
    grid = Grid(0, 900_000, 8)
    expected = grown(rows, grid, how) if how in GROWTHS else summarised(rows, grid, how)  # type: ignore[arg-type]
    np.testing.assert_allclose(of_rollups(rollups, grid, how), expected, rtol=1e-12)
