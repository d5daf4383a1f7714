"""When a size reaches its capacity: a pace that past paces have been tried against, with an interval, or none.

The size is looked at by its highest in each day (in each hour, of a short past): what is full is full at its peak, and
saw-teeth within a day (vacuum, temporary files) do not matter. Several ways to tell the pace (the mean, the median, a
line and a parabola over the last week to the whole past) are tried at moments of the past, and the one that was off the
least is used: the median pace passes over a cleanup, the line over saw-teeth of weeks, and a short past follows a
change of pace. How far it was off at each distance makes the interval (split-conformal, as the forecasts' are).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.columns import Array
from analysis.forecast.intervals import conformal_widths
from analysis.monitoring.paces import best_pace

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
# A shorter past than this is looked at by the hour.
_DAYS_FOR_DAILY = 14
LEAST_VALUES = 12
# Further ahead than so many times the past nothing is told.
_MOST_AHEAD = 4.0

Status = Literal["growing", "uncertain", "not_growing", "full", "too_few"]


@dataclass(frozen=True, slots=True)
class Growth:
    """`per_day` is the pace with its interval `per_day_low` to `per_day_high`, in the size's unit.

    `days` until the capacity is reached, between `earliest` and `latest`; None: not within four times the past.
    `growing`: the interval of the pace is above 0; `uncertain`: it holds 0, and the days are those of the likeliest
    pace, if that reaches the capacity at all; `not_growing`: no pace within the interval reaches the capacity.
    `full`: it is reached. `too_few`: less than half a day, or twelve hours, of sizes. `history_days` is how much was
    looked at, `level` the coverage of the intervals.
    """

    status: Status
    history_days: float
    size: float | None = None
    capacity: float | None = None
    per_day: float | None = None
    per_day_low: float | None = None
    per_day_high: float | None = None
    days: float | None = None
    earliest: float | None = None
    latest: float | None = None
    level: float = 0.9


def growth(at_ms: Array, sizes: Array, capacity: float | None, *, level: float = 0.9) -> Growth:
    """`at_ms` int64 rises; `sizes` float64, NaN in gaps; without a capacity only the pace is told."""
    known = np.isfinite(sizes)
    at, numbers = at_ms[known], sizes[known]
    if not len(at):
        return Growth("too_few", 0.0, capacity=capacity, level=level)
    span = (int(at[-1]) - int(at[0])) / DAY_MS
    step_ms = DAY_MS if span >= _DAYS_FOR_DAILY else HOUR_MS
    peaks = _peaks(at, numbers, step_ms)
    size = float(numbers[-1])
    if len(peaks) < LEAST_VALUES:
        return Growth("too_few", span, size, capacity, level=level)
    ahead = _Ahead.of(peaks, step_ms / DAY_MS, level)
    reached = _reached(ahead, capacity)
    status = _status(ahead, reached, size, capacity)
    return Growth(
        status, span, size, capacity, ahead.per_day, ahead.per_day - ahead.off, ahead.per_day + ahead.off,
        *((0.0, 0.0, 0.0) if status == "full" else reached), level,
    )  # fmt: skip


def _peaks(at_ms: Array, sizes: Array, step_ms: int) -> Array:
    """The highest of each whole step that ends with the last sample, gaps along straight lines."""
    back = (int(at_ms[-1]) - at_ms) // step_ms
    number = int(back[0]) - back
    # The first step is seen in part.
    peaks = np.full(int(number[-1]) + 1, -np.inf)
    np.maximum.at(peaks, number, sizes)
    seen = np.flatnonzero(np.isfinite(peaks))
    return np.asarray(np.interp(np.arange(len(peaks)), seen, peaks[seen]))


@dataclass(frozen=True, slots=True, eq=False)
class _Ahead:
    """The size at `days` from now, the first 0, and how far it may be off; `off` is that of the pace a day."""

    per_day: float
    off: float
    days: Array
    sizes: Array
    widths: Array

    @classmethod
    def of(cls, peaks: Array, step_days: float, level: float) -> _Ahead:
        pace = best_pace(peaks)
        tested = conformal_widths(pace.errors, (level,), tested=pace.independent).widths[0]
        tried = len(tested)
        ahead = np.arange(int(_MOST_AHEAD * len(peaks)) + 1)
        beyond = tested.max() * (ahead[tried + 1 :] / tried) ** _widening(pace.errors)
        widths = np.concatenate([[0.0], np.maximum.accumulate(tested), beyond])
        sizes = np.concatenate([peaks[-1:], pace.path(ahead[1:])])
        per_day = float(sizes[tried] - sizes[0]) / (tried * step_days)
        return cls(per_day, float(widths[tried]) / (tried * step_days), step_days * ahead, sizes, widths)

    def first_day(self, capacity: float, side: float) -> float | None:
        """When the size, less or more by its width, is at the capacity."""
        sizes = self.sizes + side * self.widths
        above = np.flatnonzero(sizes >= capacity)
        if not len(above):
            return None
        place = int(above[0])
        if place == 0:
            return 0.0
        share = float((capacity - sizes[place - 1]) / (sizes[place] - sizes[place - 1]))
        return float(self.days[place - 1] + share * (self.days[place] - self.days[place - 1]))


def _widening(errors: Array) -> float:
    """The power of the distance that errors rise with: 1 where the pace is wrong, a half where the size wanders."""
    half = errors.shape[1] // 2
    far, near = (float(np.mean(errors[:, place - 1] ** 2)) for place in (2 * half, half))
    return float(np.clip(0.5 * np.log2(far / near), 0.5, 1.0)) if near > 0 and far > 0 else 1.0


_Reached = tuple[float | None, float | None, float | None]


def _reached(ahead: _Ahead, capacity: float | None) -> _Reached:
    if capacity is None:
        return None, None, None
    days, earliest, latest = (ahead.first_day(capacity, side) for side in (0.0, 1.0, -1.0))
    return days, earliest, latest


def _status(ahead: _Ahead, reached: _Reached, size: float, capacity: float | None) -> Status:
    if capacity is not None and size >= capacity:
        return "full"
    if ahead.per_day - ahead.off > 0.0:
        return "growing"
    may_be = ahead.per_day > 0.0 if capacity is None else reached[1] is not None
    return "uncertain" if may_be else "not_growing"
