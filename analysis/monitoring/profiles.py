"""What is usual at an hour of the day or of the week: profiles of a series over cycles, each from earlier ones only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array

HOUR_MS, DAY_MS, WEEK_MS = 3_600_000, 86_400_000, 7 * 86_400_000
# 1970 began on a Thursday; weeks begin on Mondays.
_MONDAY_MS = 4 * DAY_MS
LEAST_CYCLES = 2
# So many cycles are remembered of days and of weeks.
_MOST_DAYS, _MOST_WEEKS = 7, 4


@dataclass(frozen=True, slots=True)
class Cycle:
    """Cycles of `length_ms` in bins of `bin_ms`, which divides it. UTC. `most` of the last ones are remembered.

    Bins of several samples are joined by straight lines between their middles; those of about one sample are not, so
    that a job that starts on the minute does not smear.
    """

    length_ms: int
    bin_ms: int
    most: int
    is_joined: bool

    @property
    def bins(self) -> int:
        return self.length_ms // self.bin_ms

    @property
    def name(self) -> str:
        """`day` or `week`."""
        return "day" if self.length_ms == DAY_MS else "week"

    def numbers(self, at_ms: Array) -> Array:
        """int64: which cycle each time is in."""
        return np.asarray((at_ms - _MONDAY_MS) // self.length_ms)

    def places(self, at_ms: Array) -> Array:
        """float64: where in its cycle each time is, in bins, from the middle of the first if they are joined."""
        places = ((at_ms - _MONDAY_MS) % self.length_ms) / self.bin_ms
        return places - 0.5 if self.is_joined else np.floor(places)


def cycles_for(step_ms: int) -> tuple[Cycle, ...]:
    """The cycles that samples so far apart can show: a day's in small bins and in hours, a week's in hours."""
    if step_ms > 2 * HOUR_MS:
        return (Cycle(WEEK_MS, _bin(step_ms), _MOST_WEEKS, is_joined=False),) if step_ms <= DAY_MS else ()
    hourly = _bin(max(step_ms, HOUR_MS))
    fine = _bin(max(step_ms, HOUR_MS // 12))
    joined = hourly >= 3 * step_ms
    days = {fine: False, hourly: joined}
    return (
        *(Cycle(DAY_MS, size, _MOST_DAYS, is_joined) for size, is_joined in days.items()),
        Cycle(WEEK_MS, hourly, _MOST_WEEKS, joined),
    )


def _bin(step_ms: int) -> int:
    """The smallest usual bin that is not below the step."""
    sizes = [HOUR_MS * part // 60 for part in (5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440)]
    return next((size for size in sizes if size >= step_ms), DAY_MS)


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """`rows` float64[cycles + 1, bins]: what was usual before each cycle since `first`, NaN where too little told; the
    last row is for the cycle to come."""

    cycle: Cycle
    first: int
    rows: Array

    def at(self, at_ms: Array) -> Array:
        """The seasonal part at these times, between the middles of bins along straight lines; NaN where unknown."""
        number = np.clip(self.cycle.numbers(at_ms) - self.first, 0, len(self.rows) - 1)
        place = self.cycle.places(at_ms)
        low = np.floor(place).astype(np.int64)
        share = place - low
        bins = self.cycle.bins
        return np.asarray(self.rows[number, low % bins] * (1.0 - share) + self.rows[number, (low + 1) % bins] * share)

    def latest(self) -> Profiles:
        """Only what is for the last cycle seen and the one to come: it is kept for as long as a series is watched."""
        return Profiles(self.cycle, self.first + len(self.rows) - 2, np.nan_to_num(self.rows[-2:]))

    def one(self, at_ms: int) -> float:
        """The same at one time."""
        cycle = self.cycle
        since = at_ms - _MONDAY_MS
        row = self.rows[min(max(since // cycle.length_ms - self.first, 0), len(self.rows) - 1)]
        place = (
            since % cycle.length_ms / cycle.bin_ms - 0.5 if cycle.is_joined else since % cycle.length_ms // cycle.bin_ms
        )
        low = math.floor(place)
        share = place - low
        return float(row[low % cycle.bins] * (1.0 - share) + row[(low + 1) % cycle.bins] * share)


def profiles_of(at_ms: Array, values: Array, cycle: Cycle) -> Profiles | None:
    """None where fewer than three cycles have been seen. `at_ms` rises; values without NaN."""
    numbers = cycle.numbers(at_ms)
    first, last = int(numbers[0]), int(numbers[-1])
    if last - first < LEAST_CYCLES:
        return None
    first = max(first, last - 8 * cycle.most)
    kept = numbers >= first
    bins = cycle.bins
    cells = (numbers[kept] - first) * bins + ((at_ms[kept] - _MONDAY_MS) % cycle.length_ms) // cycle.bin_ms
    size = (last - first + 1) * bins
    counts = np.bincount(cells, minlength=size)
    with np.errstate(invalid="ignore"):
        means = (np.bincount(cells, values[kept], minlength=size) / counts).reshape(-1, bins)
    return Profiles(cycle, first, _usual(means, cycle.most))


def _usual(means: Array, most: int) -> Array:
    """Before each cycle, the median over the last ones of how far each bin was from its cycle's middle.

    A cycle of which less than half was seen has no middle to speak of.
    """
    seen = np.isfinite(means).sum(axis=1) >= 0.5 * means.shape[1]
    relative = np.full_like(means, np.nan)
    relative[seen] = means[seen] - _medians(means[seen].T)[0][:, None]
    rows = np.full((len(means) + 1, means.shape[1]), np.nan)
    for row in range(LEAST_CYCLES, len(means) + 1):
        medians, counts = _medians(relative[max(0, row - most) : row])
        told = np.flatnonzero(counts >= LEAST_CYCLES)
        if 2 * len(told) >= means.shape[1]:
            # What is never seen, such as nights without a collector, is as between its neighbours. What was seen once
            # only is not known yet.
            filled = np.interp(np.arange(means.shape[1]), told, medians[told], period=means.shape[1])
            rows[row] = np.where(counts == 1, np.nan, filled)
    return rows


def _medians(values: Array) -> tuple[Array, Array]:
    """(median, number of values) of each column, without its NaN. numpy's nanmedian takes five times as long."""
    ordered = np.sort(values, axis=0)  # NaN last
    counts = np.isfinite(values).sum(axis=0)
    columns = np.arange(values.shape[1])
    low, high = np.maximum(counts - 1, 0) // 2, counts // 2
    return 0.5 * (ordered[low, columns] + ordered[high, columns]), counts
