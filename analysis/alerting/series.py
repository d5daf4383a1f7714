"""The newest samples of one series, and what a window of them comes to."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analysis.alerting.specs import Function

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

# Windows keep this much more than is asked of them, so that they need not be cut with each sample.
_SLACK = 64


class RecentSamples:
    """Samples in the order of their times, one at a time; NaN says that from there on nothing is known.

    Those that are older than `horizon_ms` before the newest may be forgotten.
    """

    __slots__ = ("horizon_ms", "times", "values")

    def __init__(self, horizon_ms: int) -> None:
        self.horizon_ms = horizon_ms
        self.times: array[int] = array("q")
        self.values: array[float] = array("d")

    def add(self, at: int, value: float) -> None:
        """The later of two samples of one time counts."""
        times = self.times
        if not times or at > times[-1]:
            times.append(at)
            self.values.append(value)
            if len(times) >= _SLACK and times[len(times) // 2] < at - self.horizon_ms:
                self._forget(at - self.horizon_ms)
            return
        place = bisect_left(times, at)
        if place < len(times) and times[place] == at:
            self.values[place] = value
        else:
            times.insert(place, at)
            self.values.insert(place, value)

    def load(self, at_ms: Times, value: Floats) -> None:
        """Samples in the order of their times, each time once."""
        if self.times:
            for at, sample in zip(at_ms.tolist(), value.tolist(), strict=True):
                self.add(at, sample)
        else:
            self.times.frombytes(at_ms.astype(np.int64).tobytes())
            self.values.frombytes(value.astype(np.float64).tobytes())

    def _forget(self, before: int) -> None:
        # The newest before the horizon is still what is known at the horizon.
        kept = max(0, bisect_left(self.times, before) - 1)
        del self.times[:kept]
        del self.values[:kept]

    @property
    def newest(self) -> int | None:
        return self.times[-1] if self.times else None

    def latest(self, at: int, stale_ms: int) -> float | None:
        """What is known at a moment: None where the newest sample is too old, or says that nothing is known."""
        place = bisect_right(self.times, at) - 1
        if place < 0 or at - self.times[place] >= stale_ms:
            return None
        value = self.values[place]
        return None if math.isnan(value) else value

    def heard_at(self, at: int) -> int | None:
        """When there was data last, at or before a moment; None where it ended."""
        place = bisect_right(self.times, at) - 1
        return None if place < 0 or math.isnan(self.values[place]) else self.times[place]

    def has_just_ended(self, at: int, stale_ms: int) -> bool:
        """Whether the newest sample says that nothing is known, and is not old."""
        place = bisect_right(self.times, at) - 1
        return place >= 0 and math.isnan(self.values[place]) and at - self.times[place] < stale_ms

    def between(self, start: int, end: int) -> tuple[Times, Floats]:
        """The samples after `start` up to `end`, gap markers among them."""
        first, last = bisect_right(self.times, start), bisect_right(self.times, end)
        return (
            np.frombuffer(self.times[first:last], dtype=np.int64),
            np.frombuffer(self.values[first:last], dtype=np.float64),
        )

    def value(self, function: Function, at: int, window_ms: int, stale_ms: int) -> float | None:
        """What the function makes of the window that ends at a moment. None where that is not known then."""
        newest = self.latest(at, stale_ms)
        if newest is None or function == "last":
            return newest
        times, values = self.between(at - window_ms, at)
        if function in ("rate", "increase"):
            return rise(times, values, per_second=function == "rate")
        known = values[~np.isnan(values)]
        return FUNCTIONS[function](known) if known.size else None


def rise(times: Times, values: Floats, *, per_second: bool) -> float | None:
    """How much a counter rose, over the time that it was counted: not across gap markers, nor where it fell.

    None where no two samples follow each other.
    """
    steps = np.diff(values)
    counted = steps >= 0  # not where one of the two is NaN
    seconds = float(np.diff(times)[counted].sum()) / 1000
    if seconds <= 0:
        return None
    increase = float(steps[counted].sum())
    return increase / seconds if per_second else increase


def _quantile(share: float) -> Callable[[Floats], float]:
    return lambda values: float(np.quantile(values, share))


FUNCTIONS: dict[str, Callable[[Floats], float]] = {
    "avg": lambda values: float(values.mean()),
    "min": lambda values: float(values.min()),
    "max": lambda values: float(values.max()),
    "sum": lambda values: float(values.sum()),
    "count": lambda values: float(values.size),
    "p50": _quantile(0.5),
    "p90": _quantile(0.9),
    "p95": _quantile(0.95),
    "p99": _quantile(0.99),
}


def change(samples: RecentSamples, kind: str, at: int, window_ms: int, stale_ms: int) -> float | None:
    """From the first known sample of a window to the last: `absolute`, `per_second`, or in `percent` of the first.

    None where less than half of the window was measured without a gap, or for a share of nothing.
    """
    if samples.latest(at, stale_ms) is None:
        return None
    times, values = samples.between(at - window_ms - 1, at)
    gaps = np.flatnonzero(np.isnan(values))
    since = gaps[-1] + 1 if gaps.size else 0
    times, values = times[since:], values[since:]
    if times.size < 2 or times[-1] - times[0] < window_ms / 2:
        return None
    first, last = float(values[0]), float(values[-1])
    if kind == "percent":
        return (last - first) / abs(first) * 100 if first else None
    return (last - first) / ((int(times[-1]) - int(times[0])) / 1000) if kind == "per_second" else last - first
