"""What an anomaly band has to be better than: a threshold, a rolling z-score, the same time yesterday.

Each gets the share of false alarms that the band promises, by its own lights, and none looks ahead.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from analysis.columns import Array
from benchmarks.anomaly_data import Labelled

_WINDOW = 288


def static_threshold(series: Labelled, rate: float) -> Array:
    """Beyond mean ± k deviations of what was only learned from, as somebody sets a threshold once."""
    past = series.values[: series.probation]
    return np.asarray(np.abs(series.values - past.mean()) > _deviations(rate) * max(float(past.std()), 1e-9))


def rolling_z(series: Labelled, rate: float) -> Array:
    """Beyond mean ± k deviations of the last 288 values (a day of five minutes)."""
    values = series.values - series.values[0]
    sums = np.concatenate([[0.0], np.cumsum(values)])
    squares = np.concatenate([[0.0], np.cumsum(values**2)])
    last = np.arange(len(values))
    first = np.maximum(last - _WINDOW, 0)
    number = np.maximum(last - first, 1)
    mean = (sums[last] - sums[first]) / number
    variance = np.maximum((squares[last] - squares[first]) / number - mean**2, 0.0)
    return np.asarray((np.abs(values - mean) > _deviations(rate) * np.maximum(np.sqrt(variance), 1e-9)) & (last > 30))


def naive_seasonal(series: Labelled, rate: float) -> Array:
    """Too far from the same time a day before: beyond k deviations of such differences so far."""
    day = max(1, round(86_400_000 / float(np.median(np.diff(series.at_ms)))))
    differences = np.zeros(len(series.values))
    differences[day:] = series.values[day:] - series.values[:-day]
    number = np.maximum(np.arange(len(differences)) - day, 1)
    before = np.concatenate([[0.0], np.cumsum(differences**2)[:-1]]) / number
    is_far = np.abs(differences) > _deviations(rate) * np.maximum(np.sqrt(before), 1e-9)
    is_far[: day + 30] = False
    return np.asarray(is_far)


def _deviations(rate: float) -> float:
    return NormalDist().inv_cdf(1.0 - rate / 2.0)
