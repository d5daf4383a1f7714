"""Sums of many columns of numbers by the levels of many categories, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from analysis.associations.columns import Categories
from analysis.associations.correlation_ratio import Groups
from analysis.associations.moments import Coded, Values
from analysis.columns import Array

_BLOCK_BYTES = 2**21
_MOST_ROWS = 2**15


def grouped(
    numbers: Sequence[Values | Coded],
    categories: Sequence[Categories],
    wanted: Mapping[int, Sequence[int]],
    check: Callable[[], None],
) -> dict[tuple[int, int], Groups]:
    """By (number, category), indices: `wanted` has the numbers of each category. Sums are of what `numbers` read."""
    rows = len(numbers[0]) if numbers else 0
    size = max(min(rows, _MOST_ROWS, _BLOCK_BYTES // (8 * max(len(numbers), 1))), 1)
    counts = {(i, g): np.zeros(len(categories[g].counts)) for g, members in wanted.items() for i in members}
    sums = {pair: np.zeros(len(held)) for pair, held in counts.items()}
    squares = {pair: np.zeros(len(held)) for pair, held in counts.items()}
    block = np.empty((len(numbers), size))
    for start in range(0, rows, size):
        check()
        values = block[:, : min(size, rows - start)]
        for row, column in zip(values, numbers, strict=True):
            column.read(start, row)
        nulls = np.isnan(values)
        gaps = [np.flatnonzero(row) for row in nulls]
        values[nulls] = 0.0
        squared = values * values
        for g, members in wanted.items():
            codes = categories[g].codes[start : start + values.shape[1]].astype(np.intp)
            levels = len(categories[g].counts)
            every = np.bincount(codes, minlength=levels)
            for i in members:
                counts[i, g] += every - np.bincount(codes[gaps[i]], minlength=levels) if len(gaps[i]) else every
                sums[i, g] += np.bincount(codes, weights=values[i], minlength=levels)
                squares[i, g] += np.bincount(codes, weights=squared[i], minlength=levels)
    return {pair: _groups(counts[pair], sums[pair], squares[pair]) for pair in counts}


def _groups(counts: Array, sums: Array, squares: Array) -> Groups:
    there = counts[1:] > 0
    return Groups(counts[1:][there], sums[1:][there], squares[1:][there])
