"""One forecast out of many: weights from the backtest, and a mean or a median by whichever did better there.

Weights fall with the fourth power of a model's backtest loss relative to the best one's, so that what is clearly worse
has no say while near-equals share. A weighted median shrugs off a model that runs away, a weighted mean averages errors
out; where the backtest does not tell them apart, half of each is taken. Combinations won the M4 competition: 12 of its
17 most accurate methods are combinations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from analysis.forecast.accuracy import mean_absolute_error, smape

_POWER = 4.0
# Mean and median are told apart where their backtest errors differ by more than this share.
_MARGIN = 0.02
# A model whose share is smaller is left out: it costs a line in the answer and changes nothing.
_LEAST_WEIGHT = 0.002


@dataclass(frozen=True, slots=True, eq=False)
class Combination:
    """`forecasts` (origins, horizon): for each origin of the backtest made with the weights that the others give, for
    the last row (the end of the series) with those of all, which are `weights` (models,). `how`: mean, median, both.
    """

    forecasts: Array
    weights: Array
    how: str


def combine(forecasts: Array, actual: Array, naive2: Array) -> Combination:
    """`forecasts` (models, origins + 1, horizon), of which the last origin is the end; `actual` (origins, horizon).

    `naive2` (origins, horizon) is the benchmark that losses are relative to. There are at least two origins.
    """
    origins = len(actual)
    losses = relative_losses(forecasts[:, :-1], actual, naive2)
    means, medians = np.empty((2, origins + 1, forecasts.shape[2]))
    for place in range(origins + 1):
        weights = weights_of(losses[:, np.arange(origins) != place])
        means[place] = weights @ forecasts[:, place]
        medians[place] = weighted_median(forecasts[:, place], weights)
    share, how = _mean_share(means[:-1], medians[:-1], actual, naive2)
    return Combination(share * means + (1 - share) * medians, weights_of(losses), how)


def relative_losses(forecasts: Array, actual: Array, naive2: Array) -> Array:
    """OWA-like loss of each model at each origin, shape (models, origins), in units of Naive2's mean over origins."""
    parts = []
    for measure in (mean_absolute_error, smape):
        benchmark = float(np.mean(measure(naive2, actual)))
        figures = measure(forecasts, actual)
        parts.append(figures / (benchmark if benchmark > 0 else max(float(np.mean(figures)), 1e-300)))
    return np.asarray((parts[0] + parts[1]) / 2)


def weights_of(losses: Array) -> Array:
    """Shares that add up to 1, of losses of shape (models, origins)."""
    # Between the mean and the median over origins: one bad stretch, which hits all models, does not decide alone.
    means = np.sqrt(losses).mean(axis=1) ** 2
    ratios = (means + 1e-9) / (float(means.min()) + 1e-9)
    weights = ratios**-_POWER
    weights = np.where(weights < _LEAST_WEIGHT * weights.sum(), 0.0, weights)
    return np.asarray(weights / weights.sum())


def weighted_median(forecasts: Array, weights: Array) -> Array:
    """Of forecasts (models, horizon), at each step the value below which half of the weight lies."""
    order = np.argsort(forecasts, axis=0)
    cumulated = np.cumsum(weights[order], axis=0)
    places = np.argmax(cumulated >= 0.5 - 1e-12, axis=0)
    ordered = np.take_along_axis(forecasts, order, axis=0)
    return np.asarray(np.take_along_axis(ordered, places[None], axis=0)[0])


def _mean_share(means: Array, medians: Array, actual: Array, naive2: Array) -> tuple[float, str]:
    """How much of the mean to take, and what to call it."""
    by_mean, by_median = relative_losses(np.stack([means, medians]), actual, naive2).mean(axis=1).tolist()
    if by_mean < (1 - _MARGIN) * by_median:
        return 1.0, "weighted mean"
    if by_median < (1 - _MARGIN) * by_mean:
        return 0.0, "weighted median"
    return 0.5, "half weighted mean, half weighted median"
