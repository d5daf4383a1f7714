"""Prediction intervals out of backtest errors: split-conformal, each horizon and phase in units of its own spread.

Vovk, Gammerman & Shafer, "Algorithmic Learning in a Random World" (2005), for the conformal quantile. Errors from a few
origins are far from independent, so the quantile is widened as Student's t widens the normal's, with three degrees of
freedom for four origins. With fewer than `LEAST_ERRORS` errors, the spread of the naive method's errors in the history
takes their place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from analysis.columns import Array

LEAST_ERRORS = 20
# A phase's spread is told from the others' where there are so many errors of each, and weighs as much as so many more.
_LEAST_ERRORS_A_PHASE, _PRIOR_ERRORS = 8, 16.0
# Neighbouring origins overlap by half.
_FREEDOM_AN_ORIGIN = 0.75
CONFORMAL = "split-conformal on backtest errors, scaled by horizon and season"
MODEL_VARIANCE = "variance of the naive method's errors: too few backtest errors for a conformal interval"


@dataclass(frozen=True, slots=True, eq=False)
class Widths:
    """How far each interval reaches above and below the forecast, shape (levels, horizon)."""

    method: str
    widths: Array


@dataclass(frozen=True, slots=True, eq=False)
class Phases:
    """Which step of the season each error is of, shape (origins, horizon), and each value to come, shape (horizon,)."""

    season: int
    past: Array
    ahead: Array


def phases_of(season: int, origins: tuple[int, ...], end: int, horizon: int) -> Phases | None:
    """The phases of errors from these origins and of what comes after `end`; None without a season."""
    if season < 2:
        return None
    steps = np.arange(horizon)
    return Phases(season, (np.array(origins)[:, None] + steps) % season, (end + steps) % season)


def conformal_widths(
    errors: Array, levels: tuple[float, ...], phases: Phases | None = None, tested: int | None = None
) -> Widths:
    """From errors of the combination, shape (origins, horizon), at least `LEAST_ERRORS` of them.

    `tested` is how many origins the widening for few is of, those of `errors` unless given. With `phases` the errors of
    each phase of the season are in units of their own, too: nights are calmer than days.
    """
    spread = horizon_spread(errors)
    scaled = errors / spread
    if phases is not None and errors.size >= _LEAST_ERRORS_A_PHASE * phases.season:
        factors = phase_spread(scaled, phases)
        scaled, spread = scaled / factors[phases.past], spread * factors[phases.ahead]
    scores = np.sort(np.abs(scaled).ravel())
    freedom = max(2, round(_FREEDOM_AN_ORIGIN * (tested or len(errors))))
    reaches = [
        _conformal_quantile(scores, level) * student_quantile(level, freedom) / normal_quantile(level)
        for level in levels
    ]
    return Widths(CONFORMAL, np.array(reaches)[:, None] * spread)


def model_widths(adjusted: Array, horizon: int, levels: tuple[float, ...]) -> Widths:
    """From the seasonally adjusted history: the root mean square of its changes over each number of steps."""
    n = len(adjusted)
    reach = min(horizon, max(1, n // 2))
    squares = np.array([np.mean((adjusted[lag:] - adjusted[:-lag]) ** 2) for lag in range(1, reach + 1)])
    spread = np.sqrt(np.maximum.accumulate(squares))
    beyond = np.arange(reach + 1, horizon + 1)
    spread = np.concatenate([spread, spread[-1] * np.sqrt(beyond / reach)])
    factors = [student_quantile(level, max(2, n // 4)) for level in levels]
    return Widths(MODEL_VARIANCE, np.array(factors)[:, None] * spread)


def horizon_spread(errors: Array) -> Array:
    """The root mean square error by horizon, its square smoothed to a line that does not fall: shape (horizon,)."""
    squares = np.mean(errors**2, axis=0)
    ahead = np.arange(1, len(squares) + 1)
    weights = 1.0 / ahead
    mean, middle = float(np.average(squares, weights=weights)), float(np.average(ahead, weights=weights))
    variance = float(np.average((ahead - middle) ** 2, weights=weights))
    covariance = float(np.average((ahead - middle) * (squares - mean), weights=weights))
    rise = max(0.0, covariance / variance) if variance > 0 else 0.0
    start = mean - rise * middle
    if start < 0:
        start, rise = 0.0, float(np.sum(weights * ahead * squares) / np.sum(weights * ahead**2))
    floor = 1e-12 * max(mean, 1e-300)
    return np.asarray(np.sqrt(np.maximum(start + rise * ahead, floor)))


def phase_spread(scaled: Array, phases: Phases) -> Array:
    """The relative spread of each phase, shape (season,): of its errors and its neighbours', drawn towards 1."""
    squares = np.bincount(phases.past.ravel(), (scaled**2).ravel(), minlength=phases.season)
    counts = np.bincount(phases.past.ravel(), minlength=phases.season)
    near, number = (each + (np.roll(each, 1) + np.roll(each, -1)) / 2 for each in (squares, counts))
    overall = max(float(np.mean(scaled**2)), 1e-300)
    return np.asarray(np.sqrt((near / overall + _PRIOR_ERRORS) / (number + _PRIOR_ERRORS)))


def normal_quantile(level: float) -> float:
    """How many deviations a central interval of that coverage reaches."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def student_quantile(level: float, freedom: int) -> float:
    """The same of Student's t: exact for one and two degrees of freedom, else Hill's expansion (within 0.5 %)."""
    if freedom <= 1:
        return math.tan(math.pi * level / 2)
    if freedom == 2:
        return level * math.sqrt(2 / (1 - level**2))
    a = 1 / (freedom - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * freedom
    tail = 1 - level
    y = (d * tail) ** (2 / freedom)
    if y > 0.05 + a:
        x = -normal_quantile(level)
        y = x * x
        c += 0.3 * (freedom - 4.5) * (x + 0.6) if freedom < 5 else 0.0
        c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
        y = math.expm1(a * y * y)
    else:
        y = (
            (1 / (((freedom + 6) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2) * 3) + 0.5 / (freedom + 4)) * y
            - 1
        ) * (freedom + 1) / (freedom + 2) + 1 / y
    return math.sqrt(freedom * y)


def _conformal_quantile(scores: Array, level: float) -> float:
    """The ceil((n + 1) level)-th smallest score; beyond the largest, that one in proportion to the normal's."""
    n = len(scores)
    rank = math.ceil((n + 1) * level - 1e-9)
    if rank <= n:
        return float(scores[rank - 1])
    return float(scores[-1]) * normal_quantile(level) / normal_quantile(n / (n + 1))
