"""Quantiles of more values than memory holds, each with an error that is computed from what was thrown away.

The sketch of Karnin, Lang and Liberty ("Optimal quantile approximation in streams", 2016) with levels of one size: an
item of level h stands for 2**h values. A full level is sorted and every second item, from a random one of the first two
on, goes up a level. That moves the rank of any value by 2**h at most, up or down with equal chance; so the error of a
rank after many such steps is bounded by Hoeffding's inequality over the sum of their squares, which the sketch keeps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analysis.columns import Array
from analysis.profile.ranked import Ranked, concatenated, joined, times

CONFIDENCE = 0.99

# Items a level. Ten million values end up in nine levels: 2 MiB, and an error near one in ten thousand.
LEVEL_SIZE = 32_768


class QuantileSketch:
    """Of integers or floats without NaN. `seed` decides what is thrown away; the same input gives the same answers."""

    def __init__(self, seed: int, level_size: int = LEVEL_SIZE) -> None:
        self._random = np.random.default_rng(seed)
        self._size = level_size
        self._levels: list[list[Array]] = []
        self._squares = 0.0
        self.count = 0

    def add(self, values: Ranked) -> None:
        """A value that occurs c times goes to the levels of the binary digits of c: nothing is lost by that."""
        self.count += values.total
        if values.counts is None:
            self._put(0, values.values)
        else:
            for level in range(int(values.counts.max(initial=0)).bit_length()):
                self._put(level, values.values[(values.counts >> level) & 1 == 1])
        self._shrink()

    def merge(self, other: QuantileSketch) -> None:
        for level, arrays in enumerate(other._levels):
            for array in arrays:
                self._put(level, array)
        self._squares += other._squares
        self.count += other.count
        self._shrink()

    def rescale(self, factor: int) -> None:
        self._levels = [[times(array, factor) for array in arrays] for arrays in self._levels]

    def ranked(self) -> Ranked:
        """What the sketch stands for, to read quantiles and counts from."""
        parts = []
        for level, arrays in enumerate(self._levels):
            values = concatenated(arrays) if arrays else np.empty(0)
            if len(values):
                values.sort()
                parts.append(Ranked(values, np.full(len(values), 2**level, dtype=np.int64), len(values) * 2**level))
        return joined(parts) if parts else Ranked(np.empty(0), None, 0)

    def error(self, ranks: int) -> float:
        """The share of the values by which that many ranks may be off, all of them with CONFIDENCE together."""
        if self.count == 0:
            return 0.0
        return math.sqrt(2 * self._squares * math.log(4 * max(ranks, 1) / (1 - CONFIDENCE))) / self.count

    def _put(self, level: int, values: Array) -> None:
        if len(values):
            while len(self._levels) <= level:
                self._levels.append([])
            self._levels[level].append(values)

    def _shrink(self) -> None:
        level = 0
        while level < len(self._levels):
            if _length(self._levels[level]) > self._size:
                self._compact(level)
            level += 1

    def _compact(self, level: int) -> None:
        items = concatenated(self._levels[level])
        items.sort()
        paired = len(items) & ~1
        # An odd one stays behind, so that the weights add up to the count.
        self._levels[level] = [items[paired:].copy()] if paired < len(items) else []
        self._put(level + 1, items[int(self._random.integers(2)) : paired : 2].copy())
        self._squares += 4.0**level


def _length(arrays: Sequence[Array]) -> int:
    return sum(len(array) for array in arrays)
