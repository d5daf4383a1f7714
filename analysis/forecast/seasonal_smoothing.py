"""Exponential smoothing with one or two seasons and autocorrelated errors, at many origins in one pass.

Taylor, "Short-term electricity demand forecasting using double seasonal exponential smoothing" (2003): a level, a
profile for each period and a first-order autoregression of what they leave. Parameters are the best of a grid by the
squared one-step errors up to each origin, so one pass over the series serves all origins, and none looks ahead.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from analysis.columns import Array

_LEVELS = (0.0, 0.02, 0.1, 0.3)
_SEASONS = (0.02, 0.1, 0.3)
_PERSISTENCE = (0.0, 0.4, 0.7, 0.9, 0.97)


def seasonal_smoothing_forecasts(values: Array, periods: Sequence[int], origins: Sequence[int], horizon: int) -> Array:
    """The forecasts from each origin (how many values are known there, ascending), shape (origins, horizon).

    One or two periods, ascending; the first origin has at least two cycles of the longest. Errors count from there on
    that the profiles do not come from.
    """
    assert 1 <= len(periods) <= 2
    start = 2 * periods[-1]
    level, profiles = _initial(values[:start], periods)
    grid = np.array(
        list(itertools.product(_LEVELS, _SEASONS, _SEASONS if len(periods) == 2 else (0.0,), _PERSISTENCE))
    ).T
    alpha, first, second, phi = grid
    states = [np.repeat(profile[:, None], grid.shape[1], axis=1) for profile in profiles]
    shares = (first, second)[: len(periods)]
    levels, left, errors = np.full(grid.shape[1], level), np.zeros(grid.shape[1]), np.zeros(grid.shape[1])
    made, waiting = np.empty((len(origins), horizon)), list(enumerate(origins))
    begin = periods[-1]
    for step in range(begin, len(values) + 1):
        while waiting and waiting[0][1] == step:
            place, _ = waiting.pop(0)
            best = int(np.argmin(errors))
            made[place] = _ahead(step, horizon, levels[best], [s[:, best] for s in states], left[best], phi[best])
        if step == len(values) or not waiting:
            break
        base = levels.copy()
        for state, period in zip(states, periods, strict=True):
            base += state[step % period]
        now = values[step] - base
        missed = now - phi * left
        levels += alpha * missed
        for state, share, period in zip(states, shares, periods, strict=True):
            state[step % period] += share * missed
        left = now
        if step >= min(start, origins[0] - 1):
            errors += missed * missed
    return made


def _initial(values: Array, periods: Sequence[int]) -> tuple[float, list[Array]]:
    """Level and profiles of two cycles of the longest period; phases count from the series' beginning."""
    level, rest, profiles = float(values.mean()), values - values.mean(), []
    for period in periods:
        whole = rest[: len(rest) // period * period]
        profile = whole.reshape(-1, period).mean(axis=0)
        profiles.append(profile)
        rest = rest - np.resize(profile, len(rest))
    return level, profiles


def _ahead(step: int, horizon: int, level: float, profiles: Sequence[Array], left: float, phi: float) -> Array:
    places = step + np.arange(horizon)
    seasons = sum((profile[places % len(profile)] for profile in profiles), np.zeros(horizon))
    return np.asarray(level + seasons + left * phi ** np.arange(1, horizon + 1))
