"""Medians of the last values: of a whole array at once, and one value after the other."""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable

import numpy as np

from analysis.columns import Array


def trailing_medians(values: Array, window: int) -> Array:
    """At each place the median of the `window` values before it (odd), the first stands in for those before the array.

    One longer than `values`: the last is what the next value would be measured by.
    """
    from scipy import ndimage  # noqa: PLC0415 - loaded when an analysis runs

    if window == 1:
        return np.concatenate([values[:1], values])
    medians = ndimage.median_filter(values, size=window, mode="nearest", origin=(window - 1) // 2)
    return np.concatenate([values[:1], medians])


class TrailingMedian:
    """The median of the last `window` values (odd), of which `first` are the first: at least one."""

    __slots__ = ("_arrived", "_oldest", "_sorted", "_window")

    def __init__(self, window: int, first: Iterable[float]) -> None:
        kept = [float(value) for value in first][-window:]
        kept = [kept[0]] * (window - len(kept)) + kept
        self._window = window
        # In arrays: a server may keep ten thousand of these.
        self._arrived = array("d", kept)
        self._oldest = 0
        self._sorted = array("d", sorted(kept))

    @property
    def value(self) -> float:
        return self._sorted[self._window // 2]

    def push(self, value: float) -> None:
        """The oldest goes."""
        ordered, place = self._sorted, self._oldest
        del ordered[bisect_left(ordered, self._arrived[place])]
        insort(ordered, value)
        self._arrived[place] = value
        self._oldest = (place + 1) % self._window
