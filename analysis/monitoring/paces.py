"""Ways to tell how a series goes on from its past, and which of them would have been off the least."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array

# Looked at again from so many moments of the past at most.
_MOST_ORIGINS = 48
_WINDOWS = (7, 14, 28, 56, 112, 224)
# A way that was off by less only in so far is chance: the longer past is kept.
_BETTER = 0.95
# A bend is told from so many values, and over no more than this share of them ahead is it tried.
_LEAST_BENT = 21
_PARTS = 6

Way = tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Pace:
    """start + rate h + bend h² / 2 after h steps; `errors` float64[origins, steps ahead]: how far off it was, from
    origins of which about `independent` do not overlap."""

    start: float
    rate: float
    bend: float
    errors: Array
    independent: int

    def path(self, ahead: Array) -> Array:
        return np.asarray(self.start + self.rate * ahead + 0.5 * self.bend * ahead**2)


def best_pace(values: Array) -> Pace:
    """Of at least 12 values at equal steps without NaN."""
    count = len(values)
    horizon = max(2, count // _PARTS)
    least = min(max(7, count // 3), count - horizon - 1)
    origins = np.unique(np.linspace(least, count - horizon, _MOST_ORIGINS).astype(int))
    independent = 1 + (int(origins[-1]) - int(origins[0])) // horizon
    came = np.stack([values[origin : origin + horizon] for origin in origins.tolist()])
    ahead = np.arange(1, horizon + 1)
    before = np.array([list(_ways(values[:origin])) for origin in origins.tolist()])
    best: Pace | None = None
    smallest = np.inf
    for place, (start, rate, bend) in enumerate(_ways(values)):
        told = before[:, place]
        errors = came - (told[:, :1] + told[:, 1:2] * ahead + 0.5 * told[:, 2:] * ahead**2)
        off = float(np.mean(np.abs(errors)))
        if best is None or off < _BETTER * smallest:
            best, smallest = Pace(start, rate, bend, errors, independent), off
    assert best is not None
    return best


def _ways(values: Array) -> Iterator[Way]:
    """(start, rate, bend) of each way, the longest past first; always as many."""
    steps = np.diff(values)
    last = float(values[-1])
    for window in (len(values), *reversed(_WINDOWS)):
        length = min(window, len(values))
        near = values[-length:]
        slope, end = _line(near)
        yield last, (last - float(near[0])) / max(length - 1, 1), 0.0
        yield last, slope, 0.0
        yield end, slope, 0.0
        yield last, float(np.median(steps[-(length - 1) :])), 0.0
    for window in (len(values), _WINDOWS[3], _WINDOWS[2]):
        length = min(window, len(values))
        yield _bent(values[-length:]) if length >= _LEAST_BENT else (last, 0.0, 0.0)
    yield last, 0.0, 0.0


def _line(values: Array) -> tuple[float, float]:
    """The slope of the least squares' line, and where it ends."""
    at = np.arange(len(values)) - (len(values) - 1) / 2.0
    slope = float(at @ values / (at @ at))
    return slope, float(values.mean() + slope * at[-1])


def _bent(values: Array) -> Way:
    """Of the least squares' parabola, at the last value; from that value on."""
    at = np.arange(len(values)) - (len(values) - 1.0)
    design = np.vander(at / len(values), 3, increasing=True)
    coefficients = np.linalg.lstsq(design, values, rcond=None)[0]
    return float(values[-1]), float(coefficients[1]) / len(values), 2.0 * float(coefficients[2]) / len(values) ** 2
