"""Sums over the rows that two columns have in common, for many pairs in one pass.

A block of rows at a time goes through the cache: nulls become 0 beside a mask, and matrix products of values, squares
and masks give what every pair needs. Values are taken less a provisional mean and scaled, so that neither a large mean
nor a large spread costs digits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from analysis.associations.threads import in_threads
from analysis.columns import Array

BLOCK_BYTES = 2**20  # of the values of a block: what a cache of the second level holds beside their squares and masks
BLOCKS_AT_ONCE = 8  # between two looks whether to stop
CONSTANT = 1e-10  # a variance of less than this of the mean square may be rounding alone


def inner(x: Array, y: Array) -> float:
    """The sum of products of two vectors. Not by BLAS, whose threads take longer to meet than to add."""
    return float(np.einsum("i,i->", x, y))


class Stretches(Protocol):
    """A column as the kernels read it."""

    def __len__(self) -> int: ...

    def read(self, start: int, into: Array) -> None:
        """The rows from `start` on, as many as `into` holds; NaN where null."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """float64, NaN where null; told as (value - shift) * scale."""

    values: Array
    shift: float = 0.0
    scale: float = 1.0

    def __len__(self) -> int:
        return len(self.values)

    def read(self, start: int, into: Array) -> None:
        np.subtract(self.values[start : start + len(into)], self.shift, out=into)
        if self.scale != 1.0:
            np.multiply(into, self.scale, out=into)


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Values by code, code 0 for null."""

    codes: Array
    table: Array

    def __len__(self) -> int:
        return len(self.codes)

    def read(self, start: int, into: Array) -> None:
        codes = self.codes[start : start + len(into)]
        into[...] = self.table[codes]
        into[codes == 0] = np.nan


def centred(values: Array) -> Values:
    """The column shifted by the mean of some of its rows, and scaled by a power of two where squares would overflow."""
    some = values[:: max(len(values) // 4096, 1)]
    some = some[~np.isnan(some)]
    if not len(some):
        some = values[~np.isnan(values)][:1]
    if not len(some):
        return Values(values)
    largest = float(np.max(np.abs(some)))
    shift = float(np.mean(some / largest)) * largest if largest > 0 else 0.0
    least, most = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
    shift = min(max(shift, least), most)
    spread = max(most / 2 - shift / 2, shift / 2 - least / 2)
    if 1e-60 < spread < 1e60 or spread == 0.0:
        return Values(values, shift)
    exponent = int(np.frexp(spread)[1])
    return Values(np.ldexp(values, -exponent), float(np.ldexp(shift, -exponent)))


@dataclass(frozen=True, slots=True, eq=False)
class PairMoments:
    """Of every pair, over the rows that both have: how many, means, variances (by n) and covariance. Arrays of one
    shape. `doubtful`: so little varies that the variances may be rounding alone."""

    n: Array
    variance_a: Array
    variance_b: Array
    covariance: Array
    doubtful: Array

    def correlation(self) -> Array:
        """NaN where either is constant or n is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            r = self.covariance / np.sqrt(self.variance_a) / np.sqrt(self.variance_b)
        return np.clip(np.where(np.isfinite(r), r, np.nan), -1.0, 1.0)


def all_pairs(columns: Sequence[Stretches], check: Callable[[], None], threads: int = 1) -> PairMoments:
    """(k, k) arrays for k columns; the same to the last bit for any number of threads."""
    k, rows = len(columns), len(columns[0])
    size = max(min(BLOCK_BYTES // (8 * k), rows), 64)
    starts = range(0, rows, size * BLOCKS_AT_ONCE)

    def summed(start: int) -> tuple[Array, Array]:
        return _sums(columns, start, min(start + size * BLOCKS_AT_ONCE, rows), size)

    sums, products = np.zeros((3 * k, k)), np.zeros((k, k))
    for part, product in in_threads(summed, starts, threads, check):
        sums += part
        products += product
    return _finished(sums[:k], sums[k : 2 * k], sums[k : 2 * k].T, sums[2 * k :], sums[2 * k :].T, products)


def _sums(columns: Sequence[Stretches], first: int, last: int, size: int) -> tuple[Array, Array]:
    """Counts, sums and squares (3 k, k) of each column over the rows that each other has, and products (k, k)."""
    k = len(columns)
    sums, products = np.zeros((3 * k, k)), np.zeros((k, k))
    block, missing = np.empty((3 * k, size)), np.empty((k, size), dtype=np.bool_)
    for start in range(first, last, size):
        length = min(size, last - start)
        stacked, nulls = block[:, :length], missing[:, :length]
        there, values, squares = stacked[:k], stacked[k : 2 * k], stacked[2 * k :]
        for row, column in zip(values, columns, strict=True):
            column.read(start, row)
        np.isnan(values, out=nulls)
        np.copyto(values, 0.0, where=nulls)
        np.copyto(there, np.logical_not(nulls, out=nulls))
        np.multiply(values, values, out=squares)
        sums += stacked @ there.T
        products += values @ values.T
    return sums, products


def listed_pairs(
    columns: Sequence[Stretches], a: Array, b: Array, check: Callable[[], None], budget: int = 2**23
) -> PairMoments:
    """Arrays as long as `a` and `b`, indices into the columns: for few pairs of many columns."""
    rows = len(columns[0])
    sums = np.zeros((6, len(a)))
    size = max(min(rows, budget // (8 * max(len(columns), 1))), 1)
    block = np.empty((len(columns), size))
    at_once = max(budget // (8 * size), 1)
    for start in range(0, rows, size):
        length = min(size, rows - start)
        for row, column in zip(block, columns, strict=True):
            column.read(start, row[:length])
        for first in range(0, len(a), at_once):
            check()
            some = slice(first, first + at_once)
            x, y = block[a[some], :length], block[b[some], :length]
            nulls = np.isnan(x) | np.isnan(y)
            x[nulls], y[nulls] = 0.0, 0.0
            sums[0, some] += length - nulls.sum(axis=1)
            sums[1, some] += x.sum(axis=1)
            sums[2, some] += y.sum(axis=1)
            sums[3, some] += np.einsum("ij,ij->i", x, x)
            sums[4, some] += np.einsum("ij,ij->i", y, y)
            sums[5, some] += np.einsum("ij,ij->i", x, y)
    return _finished(*sums)


def _finished(n: Array, sum_a: Array, sum_b: Array, square_a: Array, square_b: Array, product: Array) -> PairMoments:
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_a, mean_b = sum_a / n, sum_b / n
        second_a, second_b = square_a / n, square_b / n
        covariance = product / n - mean_a * mean_b
        variance_a, variance_b = second_a - mean_a**2, second_b - mean_b**2
        doubtful = (variance_a <= CONSTANT * second_a) | (variance_b <= CONSTANT * second_b)
    return PairMoments(n, np.maximum(variance_a, 0.0), np.maximum(variance_b, 0.0), covariance, doubtful & (n > 0))
