"""Where a series changes its level or its slope for good.

Candidates come from PELT with squared errors (Killick, Fearnhead and Eckley 2012), the penalty 2 sigma^2 log n with
sigma from the median absolute deviation of the differences, and from the best single kink. Each is then put to a test
beside a straight line, in noise as persistent as the values admit, and corrected for all the places where it might
have been. A series that may be a random walk has no change points: it changes its level all the time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analysis.columns import Array
from analysis.series.whitening import Persistence, despiked, long_run_variance, persistence, robust_deviation
from analysis.significance import normal_scores, two_sided_t

# A level that lasts shorter than this is a disturbance.
_SHORTEST, _SHORTEST_SHARE = 6, 0.05
_MOST_CHANGES = 6
# Beyond so many values the series is looked at in means of neighbours: a change that lasts is seen there as well.
MOST_VALUES = 2_000
# Of a level change, in standard deviations of what lies about the levels: less is of no use to anybody.
LEAST_EFFECT = 0.5


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """The first value of the new regime is at `index`. `kind` says what `before` and `after` are: levels in the
    values' unit, or slopes in it a step. `effect` is the change over the standard deviation about the fit (of a slope:
    times half the length). `p` is corrected for the choice of the place."""

    index: int
    kind: Literal["level", "slope"]
    before: float
    after: float
    effect: float
    p: float


@dataclass(frozen=True, slots=True)
class Changes:
    """`p` is of the whole series: that any change there is. `status`: `ok`, `too_few`, `constant` or `wanders`, where
    the values may be a random walk."""

    points: tuple[ChangePoint, ...]
    p: float
    status: Literal["ok", "too_few", "constant", "wanders"]


def change_points(values: Array) -> Changes:
    """Of values at equal steps without seasons; NaN are left out, as if the steps beside them were neighbours."""
    places = np.flatnonzero(~np.isnan(values))
    if len(places) < 3 * _SHORTEST:
        return Changes((), 1.0, "too_few")
    width = math.ceil(len(places) / MOST_VALUES)
    whole = len(places) // width * width
    series = despiked(values[places[:whole]].reshape(-1, width).mean(axis=1))
    if float(np.ptp(series)) == 0.0:
        return Changes((), 1.0, "constant")
    found = _tested(series)
    points = tuple(_at_its_place(point, places, width) for point in found.points)
    return Changes(points, found.p, found.status)


def _at_its_place(point: ChangePoint, places: Array, width: int) -> ChangePoint:
    """Of the series of means of `width` values that stand at these places."""
    steps = width * float(places[-1] - places[0]) / max(len(places) - 1, 1) if point.kind == "slope" else 1.0
    index = int(places[point.index * width])
    return replace(point, index=index, before=point.before / steps, after=point.after / steps)


def pelt(values: Array, penalty: float, shortest: int = _SHORTEST) -> list[int]:
    """Starts of the segments after the first that minimise squared errors about means plus a penalty for each."""
    count = len(values)
    if count < 2 * shortest:
        return []
    sums = np.r_[0.0, np.cumsum(values)]
    squares = np.r_[0.0, np.cumsum(values**2)]
    cost = np.full(count + 1, np.inf)
    cost[0] = -penalty
    origin = np.zeros(count + 1, dtype=np.int64)
    starts = np.array([0])
    for end in range(shortest, count + 1):
        if end >= 2 * shortest:
            starts = np.r_[starts, end - shortest]
        length = end - starts
        total = sums[end] - sums[starts]
        segment = squares[end] - squares[starts] - total * total / length
        candidates = cost[starts] + segment
        best = int(np.argmin(candidates))
        cost[end] = candidates[best] + penalty
        origin[end] = starts[best]
        starts = starts[candidates <= cost[end]]
    found, end = [], count
    while origin[end] > 0:
        end = int(origin[end])
        found.append(end)
    return found[::-1]


def _tested(series: Array) -> Changes:
    shortest = max(_SHORTEST, int(_SHORTEST_SHARE * len(series)))
    steps = _candidates(series, shortest)
    by_levels = _by_elimination(series, steps)
    by_kink = _kinked(series, shortest)
    if by_kink is not None and (not by_levels.places or by_kink.criterion < by_levels.criterion):
        return _judged(series, by_kink)
    return _judged(series, by_levels)


@dataclass(frozen=True, slots=True)
class _Fit:
    """A straight line and changes of it: `places`, the design's columns of the changes, squares left."""

    kind: Literal["level", "slope"]
    places: tuple[int, ...]
    coefficients: Array
    errors: Array
    residuals: Array
    memory: Persistence | None

    @property
    def criterion(self) -> float:
        """Schwarz's, a change counting for two: its place is chosen, too."""
        count = len(self.residuals)
        squares = max(float(self.residuals @ self.residuals), 1e-300)
        return count * math.log(squares / count) + 2.0 * len(self.places) * math.log(count)

    @property
    def statistics(self) -> Array:
        """t of each change."""
        errors = np.maximum(self.errors[2:], 1e-300)
        return np.abs(self.coefficients[2:]) / errors


