"""Single values of a series that stand out of its trend and seasons, and steps from which it does not come back.

What is left by a robust STL (Cleveland et al. 1990) or MSTL is measured in robust standard deviations; how far is far
is told by the tail of the other residuals, with the number of values reckoned with (`analysis.tails`), so that a series
of heavy-tailed noise has no anomalies. A step is a difference between neighbours that stands out of the other
differences and that the values after it keep: that holds for random walks, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.columns import Array
from analysis.series.decomposition import PERIODIC, decompose
from analysis.series.loess import smoothed
from analysis.series.whitening import robust_deviation
from analysis.tails import outliers_of

# Nearer than this to the fit, in robust standard deviations, nothing is called an anomaly, however short the tail.
LEAST_Z = 4.0
_WINDOW = 5
_SHORTEST = 60
# What is left of values this much larger is what their digits could not hold.
_PRECISION = 1e-13
MOST_VALUES = 20_000


@dataclass(frozen=True, slots=True)
class Anomaly:
    """At `index`, `value` beside the `expected` one, `z` robust standard deviations off (with its sign).

    Of a level shift, `expected` is the level before, `value` the one after, and `z` is in deviations of the steps.
    """

    index: int
    kind: Literal["spike", "level shift"]
    value: float
    expected: float
    z: float


@dataclass(frozen=True, slots=True)
class Anomalies:
    """Spikes and level shifts, the furthest first, with the p-value that there is any of its kind; `deviation` is the
    residuals' robust standard deviation. `status` is `ok`, `too_few` or `constant`."""

    spikes: tuple[Anomaly, ...]
    spikes_p: float
    shifts: tuple[Anomaly, ...]
    shifts_p: float
    deviation: float
    status: Literal["ok", "too_few", "constant"]


def anomalies(values: Array, periods: Sequence[int] = (), *, most: int = 20, seed: int = 0) -> Anomalies:
    """Of values at equal steps (float64, NaN in gaps) with these seasonal periods; `most` of each kind are told."""
    values = values[-MOST_VALUES:]
    known = np.isfinite(values)
    if np.count_nonzero(known) < _SHORTEST:
        return Anomalies((), 1.0, (), 1.0, 0.0, "too_few")
    if float(np.ptp(values[known])) == 0.0:
        return Anomalies((), 1.0, (), 1.0, 0.0, "constant")
    seasonal = _seasonal(values, periods)
    adjusted = values - seasonal
    level = _level(adjusted)
    least = _PRECISION * float(np.max(np.abs(values[known])))
    spikes, spikes_p = _spikes(adjusted, level, seasonal, least, most, seed)
    shifts, shifts_p = _shifts(adjusted[known], np.flatnonzero(known), least, most, seed)
    return Anomalies(spikes, spikes_p, shifts, shifts_p, robust_deviation((adjusted - level)[known]), "ok")


def _seasonal(values: Array, periods: Sequence[int]) -> Array:
    if not periods:
        return np.zeros(len(values))
    return decompose(values, periods, robust=True, seasonal_spans=[PERIODIC] * len(periods)).seasonal


def _level(adjusted: Array) -> Array:
    """The median of the neighbours, then smoothed: follows steps and slopes, not single values."""
    filled = np.where(np.isfinite(adjusted), adjusted, np.nan)
    padded = np.concatenate([_before(filled), filled, _before(filled[::-1])[::-1]])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _WINDOW + 1)
    beside = np.delete(windows, _WINDOW, axis=1)
    empty = np.isnan(beside).all(axis=1)
    medians = np.empty(len(adjusted))
    medians[empty] = np.nanmedian(adjusted)
    medians[~empty] = np.nanmedian(beside[~empty], axis=1)
    return np.asarray(smoothed(medians[:, None], 2 * _WINDOW + 1)[:, 0]) if _is_calm(medians, adjusted) else medians


def _before(values: Array) -> Array:
    """The neighbours that the first value would have had: those after it mirrored, along the slope that they have."""
    near = values[: 4 * _WINDOW]
    slopes = (near[2 * _WINDOW :] - near[: 2 * _WINDOW]) / (2 * _WINDOW)
    slope = float(np.nanmedian(slopes)) if np.isfinite(slopes).any() else 0.0
    return np.asarray(values[1 : _WINDOW + 1][::-1] - 2.0 * slope * np.arange(_WINDOW, 0, -1))


def _is_calm(medians: Array, adjusted: Array) -> bool:
    """Whether the level moves little beside the noise; else smoothing would smear its steps into anomalies."""
    noise = robust_deviation((adjusted - medians)[np.isfinite(adjusted)])
    return float(np.max(np.abs(np.diff(medians)), initial=0.0)) < noise


def _spikes(
    adjusted: Array, level: Array, seasonal: Array, least: float, most: int, seed: int
) -> tuple[tuple[Anomaly, ...], float]:
    """None where the residuals' deviation is not above `least`: such a series follows a rule, or stands still."""
    residuals = adjusted - level
    deviation = robust_deviation(residuals[np.isfinite(residuals)])
    if deviation <= least:
        return (), 1.0
    rows, p = _two_sided(residuals, LEAST_Z * deviation, seed)
    found = tuple(
        Anomaly(
            int(row),
            "spike",
            float(adjusted[row] + seasonal[row]),
            float(level[row] + seasonal[row]),
            float(residuals[row] / deviation),
        )
        for row in rows[:most]
    )
    return found, p


def _shifts(values: Array, places: Array, least: float, most: int, seed: int) -> tuple[tuple[Anomaly, ...], float]:
    """Of values without gaps, which stand at `places` of the series."""
    steps = np.diff(values)
    windows = np.lib.stride_tricks.sliding_window_view(values, _WINDOW)
    medians = np.median(windows, axis=1)
    kept = np.zeros(len(steps))
    before, after = medians[: -_WINDOW or None], medians[_WINDOW:]
    inner = slice(_WINDOW - 1, _WINDOW - 1 + len(after))
    kept[inner] = after - before
    lasting = np.where(np.sign(steps) == np.sign(kept), np.sign(steps) * np.minimum(np.abs(steps), np.abs(kept)), 0.0)
    deviation = robust_deviation(steps)
    if deviation <= least:
        return (), 1.0
    rows, p = _two_sided(np.where(lasting == 0.0, np.nan, lasting), LEAST_Z * deviation, seed)
    found = []
    for row in rows[:most]:
        left = float(np.median(values[max(0, row + 1 - _WINDOW) : row + 1]))
        right = float(np.median(values[row + 1 : row + 1 + _WINDOW]))
        found.append(Anomaly(int(places[row + 1]), "level shift", right, left, float(lasting[row] / deviation)))
    return tuple(found), p


def _two_sided(values: Array, least: float, seed: int) -> tuple[Array, float]:
    """Outliers at either end that are at least that far from 0, the furthest first, and p that there is any."""
    outliers = outliers_of(np.abs(values), seed=seed)
    if outliers is None:
        return np.zeros(0, dtype=np.int64), 1.0
    far = outliers.rows[np.abs(values[outliers.rows]) >= least]
    return far, outliers.p if len(far) else 1.0
