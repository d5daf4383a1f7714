"""Values in ascending order with how often each occurs: what every exact figure of numbers and times is read from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.columns import INT64_MAX, Array, objects


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Different values, ascending. `counts` are int64, None where every value occurs once."""

    values: Array
    counts: Array | None
    total: int

    @property
    def distinct(self) -> int:
        return len(self.values)

    @property
    def weights(self) -> Array:
        return np.ones(len(self.values), dtype=np.int64) if self.counts is None else self.counts

    @property
    def nbytes(self) -> int:
        return self.values.nbytes + (0 if self.counts is None else self.counts.nbytes)


def ranked(ordered: Array) -> Ranked:
    """From an array in ascending order, whose memory may be kept."""
    changes = ordered[1:] != ordered[:-1]
    distinct = int(np.count_nonzero(changes)) + 1
    if len(ordered) == 0 or distinct == len(ordered):
        return Ranked(ordered, None, len(ordered))
    starts = np.empty(distinct + 1, dtype=np.int64)
    starts[0], starts[-1] = 0, len(ordered)
    np.add(np.flatnonzero(changes), 1, out=starts[1:-1])
    return Ranked(ordered[starts[:-1]], np.diff(starts), len(ordered))


def joined(parts: Sequence[Ranked]) -> Ranked:
    """All of them in one."""
    parts = [part for part in parts if part.total]
    if len(parts) == 1:
        return parts[0]
    values = concatenated([part.values for part in parts])
    if all(part.counts is None for part in parts):
        values.sort()
        return ranked(values)
    order = np.argsort(values, kind="stable")
    values, weights = values[order], np.concatenate([part.weights for part in parts])[order]
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    return Ranked(values[starts], np.add.reduceat(weights, starts), int(weights.sum()))


def concatenated(arrays: Sequence[Array]) -> Array:
    """A new array; of Python ints as soon as one of them holds some."""
    if not arrays:
        return np.empty(0)
    if any(array.dtype == object for array in arrays):
        return np.concatenate([array.astype(object) for array in arrays])
    return np.concatenate(arrays)


def cumulative(of: Ranked) -> Array:
    """How many values there are up to and with each different one."""
    return np.arange(1, of.distinct + 1) if of.counts is None else np.cumsum(of.counts)


def at_quantiles(of: Ranked, shares: Sequence[float]) -> list[Any]:
    """For each share the smallest value that at least this share of the values do not exceed."""
    if of.total == 0:
        return []
    ranks = [rank_of(share, of.total) for share in shares]
    places = ranks if of.counts is None else np.searchsorted(np.cumsum(of.counts), np.array(ranks) + 1).tolist()
    return [of.values[place] for place in places]


def rank_of(share: float, total: int) -> int:
    """The place, from 0, of a quantile among `total` ordered values."""
    # A share such as 0.07 is a little more than it says as a float; 100 values must not make it the eighth.
    return min(max(math.ceil(round(share * total, 6)) - 1, 0), total - 1)


def below(of: Ranked, edges: Array) -> list[int]:
    """How many values are less than each edge."""
    places = np.searchsorted(of.values, edges, side="left")
    if of.counts is None:
        return [int(place) for place in places]
    sums = np.concatenate([[0], np.cumsum(of.counts)])
    return [int(count) for count in sums[places]]


def most_frequent(of: Ranked, limit: int) -> list[tuple[Any, int]]:
    """The values that occur most often with their counts, the smaller first where counts are equal."""
    if of.counts is None or of.distinct <= limit:
        chosen = np.arange(min(limit, of.distinct))
    else:
        least = np.partition(of.counts, of.distinct - limit)[of.distinct - limit]
        above = np.flatnonzero(of.counts > least)
        chosen = np.concatenate([above, np.flatnonzero(of.counts == least)[: limit - len(above)]])
    weights = np.ones(len(chosen), dtype=np.int64) if of.counts is None else of.counts[chosen]
    best = np.lexsort((chosen, -weights))
    return [(of.values[chosen[place]], int(weights[place])) for place in best]


def times(values: Array, factor: int) -> Array:
    """Integers times a factor, as Python's own where they would no longer fit."""
    if not len(values):
        return values
    if values.dtype != object and max(abs(int(values.min())), abs(int(values.max()))) * factor <= INT64_MAX:
        return values * np.int64(factor)
    return objects([int(value) * factor for value in values])
