"""What a band is made of: the profile, the window of the level, the scale and the reaches that fit a past best."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from analysis.monitoring.profiles import Profiles, cycles_for, profiles_of
from analysis.monitoring.reaches import LOCAL_WINDOW, MAD, NARROWER, Reached, Scale, reaches
from analysis.monitoring.trailing import trailing_medians

LEAST_VALUES = 50
# What is as large is no measurement, and its squares are no numbers.
LARGEST = 1e140
# Older values than these tell of the season alone.
_MOST_VALUES = 4096
_WINDOWS = (5, 25, 125, 625)
# How wide a band would be, while pairs are compared: the mean (of logarithms) of these quantiles of the distances is
# less at the mercy of a few incidents in the past than the limit itself, and is not blind to what is seldom.
_COMPARED = (0.9, 0.99, 0.998)
# A season is looked at when so much of a cycle, after those that it is made of, can be compared.
_LEAST_COMPARED = 0.9
# Runs of values that are further off than this, and longer, are incidents: their first values say enough of the tail.
# More runs than so many, and that is what the series is like.
_FAR, _LONG, _MOST_INCIDENTS = 8.0, 5, 3
# Of a series that never moved, a move by this share of its level is a change.
_STILL = 0.05
_PRECISION = 1e-9


def is_known(values: Array) -> Array:
    """bool: which are measurements; NaN (gaps) and infinities are none."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(values) < LARGEST)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """See `BandModel`. Reaches are in scales; `floor`, in the metric's unit, is the least of either reach."""

    count: int
    season: str | None
    profiles: Profiles | None
    window: int
    bias: float
    scale: Scale
    reach_below: float
    reach_above: float
    floor: float
    last_adjusted: Array
    last_distances: Array

    def seasonal(self, at_ms: Array) -> Array:
        return np.zeros(len(at_ms)) if self.profiles is None else self.profiles.at(at_ms)

    def seasonal_now(self, at_ms: int) -> float:
        return 0.0 if self.profiles is None else self.profiles.one(at_ms)

    def below(self, scale: float) -> float:
        return max(self.floor, self.reach_below * scale)

    def above(self, scale: float) -> float:
        return max(self.floor, self.reach_above * scale)

    def of_block(self, at_ms: Array, values: Array) -> tuple[Array, Array, Array]:
        """(expected, reach below, reach above) of values that follow those fitted; NaN are not learned from."""
        seasonal = self.seasonal(at_ms)
        known = is_known(values)
        seen = np.concatenate([[0], np.cumsum(known)])[:-1]
        levels = self._continued(self.last_adjusted, (values - seasonal)[known], self.window)[seen]
        expected = seasonal + levels + self.bias
        local = np.zeros(len(values))
        if self.scale.window:
            local = self._continued(self.last_distances, np.abs(values - expected)[known], self.scale.window)[seen]
        scale = self.scale.at(at_ms, local)
        return (
            expected,
            np.maximum(self.floor, self.reach_below * scale),
            np.maximum(self.floor, self.reach_above * scale),
        )

    @staticmethod
    def _continued(past: Array, new: Array, window: int) -> Array:
        """Trailing medians before each of the new values, and after the last."""
        return trailing_medians(np.concatenate([past, new]), window)[len(past) :]


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """A season and the window that goes with it best; `residuals` are of all values."""

    profiles: Profiles | None
    window: int
    adjusted: Array
    residuals: Array
    bias: float
    reached: Reached


def fitted(
    at_ms: Array,
    values: Array,
    *,
    side_rate: float | None,
    deviations: float,
    direction: str,
    least_change: float,
    seasonal: bool,
    history: tuple[Array, Array] | None,
) -> Fitted | None:
    """Of known values only; None of too few."""
    if len(values) < LEAST_VALUES:
        return None
    count = len(values)
    found = _profiles(at_ms, values, history) if seasonal else []
    at_ms, values = at_ms[-_MOST_VALUES:], values[-_MOST_VALUES:]
    # Of a profile from a longer past the values alone need not show a cycle.
    least_cycles = _LEAST_COMPARED if history is None else 0.0
    best = _narrowest(at_ms, values, found, side_rate, deviations, least_cycles)
    reached = best.reached
    return Fitted(
        count,
        None if best.profiles is None else best.profiles.cycle.name,
        None if best.profiles is None else best.profiles.latest(),
        best.window,
        best.bias,
        reached.scale,
        reached.below if direction != "above" else math.inf,
        reached.above if direction != "below" else math.inf,
        max(least_change, _least(values, count, reached.scale.constant, side_rate)),
        best.adjusted[-best.window :].copy(),
        np.abs(best.residuals[-LOCAL_WINDOW:] - best.bias),
    )


