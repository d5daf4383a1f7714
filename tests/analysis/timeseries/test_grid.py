"""Steps and where they begin: in UTC, whatever the clocks on the wall do."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from analysis.timeseries.grid import LADDER_MS, aligned, choose_step


@given(st.integers(0, 4 * 10**12), st.integers(1, 10**9), st.sampled_from(LADDER_MS))
def test_whole_steps_hold_the_range_and_no_more(start: int, span: int, step: int) -> None:
    grid = aligned(start, start + span, step)
    assert grid.start_ms % step == 0
    assert grid.start_ms <= start < grid.start_ms + step
    assert grid.end_ms - step < start + span <= grid.end_ms
    assert list(grid.times[:3]) == [grid.start_ms + i * step for i in range(min(3, grid.count))]


@given(st.integers(1, 10**12), st.integers(1, 11_000))
def test_the_step_is_the_shortest_of_the_ladder_that_makes_few_enough_points(span: int, points: int) -> None:
    step = choose_step(span, points)
    assert span <= step * points
    shorter = [each for each in LADDER_MS if each < step]
    assert all(span > each * points for each in shorter)
    assert step in LADDER_MS or step % LADDER_MS[-1] == 0


def test_days_begin_at_midnight_in_utc_also_where_clocks_change() -> None:
    """Europe put its clocks forward on 29 March 2026, at 01:00 in UTC."""
    start, end = datetime(2026, 3, 28, 5, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC)
    grid = aligned(int(start.timestamp() * 1000), int(end.timestamp() * 1000), 86_400_000)
    begun = [datetime.fromtimestamp(int(at) / 1000, UTC) for at in grid.times]
    assert begun == [datetime(2026, 3, day, tzinfo=UTC) for day in (28, 29, 30)]


def test_parts_of_a_grid() -> None:
    grid = aligned(0, 100_000, 10_000)
    part = grid.since(35_000)
    assert (part.start_ms, part.count, part.end_ms) == (30_000, 7, 100_000)
    assert grid.since(-5) == grid
    assert grid.since(500_000).count == 0
    assert grid.shifted(-100_000).end_ms == 0
