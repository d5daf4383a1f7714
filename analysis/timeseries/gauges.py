"""One value for each stretch of time from the samples of what goes up and down."""

from __future__ import annotations

from typing import Literal

import numpy as np

from analysis.timeseries.cells import Cells, Matrix, cells, last_rows_before
from analysis.timeseries.grid import Grid
from analysis.timeseries.rows import Rows, holds, longest_hold

Summary = Literal["avg", "min", "max", "sum", "last", "count"]
# What a stretch without a sample of its own takes over from the last one before it.
_HELD = ("avg", "min", "max", "last")


def summarised(rows: Rows, grid: Grid, summary: Summary) -> Matrix:
    """A row a series, a column a stretch: NaN where nothing is known.

    A stretch without a sample takes the last value before it as long as that holds; sums and counts are of its own
    samples only. The rows have to begin two longest holds before the grid, or where the series do.
    """
    within = cells(rows.count, rows.series, rows.at_ms, ~np.isnan(rows.value), grid)
    made = _own(within, rows, summary)
    if summary in _HELD:
        fill_with_held(made, rows, grid)
    return made


def _own(within: Cells, rows: Rows, summary: Summary) -> Matrix:
    match summary:
        case "min":
            return within.reduced(np.minimum, rows.value)
        case "max":
            return within.reduced(np.maximum, rows.value)
        case "last":
            return within.lasts(rows.value)
        case "sum":
            return _sums(within, rows)
        case "avg":
            with np.errstate(invalid="ignore", over="ignore"):
                return _sums(within, rows) / within.counts()
        case "count":
            counts = within.counts()
            counts[counts == 0] = np.nan
            return counts


def _sums(within: Cells, rows: Rows) -> Matrix:
    with np.errstate(invalid="ignore", over="ignore"):
        return within.reduced(np.add, rows.value)


def fill_with_held(made: Matrix, rows: Rows, grid: Grid) -> None:
    """Stretches without a value take the last one before them, where it holds."""
    if not len(rows.at_ms):
        return
    before = last_rows_before(rows.count, rows.series, rows.at_ms, grid.times + grid.step_ms)
    age = grid.times - rows.at_ms[before]
    held = np.isnan(made) & (before >= 0) & (age < holds(rows, longest_hold(grid.step_ms))[before])
    # A value of the stretch itself that is no number, such as the mean of opposite infinities, stays unknown.
    held &= age > 0
    made[held] = rows.value[before[held]]
