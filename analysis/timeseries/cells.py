"""Rows in the cells of a matrix, series by stretches of a grid; what is needed of them is computed from runs.

Rows are in order, so those of one cell stand together: a cell that has any is a run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.timeseries.grid import Grid

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cells:
    """Where rows are: of those that were `chosen`, runs begin at `begins` and belong to the cells `at` (flat)."""

    shape: tuple[int, int]
    chosen: NDArray[np.intp]
    begins: NDArray[np.intp]
    at: NDArray[np.int64]

    def reduced(self, how: np.ufunc, values: NDArray[np.float64]) -> Matrix:
        """What `how` makes of the values of each cell; NaN where there are none. One value for each row."""
        made = np.full(self.shape[0] * self.shape[1], np.nan)
        if len(self.begins):
            made[self.at] = how.reduceat(values[self.chosen], self.begins)
        return made.reshape(self.shape)

    def lasts(self, values: NDArray[np.float64]) -> Matrix:
        """The last value of each cell; NaN where there is none."""
        made = np.full(self.shape[0] * self.shape[1], np.nan)
        if len(self.begins):
            ends = np.append(self.begins[1:], len(self.chosen)) - 1
            made[self.at] = values[self.chosen[ends]]
        return made.reshape(self.shape)

    def counts(self) -> Matrix:
        """How many rows each cell has."""
        made = np.zeros(self.shape[0] * self.shape[1])
        if len(self.begins):
            made[self.at] = np.diff(np.append(self.begins, len(self.chosen)))
        return made.reshape(self.shape)


def cells(
    count: int, series: NDArray[np.int64], at_ms: NDArray[np.int64], wanted: NDArray[np.bool_], grid: Grid
) -> Cells:
    """The cells of those rows of `count` series that are wanted and lie in the grid."""
    column = (at_ms - grid.start_ms) // grid.step_ms
    chosen = np.flatnonzero(wanted & (column >= 0) & (column < grid.count))
    at = series[chosen] * grid.count + column[chosen]
    begins = np.flatnonzero(np.diff(at, prepend=-1))
    return Cells((count, grid.count), chosen, begins, at[begins])


def last_rows_before(
    count: int, series: NDArray[np.int64], at_ms: NDArray[np.int64], moments: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For each series and moment, the row that is the last one before it; -1 where the series has none."""
    rows = np.full((count, len(moments)), -1, np.int64)
    if not len(series):
        return rows
    # One number for series and time, so that one search finds all.
    origin = min(int(at_ms.min()), int(moments.min(initial=0)))
    width = max(int(at_ms.max()), int(moments.max(initial=0))) - origin + 2
    keys = series * width + (at_ms - origin)
    sought = np.arange(count, dtype=np.int64)[:, None] * width + (moments - origin)
    found = np.searchsorted(keys, sought.ravel(), side="left").reshape(sought.shape) - 1
    mine = (found >= 0) & (series[found] == np.arange(count)[:, None])
    return np.where(mine, found, -1)
