"""What counters grew by, and how fast: between samples that follow each other, and never over a reset or a marker."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.timeseries.cells import Matrix, cells, last_rows_before
from analysis.timeseries.grid import Grid
from analysis.timeseries.rows import Rows, holds, linked_to_previous, longest_hold

Growth = Literal["rate", "increase"]


def grown(rows: Rows, grid: Grid, growth: Growth) -> Matrix:
    """A row a series, a column a stretch: NaN where nothing is known.

    What a counter grew by between two samples belongs to the stretch of the later one, whole, so that increases add up
    to what it grew by. The rate is the increase divided by the seconds it took; stretches between two samples that are
    no further apart than a value holds have their rate. The rows have to begin two longest holds before the grid.
    """
    increase, seconds, ends = steps_of(rows, longest_hold(grid.step_ms))
    within = cells(rows.count, rows.series, rows.at_ms, ends, grid)
    with np.errstate(over="ignore"):
        made = within.reduced(np.add, increase)
        if growth == "increase":
            return made
        made /= within.reduced(np.add, seconds)
    _fill_between(made, rows, grid, increase / np.where(ends, seconds, 1.0), ends)
    return made


def steps_of(rows: Rows, longest_ms: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """By how much the counter grew from the row before to each row, in how many seconds, and whether that is known.

    It is not after a marker, where the counter fell, and over more than `longest_ms`.
    """
    increase, seconds = np.zeros(len(rows.at_ms)), np.zeros(len(rows.at_ms))
    with np.errstate(invalid="ignore"):
        increase[1:] = np.diff(rows.value)
    distance = np.diff(rows.at_ms)
    seconds[1:] = distance / 1000.0
    known = linked_to_previous(rows) & np.isfinite(increase) & (increase >= 0)
    known[1:] &= distance <= longest_ms
    return increase, seconds, known


def _fill_between(made: Matrix, rows: Rows, grid: Grid, rates: NDArray[np.float64], ends: NDArray[np.bool_]) -> None:
    """Stretches that lie between two samples have the rate between them."""
    if not len(rows.at_ms):
        return
    before = last_rows_before(rows.count, rows.series, rows.at_ms, grid.times + grid.step_ms)
    after = np.minimum(before + 1, len(rows.at_ms) - 1)
    spanned = np.isnan(made) & (before >= 0) & (after == before + 1) & (rows.at_ms[before] < grid.times)
    held = holds(rows, longest_hold(grid.step_ms))[before]
    spanned &= ends[after] & (rows.at_ms[after] - rows.at_ms[before] <= held)
    made[spanned] = rates[after[spanned]]
