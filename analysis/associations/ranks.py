"""Ranks of a column, computed once and used in every pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.columns import Array

_SIGN = np.int64(-(2**63))
_SMALL = 10_000  # below, an argsort is as fast


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """`codes` int32 a row: 0 where null, 1 for the smallest value, the next for the next one. `counts[code]` is how
    many rows have it, nulls not counted."""

    codes: Array
    counts: Array

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    @property
    def distinct(self) -> int:
        return len(self.counts) - 1

    def scores(self) -> Array:
        """As `rank_scores` has them."""
        return rank_scores(self.counts)


def rank_scores(counts: Array) -> Array:
    """int32 by code: twice the average rank less twice the mean rank, which is whole; 0 for code 0, null.

    Correlations and Kruskal-Wallis come out the same as of the ranks themselves.
    """
    table = np.cumsum(counts, dtype=np.int32)
    total = table[-1] if len(table) else np.int32(0)
    table *= 2
    table -= counts.astype(np.int32, copy=False)
    table -= total
    table[:1] = 0
    return table


def ranked(values: Array) -> Ranked:
    """Of float64 with NaN for null."""
    order = ascending(values)
    ordered = values[order]
    present = len(values) - int(np.count_nonzero(np.isnan(ordered)))  # NaN sorts last
    ordered = ordered[:present]
    codes = np.zeros(len(values), dtype=np.int32)
    if not present:
        return Ranked(codes, np.zeros(1, dtype=np.int32))
    steps = np.empty(present, dtype=np.bool_)
    steps[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=steps[1:])
    codes[order[:present]] = np.cumsum(steps, dtype=np.int32)
    starts = np.flatnonzero(steps)
    counts = np.zeros(len(starts) + 1, dtype=np.int32)
    counts[1:] = np.diff(starts, append=present)
    return Ranked(codes, counts)


def ascending(values: Array) -> Array:
    """The rows of float64 values in ascending order, NaN last; rows of equal values in any order.

    The leading bits of each value and its row in one integer sort several times as fast as an argsort. Values that
    these bits do not tell apart are put right afterwards, or everything is sorted anew where they are many.
    """
    bits = max(len(values) - 1, 1).bit_length()
    if len(values) < _SMALL or bits > 32:
        return np.argsort(values, kind="stable")
    keys = _leading_bits(values, np.uint64((1 << bits) - 1))
    keys |= np.arange(len(values), dtype=np.uint64)
    keys.sort()
    order = (keys & np.uint64((1 << bits) - 1)).astype(np.intp)
    ordered = values[order]
    if not np.any(ordered[:-1] > ordered[1:]):
        return order
    keys >>= np.uint64(bits)
    return _put_right(values, order, keys[1:] == keys[:-1])


def _leading_bits(values: Array, but: np.uint64) -> Array:
    """Integers in the order of the values, without these trailing bits. Differences from a value in the middle use more
    of the leading bits; rounding a difference keeps the order, if not strictly."""
    few = values[:: max(len(values) // 1000, 1)]
    few = few[~np.isnan(few)]
    with np.errstate(over="ignore"):
        shifted = values - (np.median(few) if len(few) else 0.0)
    shifted[np.isnan(values)] = np.inf
    whole = shifted.view(np.int64)
    whole ^= (whole >> 63) | _SIGN  # IEEE 754: negative numbers are ordered backwards
    keys = whole.view(np.uint64)
    keys &= ~but
    return keys


def _put_right(values: Array, order: Array, same: Array) -> Array:
    """Sorts anew inside stretches whose leading bits are the same."""
    inside = np.zeros(len(values), dtype=np.bool_)
    inside[1:] = same
    inside[:-1] |= same
    places = np.flatnonzero(inside)
    if len(places) > len(values) // 4:
        return np.argsort(values, kind="stable")
    starts = np.ones(len(values), dtype=np.bool_)
    starts[1:] = ~same
    stretch = np.cumsum(starts, dtype=np.int32)[places]
    rows = order[places]
    order[places] = rows[np.lexsort((values[rows], stretch))]
    return order
