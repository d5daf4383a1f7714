"""Fewer points that look like all of them: largest triangles, three buckets (Steinarsson 2013).

Buckets are of times and not of points, so that a choice stays as it is while time goes on: only the newest ones change.
For drawing only: what is chosen is no sample of the values, and extremes get lost but for the bands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.timeseries.cells import Matrix


@dataclass(frozen=True, slots=True)
class Chosen:
    """For each series and bucket: the column that was chosen (-1: none has a value), its value, what it ranges over."""

    column: NDArray[np.int64]
    value: Matrix
    low: Matrix
    high: Matrix


def downsampled(values: Matrix, lows: Matrix, highs: Matrix, width: int) -> Chosen:
    """One of each `width` columns, of fewer in the last bucket. `lows` and `highs` are what each column ranges over."""
    count, length = values.shape
    buckets = -(-length // width)
    shape = (count, buckets, width)
    y = _padded(values, buckets * width).reshape(shape)
    known = ~np.isnan(y)
    x = np.arange(buckets * width, dtype=float).reshape(1, buckets, width)
    some = np.asarray(known.any(axis=2))
    counts = np.maximum(known.sum(axis=2), 1)
    mean_x = np.where(known, x, 0.0).sum(axis=2) / counts
    mean_y = np.where(known, y, 0.0).sum(axis=2) / counts
    place = _places(x, y, known, some, mean_x, mean_y)
    value = np.take_along_axis(y, place[:, :, None], axis=2)[:, :, 0]
    column = np.where(some, place + np.arange(buckets) * width, -1)
    return Chosen(
        column,
        value,
        np.fmin.reduce(_padded(lows, buckets * width).reshape(shape), axis=2),
        np.fmax.reduce(_padded(highs, buckets * width).reshape(shape), axis=2),
    )


def _padded(values: Matrix, length: int) -> Matrix:
    return np.pad(values, ((0, 0), (0, length - values.shape[1])), constant_values=np.nan)


def _places(
    x: Matrix, y: Matrix, known: NDArray[np.bool_], some: NDArray[np.bool_], mean_x: Matrix, mean_y: Matrix
) -> NDArray[np.int64]:
    """Where in its bucket each choice is: the point with the largest triangle between the choice before and the mean
    after. The first after a gap is its first point, the last before one its last."""
    count, buckets, width = y.shape
    places = np.zeros((count, buckets), np.int64)
    before_x, before_y = np.zeros(count), np.zeros(count)
    series = np.arange(count)
    for bucket in range(buckets):
        here = known[:, bucket]
        follows = some[:, bucket - 1] if bucket else np.zeros(count, bool)
        leads = some[:, bucket + 1] if bucket + 1 < buckets else np.zeros(count, bool)
        after = min(bucket + 1, buckets - 1)
        with np.errstate(invalid="ignore", over="ignore"):
            area = np.abs(
                (before_x - mean_x[:, after])[:, None] * (y[:, bucket] - before_y[:, None])
                - (before_x[:, None] - x[:, bucket]) * (mean_y[:, after] - before_y)[:, None]
            )
        area = np.where(here, np.nan_to_num(area, nan=0.0), -1.0)
        place = np.argmax(area, axis=1)
        place = np.where(leads, place, width - 1 - np.argmax(here[:, ::-1], axis=1))
        place = np.where(follows, place, np.argmax(here, axis=1))
        places[:, bucket] = place
        before_x, before_y = x[0, bucket, place], y[series, bucket, place]
    return places
