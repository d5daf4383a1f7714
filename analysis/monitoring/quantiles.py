"""Quantiles of histograms, as Prometheus computes them, with what they cannot be off by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array


@dataclass(frozen=True, slots=True, eq=False)
class HistogramQuantiles:
    """`value` by straight lines within buckets, float64[columns]; the true quantile is between `lower` and `upper`, the
    bounds of its bucket (±inf where the histogram has none). NaN where there are no events."""

    value: Array
    lower: Array
    upper: Array


def histogram_quantiles(bounds: Array, counts: Array, q: float) -> HistogramQuantiles:
    """Of cumulative histograms: `bounds` float64[b] rise and end in inf (the labels `le`); `counts` float64[b, columns]
    say how many were at most that (or how many a second).

    Prometheus's rules: the lowest bucket begins at 0 where its bound is above, else its bound is the answer; in the
    last bucket the bound before it is. q below 0 is -inf, above 1 is inf. Counts that fall from one bucket to the next,
    as sums of rates may by a little, are lifted. A column with a NaN has no quantile.
    """
    columns = counts.shape[1]
    if len(bounds) < 2 or not np.isposinf(bounds[-1]):
        unknown = np.full(columns, np.nan)
        return HistogramQuantiles(unknown, unknown, unknown)
    rising = np.maximum.accumulate(counts, axis=0)
    total = rising[-1]
    rank = q * total
    place = np.minimum((rising < rank).sum(axis=0), len(bounds) - 1)
    column = np.arange(columns)
    starts = np.concatenate([[0.0 if bounds[0] > 0 else -np.inf], bounds[:-1]])
    lower, upper = starts[place], bounds[place]
    before = np.where(place > 0, rising[place - 1, column], 0.0)
    within = rising[place, column] - before
    with np.errstate(invalid="ignore", divide="ignore"):
        value = lower + (upper - lower) * (rank - before) / within
    value = np.where(within > 0, value, lower)
    value = np.where(np.isneginf(lower), upper, value)
    value = np.where(place == len(bounds) - 1, bounds[-2], value)
    # The lowest of all is in the first bucket that has any.
    held = np.minimum(np.maximum(place, (rising <= 0).sum(axis=0)), len(bounds) - 1)
    lower, upper = starts[held], bounds[held]
    if not 0.0 <= q <= 1.0:
        value = lower = upper = np.full(columns, -np.inf if q < 0 else np.inf if q > 1 else np.nan)
    known = (total > 0) & np.isfinite(counts).all(axis=0)
    return HistogramQuantiles(*(np.where(known, each, np.nan) for each in (value, lower, upper)))


def merged(histograms: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """(bounds, counts) of all together, each given as in `histogram_quantiles` with the same columns.

    Kept are the bounds that all have: there, and only there, the sums are exact. A NaN leaves the column unknown.
    """
    if not histograms:
        return np.zeros(0), np.zeros((0, 0))
    bounds = histograms[0][0]
    for other, _ in histograms[1:]:
        bounds = np.intersect1d(bounds, other)
    sums = [counts[np.searchsorted(own, bounds)] for own, counts in histograms]
    return bounds, np.asarray(np.sum(sums, axis=0))
