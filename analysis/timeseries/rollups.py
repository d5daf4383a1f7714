"""One value for each stretch of time from what samples came to in shorter stretches, each a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.timeseries.cells import Matrix, cells, last_rows_before
from analysis.timeseries.gauges import Summary, fill_with_held
from analysis.timeseries.grid import Grid
from analysis.timeseries.rows import Rows, holds, longest_hold

How = Summary | Literal["rate", "increase"]


@dataclass(frozen=True, slots=True)
class RollupRows:
    """What n stretches came to, ordered by series and then by time: `count` series, stretches that begin at `start_ms`.

    `samples` are how many there were, `increase` what a counter grew by in `seconds` of known time; `ends_unknown`: a
    marker is the last thing in it.
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
    ends_unknown: NDArray[np.bool_]


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
    with np.errstate(invalid="ignore", over="ignore"):
        made = within.reduced(np.add, rows.increase)
        if how == "increase":
            return made
        made /= within.reduced(np.add, rows.seconds)
    _fill_between(made, rows, grid)
    return made


def _fill_between(made: Matrix, rows: RollupRows, grid: Grid) -> None:
    """Stretches between two samples that lie rows apart have the rate between them, as of samples themselves."""
    if not len(rows.start_ms):
        return
    before = last_rows_before(rows.count, rows.series, rows.start_ms, grid.times + grid.step_ms)
    after = np.minimum(before + 1, len(rows.start_ms) - 1)
    spanned = np.isnan(made) & (before >= 0) & (after == before + 1) & (rows.start_ms[before] < grid.times)
    # With one sample, all of the time that is known lies between it and the one before.
    single = (rows.samples == 1) & (rows.seconds > 0)
    spanned &= single[after] & (rows.series[after] == rows.series[before])
    held = holds(_as_samples(rows), longest_hold(grid.step_ms))
    spanned &= 1000.0 * rows.seconds[after] <= held[before]
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = rows.increase / rows.seconds
    made[spanned] = rates[after[spanned]]


def _as_samples(rows: RollupRows) -> Rows:
    """The rows as samples of their last values, for what stretches without any take over."""
    known = (rows.samples > 0) & ~rows.ends_unknown
    return Rows(rows.count, rows.series, rows.start_ms, np.where(known, rows.last, np.nan))
