"""How far a band reaches: the limits of what is left about the level, in units of the scale that makes it narrowest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from analysis.monitoring.profiles import DAY_MS, HOUR_MS
from analysis.monitoring.tail_limits import upper_limit
from analysis.monitoring.trailing import trailing_medians

# The simpler of two (the longer window, no season, one scale) is left where the other band is narrower by more.
NARROWER = math.log(0.95)
MAD = 1.4826
LOCAL_WINDOW = 101
# A scale of its own for each hour needs so many values of each.
_LEAST_AN_HOUR = 8
# No scale falls below this share of the constant one: calm is not certainty.
_LEAST_SCALE = 0.3
# A value within so many robust deviations is never outside, however short the tail: a level that wobbles would carry
# values beyond the end of what is bounded.
_LEAST_REACH = 3.0
# Below it a scale is nothing but rounding.
_LEAST_CONSTANT = 1e-140


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
        return self.constant if local is None else max(self.least, MAD * local)

    def at(self, at_ms: Array, local: Array) -> Array:
        """float64, given the trailing medians of the distances."""
        if self.hours is not None:
            return np.asarray(self.hours[at_ms % DAY_MS // HOUR_MS])
        return np.maximum(self.least, MAD * local) if self.window else np.full(len(at_ms), self.constant)


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """`below` and `above` are in scales; `width` is the logarithm of the band's mean width."""

    scale: Scale
    below: float
    above: float
    width: float


def reaches(at_ms: Array, centred: Array, seasonal: bool, side_rate: float | None, deviations: float) -> Reached:
    """The scale with the narrowest band on average (in logarithms, as likelihoods count)."""
    sizes = np.abs(centred)
    constant = MAD * float(np.median(sizes)) or 1.2533 * float(np.mean(sizes))
    if constant < _LEAST_CONSTANT:
        return Reached(Scale(0.0), 0.0, 0.0, 0.0)
    local = trailing_medians(sizes, min(LOCAL_WINDOW, (len(sizes) // 4) | 1))[:-1]
    scales = [Scale(constant)]
    if len(sizes) >= 4 * LOCAL_WINDOW:
        scales.append(Scale(constant, window=LOCAL_WINDOW, least=_LEAST_SCALE * constant))
    hours = _by_hour(at_ms, sizes, constant) if seasonal else None
    scales += [] if hours is None else [Scale(constant, hours)]
    best: Reached | None = None
    for scale in scales:
        each = scale.at(at_ms, local)
        standard = centred / each
        above = deviations if side_rate is None else max(_LEAST_REACH, upper_limit(standard, side_rate))
        below = deviations if side_rate is None else max(_LEAST_REACH, upper_limit(-standard, side_rate))
        width = float(np.mean(np.log(each))) + math.log(max(above + below, 1e-300))
        if best is None or width < best.width + NARROWER:
            best = Reached(scale, below, above, width)
    assert best is not None
    return best


def _by_hour(at_ms: Array, sizes: Array, constant: float) -> Array | None:
    """float64[24]: the scale of each hour of the day and its neighbours."""
    hour = at_ms % DAY_MS // HOUR_MS
    if np.bincount(hour, minlength=24).min() < _LEAST_AN_HOUR:
        return None
    near = [np.isin(hour, [(each - 1) % 24, each, (each + 1) % 24]) for each in range(24)]
    scales = MAD * np.array([float(np.median(sizes[each])) for each in near])
    return np.maximum(scales, _LEAST_SCALE * constant)
