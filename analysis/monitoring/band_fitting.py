"""What a band is made of: the profile, the window of the level, the scale and the reaches that fit a past best."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from analysis.monitoring.profiles import DAY_MS, HOUR_MS, Profiles, cycles_for, profiles_of
from analysis.monitoring.tail_limits import upper_limit
from analysis.monitoring.trailing import trailing_medians

LEAST_VALUES = 50
# Older values than these tell of the season alone.
_MOST_VALUES = 4096
_WINDOWS = (5, 25, 125, 625)
# A longer window is taken where a shorter one makes the band narrower by less than this; so is no season.
_NARROWER = 0.95
# How wide a band would be, while pairs are compared: this quantile of the distances is less at the mercy of a few
# incidents in the past than the limit itself.
_COMPARED = 0.95
_LOCAL_WINDOW = 101
# A scale of its own for each hour needs so many values of each.
_LEAST_AN_HOUR = 8
# No scale falls below this share of the constant one: calm is not certainty.
_LEAST_SCALE = 0.3
_MAD = 1.4826
# Runs of values that are further off than this, and longer, are incidents: their first values say enough of the tail.
_FAR, _LONG = 8.0, 5
# Of a series that never moved, a move by this share of its level is a change.
_STILL = 0.05
_PRECISION = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """A robust standard deviation: `constant`, or by the `hours` of the day, or from the median of the last `window`
    distances, and then at least `least`."""

    constant: float
    hours: Array | None = None
    window: int = 0
    least: float = 0.0

    def now(self, at_ms: int, local: float | None) -> float:
        if self.hours is not None:
            return float(self.hours[at_ms % DAY_MS // HOUR_MS])
        return self.constant if local is None else max(self.least, _MAD * local)

    def at(self, at_ms: Array, local: Array) -> Array:
        """float64, given the trailing medians of the distances."""
        if self.hours is not None:
            return np.asarray(self.hours[at_ms % DAY_MS // HOUR_MS])
        return np.maximum(self.least, _MAD * local) if self.window else np.full(len(at_ms), self.constant)


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
        known = np.isfinite(values)
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
    season: str | None
    profiles: Profiles | None
    window: int
    adjusted: Array
    residuals: Array


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
    found = _profiles(at_ms, values, history) if seasonal else []
    at_ms, values = at_ms[-_MOST_VALUES:], values[-_MOST_VALUES:]
    best, first = _narrowest(at_ms, values, found)
    residuals = best.residuals[first:]
    bias = float(np.median(residuals))
    centred = _without_incidents(residuals - bias)
    at = at_ms[first:][centred.kept]
    reached = _reaches(at, _unrounded(centred.values, values), best.season is not None, side_rate, deviations)
    floor = max(least_change, _least(values, reached.scale.constant, side_rate))
    sides = {"below": direction != "above", "above": direction != "below"}
    return Fitted(
        len(values),
        best.season,
        best.profiles,
        best.window,
        bias,
        reached.scale,
        reached.below if sides["below"] else math.inf,
        reached.above if sides["above"] else math.inf,
        floor,
        best.adjusted[-best.window :],
        np.abs(best.residuals - bias)[-_LOCAL_WINDOW:],
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


def _narrowest(at_ms: Array, values: Array, found: list[Profiles]) -> tuple[_Candidate, int]:
    """What has the narrowest band over the last part of the past, which all can be compared on, and where it begins."""
    longest = max(5, len(values) // 4)
    windows = [window for window in reversed(_WINDOWS) if window <= longest]
    seasons: list[tuple[Profiles | None, Array]] = [(None, np.zeros(len(values)))]
    first = min(windows[0], len(values) // 2)
    for profiles in found:
        part = profiles.at(at_ms)
        unknown = np.flatnonzero(np.isnan(part))
        begins = int(unknown[-1]) + 1 if len(unknown) else 0
        # Enough of it has to be left for a comparison, and at least a cycle.
        enough = len(values) - begins >= LEAST_VALUES and at_ms[-1] - at_ms[min(begins, len(values) - 1)] >= (
            0.9 * profiles.cycle.length_ms
        )
        if enough:
            seasons.append((profiles, np.nan_to_num(part)))
            first = max(first, begins)
    best: _Candidate | None = None
    least = math.inf
    for each, part in seasons:
        adjusted = values - part
        for window in windows:
            residuals = adjusted - trailing_medians(adjusted, window)[:-1]
            compared = residuals[first:]
            width = float(np.quantile(np.abs(compared - np.median(compared)), _COMPARED))
            if best is None or width < _NARROWER * least:
                season = None if each is None else each.cycle.name
                best, least = _Candidate(season, each, window, adjusted, residuals), width
    assert best is not None
    return best, first


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    values: Array
    kept: Array


def _without_incidents(residuals: Array) -> _Kept:
    """Without what follows the first values of long runs far off."""
    far = np.abs(residuals) > _FAR * max(_MAD * float(np.median(np.abs(residuals))), 1e-300)
    kept = np.ones(len(residuals), dtype=bool)
    if far.mean() < 0.25:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], far.view(np.int8), [0]])))
        for begin, end in edges.reshape(-1, 2).tolist():
            if end - begin > _LONG:
                kept[begin + 1 : end] = False
    return _Kept(residuals[kept], kept)


def _unrounded(residuals: Array, values: Array) -> Array:
    """With noise as wide as the steps of counts and rounded values, so that they have a tail like any others."""
    distinct = np.unique(values[-1000:])
    if not 2 <= len(distinct) < 200 or not np.median(np.abs(residuals)) > 0:
        return residuals
    quantum = float(np.min(np.diff(distinct)))
    return np.asarray(residuals + np.random.default_rng(0).uniform(-0.5, 0.5, len(residuals)) * quantum)


@dataclass(frozen=True, slots=True, eq=False)
class _Reached:
    scale: Scale
    below: float
    above: float
    width: float


def _reaches(at_ms: Array, centred: Array, seasonal: bool, side_rate: float | None, deviations: float) -> _Reached:
    """The scale with the narrowest band on average (in logarithms, as likelihoods count)."""
    sizes = np.abs(centred)
    constant = _MAD * float(np.median(sizes)) or 1.2533 * float(np.mean(sizes))
    if constant == 0.0:
        return _Reached(Scale(0.0), 0.0, 0.0, 0.0)
    local = trailing_medians(sizes, min(_LOCAL_WINDOW, (len(sizes) // 4) | 1))[:-1]
    scales = [Scale(constant)]
    if len(sizes) >= 4 * _LOCAL_WINDOW:
        scales.append(Scale(constant, window=_LOCAL_WINDOW, least=_LEAST_SCALE * constant))
    hours = _by_hour(at_ms, sizes, constant) if seasonal else None
    scales += [] if hours is None else [Scale(constant, hours)]
    best: _Reached | None = None
    for scale in scales:
        each = scale.at(at_ms, local)
        standard = centred / each
        above = deviations if side_rate is None else upper_limit(standard, side_rate)
        below = deviations if side_rate is None else upper_limit(-standard, side_rate)
        width = float(np.mean(np.log(each))) + math.log(max(above + below, 1e-300))
        if best is None or width < best.width + math.log(_NARROWER):
            best = _Reached(scale, below, above, width)
    assert best is not None
    return best


def _by_hour(at_ms: Array, sizes: Array, constant: float) -> Array | None:
    """float64[24]: the scale of each hour of the day and its neighbours."""
    hour = at_ms % DAY_MS // HOUR_MS
    if np.bincount(hour, minlength=24).min() < _LEAST_AN_HOUR:
        return None
    near = [np.isin(hour, [(each - 1) % 24, each, (each + 1) % 24]) for each in range(24)]
    scales = _MAD * np.array([float(np.median(sizes[each])) for each in near])
    return np.maximum(scales, _LEAST_SCALE * constant)


def _least(values: Array, constant: float, side_rate: float | None) -> float:
    """The least reach: beyond rounding; of a series that never moved, a share of its level, and where the level is 0
    nothing, once it has stood still for as long as the rate speaks of."""
    level = abs(float(np.median(values)))
    if constant > 0.0:
        return _PRECISION * level
    if level > 0.0:
        return _STILL * level
    return math.inf if side_rate is not None and len(values) * side_rate < 1.0 else 0.0
