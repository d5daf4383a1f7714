"""How rows lie on a grid of even steps: where it is dense, whether its last step is over, whether clocks jumped."""

from __future__ import annotations

import numpy as np

from analysis.columns import Array
from analysis.series.steps import DAY, HOUR, Step, Unit

# A grid of more steps than this, per row, is mostly holes: what lies before the last long hole is left out.
MOST_STEPS_A_ROW = 2.0
# Where somebody named the step, buckets without a row are meant, up to so many for each with one.
MOST_BUCKETS_A_ROW = 30.0
_MOST_CUTS = 50
# Fewer rows than this after such a hole are stray stamps.
_LEAST_SHARE = 0.2


def dense_stretch(numbers: Array, most: float) -> slice:
    """Which of the sorted step numbers to keep: all, unless the grid had more than `most` steps for each with a row.

    Then what is before the longest hole is left out, or what is after it where that is next to nothing (a date far in
    the future that stands for none). Where cutting again and again does not help, the whole is holes: what follows the
    last long one is kept.
    """
    start, stop = 0, len(numbers)
    for _ in range(_MOST_CUTS):
        kept = numbers[start:stop]
        holes = np.diff(kept)
        distinct = 1 + np.count_nonzero(holes)
        if int(kept[-1] - kept[0]) + 1 <= max(most * distinct, distinct + 10):
            return slice(start, stop)
        before = int(np.argmax(holes)) + 1
        if len(kept) - before < min(before, _LEAST_SHARE * len(kept) + 2):
            stop = start + before
        else:
            start += before
    long = np.flatnonzero(np.diff(numbers[start:stop]) > most)
    return slice(start + (int(long[-1]) + 1 if long.size else 0), stop)


def cut_short(times: Array, numbers: Array, step: Step) -> tuple[bool, bool]:
    """Whether the first and the last step of moments are cut short: rows begin well after its start, or end well before
    its end, unlike in the steps between.
    """
    if numbers[-1] == numbers[0]:
        return False, False
    starts = step.stamps(numbers).astype(np.int64)
    ends = step.stamps(numbers + 1).astype(np.int64)
    shares = (times.astype(np.int64) - starts) / np.maximum(ends - starts, 1)
    borders = np.flatnonzero(np.diff(numbers))
    usual_first, usual_last = np.quantile(shares[borders + 1], 0.95), np.quantile(shares[borders], 0.05)
    late = shares[0] > max(0.1, float(usual_first) + 1e-9)
    early = shares[-1] < min(0.9, float(usual_last) - 1e-9)
    return bool(late), bool(early)


def saw_daylight_saving(times: Array, step: Step, off: Array) -> bool:
    """Days an hour off, or, of hours and finer, one hour doubled and one missing at the same time of some days."""
    if step.unit in (Unit.DAY, Unit.WEEK, Unit.BUSINESS_DAY):
        return bool(off.size and (off == HOUR).mean() > 0.1 and set(np.unique(off).tolist()) <= {0, HOUR})
    if step.unit not in (Unit.HOUR, Unit.MINUTE, Unit.SECOND) or step.microseconds > HOUR or len(times) < 3:
        return False
    distances = np.diff(times.astype(np.int64))
    doubled = np.flatnonzero(distances == 0)
    missing = np.flatnonzero(distances == HOUR + int(step.microseconds))
    if not doubled.size or not missing.size or doubled.size > HOUR / step.microseconds * (1 + len(times) * 1e-3):
        return False
    hours = (times.astype(np.int64) % DAY) // HOUR
    return bool(np.all(hours[doubled] <= 3) and np.any(hours[missing + 1] <= 4))