def _profiles(at_ms: Array, values: Array, history: tuple[Array, Array] | None) -> list[Profiles]:
    step = int(np.median(np.diff(at_ms)))
    if history is not None and len(history[0]):
        known = np.isfinite(history[1]) & (history[0] < at_ms[0])
        at_ms = np.concatenate([history[0][known], at_ms])
        values = np.concatenate([history[1][known], values])
        step = int(np.median(np.diff(history[0])))
    made = (profiles_of(at_ms, values, cycle) for cycle in cycles_for(max(step, 1)))
    return [each for each in made if each is not None]


def _narrowest(
    at_ms: Array,
    values: Array,
    found: list[Profiles],
    side_rate: float | None,
    deviations: float,
    least_cycles: float,
) -> _Candidate:
    """What has the narrowest band over the last part of the past, which all can be compared on."""
    windows = [window for window in reversed(_WINDOWS) if window <= max(_WINDOWS[0], len(values) // 4)]
    seasons: list[tuple[Profiles | None, Array]] = [(None, np.zeros(len(values)))]
    first = min(windows[0], len(values) // 2)
    for profiles in found:
        part = profiles.at(at_ms)
        unknown = np.flatnonzero(np.isnan(part))
        begins = int(unknown[-1]) + 1 if len(unknown) else 0
        # Enough of it has to be left for a comparison, and about a cycle.
        cycles = (at_ms[-1] - at_ms[min(begins, len(values) - 1)]) / profiles.cycle.length_ms
        if len(values) - begins >= LEAST_VALUES and cycles >= least_cycles:
            seasons.append((profiles, np.nan_to_num(part)))
            first = max(first, begins)
    best: _Candidate | None = None
    for profile, part in seasons:
        adjusted = values - part
        window, residuals = _best_window(adjusted, windows, first)
        bias = float(np.median(residuals[first:]))
        kept = first + _without_incidents(residuals[first:] - bias)
        centred = _unrounded(residuals[kept] - bias, values)
        reached = reaches(at_ms[kept], centred, profile is not None, side_rate, deviations)
        if best is None or reached.width < best.reached.width + NARROWER:
            best = _Candidate(profile, window, adjusted, residuals, bias, reached)
    assert best is not None
    return best


def _best_window(adjusted: Array, windows: list[int], first: int) -> tuple[int, Array]:
    """The window, of which the longest come first, and the residuals with it."""
    least, best = math.inf, (0, adjusted)
    for window in windows:
        residuals = adjusted - trailing_medians(adjusted, window)[:-1]
        compared = residuals[first:]
        distances = np.quantile(np.abs(compared - np.median(compared)), _COMPARED)
        width = float(np.mean(np.log(np.maximum(distances, 1e-300))))
        if not best[0] or width < least + NARROWER:
            least, best = width, (window, residuals)
    return best


def _without_incidents(residuals: Array) -> Array:
    """int64: the places that are left without what follows the first values of long runs far off."""
    far = np.abs(residuals) > _FAR * max(MAD * float(np.median(np.abs(residuals))), 1e-300)
    kept = np.ones(len(residuals), dtype=bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], far.view(np.int8), [0]]))).reshape(-1, 2)
    long = edges[edges[:, 1] - edges[:, 0] > _LONG]
    if len(long) <= _MOST_INCIDENTS:
        for begin, end in long.tolist():
            kept[begin + 1 : end] = False
    return np.flatnonzero(kept)


def _unrounded(residuals: Array, values: Array) -> Array:
    """With noise as wide as the steps of counts and rounded values, so that they have a tail like any others."""
    distinct = np.unique(values[-1000:])
    if not 2 <= len(distinct) < 200 or not np.median(np.abs(residuals)) > 0:
        return residuals
    quantum = float(np.min(np.diff(distinct)))
    return np.asarray(residuals + np.random.default_rng(0).uniform(-0.5, 0.5, len(residuals)) * quantum)


def _least(values: Array, count: int, constant: float, side_rate: float | None) -> float:
    """The least reach: beyond rounding; of a series that never moved, a share of its level, and where the level is 0
    nothing, once it has stood still for as long as the rate speaks of."""
    level = abs(float(np.median(values)))
    if constant > 0.0:
        return _PRECISION * level
    if level > 0.0:
        return _STILL * level
    return math.inf if side_rate is not None and count * side_rate < 1.0 else 0.0
