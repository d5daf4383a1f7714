"""Forecasts that take no fitting, and the M4 competition's benchmark Naive2."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.columns import Array
from analysis.series.seasonality import m4_seasonal


def naive(values: Array, horizon: int) -> Array:
    """The last value again."""
    return np.full(horizon, values[-1])


def seasonal_naive(values: Array, period: int, horizon: int) -> Array:
    """The last cycle again; the last value where the period is 1. There is at least one cycle."""
    return np.asarray(values[-period:][np.arange(horizon) % period])


def level_shifted(values: Array, periods: Sequence[int], horizon: int) -> Array:
    """The mean of the last two cycles of the longest period, moved to the level of the last cycle of the shortest.

    There are three cycles of the longest period.
    """
    short, long = periods[0], periods[-1]
    n = len(values)
    cycles = [values[n - k * long : n - (k - 1) * long] for k in (1, 2)]
    before = [values[n - k * long - short : n - k * long] for k in (1, 2)]
    moved = [cycle - past.mean() for cycle, past in zip(cycles, before, strict=True)]
    return np.asarray(values[-short:].mean() + sum(moved)[np.arange(horizon) % long] / 2)


def naive2(values: Array, period: int, horizon: int) -> Array:
    """Naive on the seasonally adjusted series, as M4 did it: classical multiplicative indices, where the test passes.

    Makridakis, Spiliotis & Assimakopoulos, "The M4 Competition: 100,000 time series and 61 forecasting methods" (2020).
    Without seasonality, or where values are not positive throughout, the same as `naive`.
    """
    n = len(values)
    if not values.min() > 0 or not m4_seasonal(values, period):
        return naive(values, horizon)
    indices = classical_indices(values, period)
    return np.asarray(values[-1] / indices[(n - 1) % period] * indices[(n + np.arange(horizon)) % period])


def classical_indices(values: Array, period: int) -> Array:
    """The mean ratio of each phase (counted from the first value) to the centred moving average; their mean is 1."""
    ends = [0.5] if period % 2 == 0 else []
    kernel = np.array(ends + [1.0] * (period - len(ends)) + ends) / period
    trend = np.convolve(values, kernel, "valid")
    first = len(kernel) // 2
    ratios = values[first : first + len(trend)] / trend
    phases = np.arange(first, first + len(trend)) % period
    sums = np.bincount(phases, ratios, minlength=period) / np.bincount(phases, minlength=period)
    return np.asarray(sums * period / sums.sum())
