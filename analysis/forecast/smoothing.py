"""Exponential smoothing without seasons: simple, damped trend, and theta, of many series in one pass.

All three are the innovations form of Holt's method with a damped trend (Hyndman, Koehler, Ord & Snyder 2008): level and
trend are moved by shares of each one-step error. Simple smoothing has no trend; the theta method is simple smoothing
with half the slope of the series as drift (Hyndman & Billah, "Unmasking the Theta method", 2003). Parameters are the
best of a grid by the sum of squared one-step errors: a grid is computed over all series at once, which in numpy is
faster than searching for each, and ends in no local minimum.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array

SES, THETA, DAMPED = "simple smoothing", "theta", "damped trend"

_ALPHAS = (0.01, 0.03, 0.06, 0.1, 0.16, 0.24, 0.34, 0.46, 0.6, 0.75, 0.88, 0.99)
_DAMPED_ALPHAS = (0.05, 0.15, 0.3, 0.5, 0.75, 0.95)
_BETAS = (0.01, 0.05, 0.15, 0.4)  # shares of alpha
_PHIS = (0.8, 0.9, 0.97)
# Errors of the first steps tell more of the initial state than of the parameters.
_BURN_IN = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """Parameters side by side, each of a form; `drift` tells what the trend begins with: none, a half, the start's."""

    forms: tuple[str, ...]
    alpha: Array
    beta: Array
    phi: Array


def _grid() -> _Grid:
    simple = [(SES, alpha, 0.0, 1.0) for alpha in _ALPHAS]
    theta = [(THETA, alpha, 0.0, 1.0) for alpha in _ALPHAS]
    damped = [
        (DAMPED, alpha, alpha * beta, phi) for alpha, beta, phi in itertools.product(_DAMPED_ALPHAS, _BETAS, _PHIS)
    ]
    forms, alphas, betas, phis = zip(*simple, *theta, *damped, strict=True)
    return _Grid(forms, np.array(alphas), np.array(betas), np.array(phis))


_GRID = _grid()


def smoothing_forecasts(series: Sequence[Array], horizon: int) -> dict[str, Array]:
    """By form, the forecasts of each series, shape (series, horizon). Series have at least two values, none NaN."""
    order = sorted(range(len(series)), key=lambda place: -len(series[place]))
    level, trend, errors = _filtered([series[place] for place in order])
    made = {}
    forms = np.array(_GRID.forms)
    for form in (SES, THETA, DAMPED):
        columns = np.flatnonzero(forms == form)
        best = columns[np.argmin(errors[:, columns], axis=1)]
        rows = np.arange(len(order))
        ahead = np.cumsum(_GRID.phi[best][:, None] ** np.arange(1, horizon + 1), axis=1)
        forecasts = np.empty((len(order), horizon))
        forecasts[order] = level[rows, best][:, None] + trend[rows, best][:, None] * ahead
        made[form] = forecasts
    return made


def _filtered(series: Sequence[Array]) -> tuple[Array, Array, Array]:
    """Last level and trend, and the sum of squared errors, of each series (longest first) under each parameter."""
    longest = len(series[0])
    starts = np.array([longest - len(values) for values in series])
    aligned = np.zeros((longest, len(series), 1))
    for place, values in enumerate(series):
        aligned[starts[place] :, place, 0] = values
    level = np.stack([np.full(len(_GRID.forms), values[: min(4, len(values))].mean()) for values in series])
    trend = np.stack([_initial_trends(values) for values in series])
    errors = np.zeros_like(level)
    alpha, beta, phi = _GRID.alpha[None, :], _GRID.beta[None, :], _GRID.phi[None, :]
    active = np.searchsorted(starts, np.arange(longest), side="right")
    counted = np.searchsorted(starts + _BURN_IN, np.arange(longest), side="right")
    damped, error = np.empty_like(level), np.empty_like(level)
    for step in range(longest):
        k, c = int(active[step]), int(counted[step])
        moved, missed = damped[:k], error[:k]
        np.multiply(trend[:k], phi, out=moved)
        np.add(level[:k], moved, out=level[:k])
        np.subtract(aligned[step, :k], level[:k], out=missed)
        level[:k] += alpha * missed
        np.add(moved, beta * missed, out=trend[:k])
        np.square(missed, out=missed)
        errors[:c] += missed[:c]
    return level, trend, errors


def _initial_trends(values: Array) -> Array:
    """What each parameter's trend begins with: none, half the slope of all values, or the slope at the start."""
    start = values[: min(len(values), max(5, len(values) // 20))]
    begins = {SES: 0.0, THETA: slope(values) / 2, DAMPED: slope(start)}
    return np.array([begins[form] for form in _GRID.forms])


def slope(values: Array) -> float:
    """Of the least-squares line through the values, a step."""
    places = np.arange(len(values)) - (len(values) - 1) / 2
    return float(places @ values) / max(float(places @ places), 1e-300)
