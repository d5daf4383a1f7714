"""One value for each stretch of time from what samples came to in shorter stretches, each a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.timeseries.cells import Matrix, cells
from analysis.timeseries.gauges import Summary, fill_with_held
from analysis.timeseries.grid import Grid
from analysis.timeseries.rows import Rows

How = Summary | Literal["rate", "increase"]


@dataclass(frozen=True, slots=True)
class RollupRows:
    """What n stretches came to, ordered by series and then by time: `count` series, stretches that begin at `start_ms`.

    `samples` are how many there were, `increase` what a counter grew by in `seconds` of known time.
    """

    count: int
    series: NDArray[np.int64]
    start_ms: NDArray[np.int64]
    samples: NDArray[np.int64]
    sum: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    last: NDArray[np.float64]
    increase: NDArray[np.float64]
    seconds: NDArray[np.float64]


def of_rollups(rows: RollupRows, grid: Grid, how: How) -> Matrix:
    """A row a series, a column a stretch of the grid: NaN where nothing is known. A step is a multiple of theirs."""
    if how in ("rate", "increase"):
        return _grown(rows, grid, how)
    within = cells(rows.count, rows.series, rows.start_ms, rows.samples > 0, grid)
    with np.errstate(invalid="ignore", over="ignore"):
        match how:
            case "min":
                made = within.reduced(np.minimum, rows.min)
            case "max":
                made = within.reduced(np.maximum, rows.max)
            case "last":
                made = within.lasts(rows.last)
            case "sum":
                made = within.reduced(np.add, rows.sum)
            case "count":
                made = within.reduced(np.add, rows.samples.astype(float))
            case _:
                made = within.reduced(np.add, rows.sum) / within.reduced(np.add, rows.samples.astype(float))
    if how in ("avg", "min", "max", "last"):
        fill_with_held(made, _as_samples(rows), grid)
    return made


def _grown(rows: RollupRows, grid: Grid, how: How) -> Matrix:
    within = cells(rows.count, rows.series, rows.start_ms, rows.seconds > 0, grid)
    made = within.reduced(np.add, rows.increase)
    if how == "rate":
        made /= within.reduced(np.add, rows.seconds)
    return made


def _as_samples(rows: RollupRows) -> Rows:
    """The rows as samples of their last values, for what stretches without any take over."""
    return Rows(rows.count, rows.series, rows.start_ms, np.where(rows.samples > 0, rows.last, np.nan))