def _candidates(series: Array, shortest: int) -> list[int]:
    sigma = robust_deviation(np.diff(series)) / math.sqrt(2.0)
    sigma = sigma or float(np.std(np.diff(series))) / math.sqrt(2.0)
    penalty = 2.0 * sigma**2 * math.log(len(series))
    found = pelt(series, penalty, shortest)
    while len(found) > _MOST_CHANGES:  # wandering: only the largest changes are worth a test
        penalty *= 2.0
        found = pelt(series, penalty, shortest)
    return found


def _fitted(series: Array, kind: Literal["level", "slope"], places: tuple[int, ...]) -> _Fit:
    count = len(series)
    at = np.arange(count, dtype=np.float64)
    centred = (at - at.mean()) / count
    if kind == "level":
        extra = [(at >= place).astype(np.float64) for place in places]
    else:
        extra = [np.maximum(at - place, 0.0) / count for place in places]
    design = np.column_stack([np.ones(count), centred, *extra])
    coefficients, *_ = np.linalg.lstsq(design, series, rcond=None)
    residuals = series - design @ coefficients
    memory = persistence(residuals, design.shape[1])
    degrees = max(count - design.shape[1] - 1, 1)
    variance = float(residuals @ residuals) / degrees
    if memory is not None and memory.upper < 1.0:
        lasting = memory.innovation / (1.0 - memory.upper) ** 2
        variance = max(variance, lasting, long_run_variance(residuals) * count / degrees)
    errors = np.sqrt(variance * np.maximum(np.diag(np.linalg.pinv(design.T @ design)), 0.0))
    return _Fit(kind, places, coefficients, errors, residuals, memory)


def _by_elimination(series: Array, places: list[int]) -> _Fit:
    """Changes of level beside a line, the weakest taken out until those that are left hold."""
    fit = _fitted(series, "level", tuple(places))
    while fit.places:
        weakest = int(np.argmin(fit.statistics))
        if two_sided_t(float(fit.statistics[weakest]), len(series) - 2 - len(fit.places)) * len(series) < 0.05:
            break
        fit = _fitted(series, "level", fit.places[:weakest] + fit.places[weakest + 1 :])
    return fit


def _kinked(series: Array, shortest: int) -> _Fit | None:
    """The best single change of slope."""
    count = len(series)
    places = np.unique(np.linspace(shortest, count - shortest, min(count, 60)).astype(np.int64))
    at = np.arange(count, dtype=np.float64)
    line = np.column_stack([np.ones(count), at - at.mean()])
    orthogonal, _ = np.linalg.qr(line)
    hinges = np.maximum(at[:, None] - places[None, :], 0.0)
    hinges -= orthogonal @ (orthogonal.T @ hinges)
    target = series - orthogonal @ (orthogonal.T @ series)
    gains = (target @ hinges) ** 2 / np.maximum((hinges**2).sum(axis=0), 1e-300)
    fit = _fitted(series, "slope", (int(places[int(np.argmax(gains))]),))
    p = two_sided_t(float(fit.statistics[0]), count - 3) * count
    return fit if p < 0.05 else None


def _wanders(fit: _Fit, count: int) -> bool:
    """Whether what is left about the fit may be a random walk, which bends to breaks that fit it best.

    Critical values of unit-root tests with breaks at unknown places, about one in a thousand (after Zivot and Andrews
    1992 and Kapetanios 2005, whose five per cent are at -4.8 to -7.2 for one to five breaks).
    """
    if fit.memory is None:
        return False
    return fit.memory.unit_root_statistic > -(5.7 + 0.6 * max(len(fit.places) - 1, 0) + 20.0 / count)


def _judged(series: Array, fit: _Fit) -> Changes:
    count = len(series)
    if not fit.places:
        return Changes((), 1.0, "ok")
    if _wanders(fit, count):
        return Changes((), 1.0, "wanders")
    deviation = float(np.std(fit.residuals))
    degrees = count - 2 - len(fit.places)
    in_scores = _fitted(normal_scores(series), fit.kind, fit.places).statistics  # skewed noise makes no levels there
    statistics = np.minimum(fit.statistics, in_scores)
    points = []
    for number, (place, statistic) in enumerate(zip(fit.places, statistics, strict=True)):
        p = min(1.0, two_sided_t(float(statistic), degrees) * count)
        change = float(fit.coefficients[2 + number])
        if fit.kind == "level":
            before, after = _levels(series, fit.places, number)
            effect = abs(change) / deviation if deviation > 0 else math.inf
        else:
            before = float(fit.coefficients[1]) / count
            after = before + change / count
            effect = abs(change) / 2.0 / deviation if deviation > 0 else math.inf
        points.append(ChangePoint(place, fit.kind, before, after, min(effect, 1e6), p))
    return Changes(tuple(points), min(point.p for point in points), "ok")


def _levels(series: Array, places: tuple[int, ...], number: int) -> tuple[float, float]:
    bounds = [0, *places, len(series)]
    before, after = series[bounds[number] : bounds[number + 1]], series[bounds[number + 1] : bounds[number + 2]]
    return float(np.mean(before)), float(np.mean(after))
