"""Ways to tell the pace of a series from its past, and which of them would have been off the least."""

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


@dataclass(frozen=True, slots=True, eq=False)
class Pace:
    """`rate` a step, from `start` at the last step; `errors` float64[origins, steps ahead]: how far off it was."""

    rate: float
    start: float
    errors: Array


def best_pace(values: Array) -> Pace:
    """Of at least 12 values at equal steps without NaN."""
    count = len(values)
    horizon = max(2, count // 4)
    least = min(max(7, count // 3), count - horizon - 1)
    origins = np.unique(np.linspace(least, count - horizon, _MOST_ORIGINS).astype(int))
    came = np.stack([values[origin : origin + horizon] for origin in origins.tolist()])
    ahead = np.arange(1, horizon + 1)
    best: Pace | None = None
    smallest = np.inf
    for now, before in zip(
        _ways(values), zip(*(_ways(values[:o]) for o in origins.tolist()), strict=True), strict=True
    ):
        told = np.array(before)
        errors = came - (told[:, 1:] + told[:, :1] * ahead)
        off = float(np.mean(np.abs(errors)))
        if best is None or off < _BETTER * smallest:
            best, smallest = Pace(now[0], now[1], errors), off
    assert best is not None
    return best


def _ways(values: Array) -> Iterator[tuple[float, float]]:
    """(rate, start) of each way, the longest past first; always as many."""
    steps = np.diff(values)
    for window in (len(values), *reversed(_WINDOWS)):
        length = min(window, len(values))
        last = values[-length:]
        slope, end = _line(last)
        yield (float(last[-1]) - float(last[0])) / max(length - 1, 1), float(values[-1])
        yield slope, float(values[-1])
        yield slope, end
        yield float(np.median(steps[-(length - 1) :])), float(values[-1])
    yield 0.0, float(values[-1])


def _line(values: Array) -> tuple[float, float]:
    """The slope of the least squares' line, and where it ends."""
    at = np.arange(len(values)) - (len(values) - 1) / 2.0
    slope = float(at @ values / (at @ at))
    return slope, float(values.mean() + slope * at[-1])
