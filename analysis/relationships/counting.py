"""Counts of pairs of codes."""

from __future__ import annotations

import math

import numpy as np

from analysis.columns import Array
from analysis.relationships.coding import CodedColumn

# A table of all pairs is counted without sorting while it is at most this often the number of rows.
_TABLE_PER_ROW = 4


def joint_codes(left: Array, right: Array, right_levels: int) -> Array:
    """One number for each pair of codes."""
    return left.astype(np.int64) * right_levels + right


def pair_counts(left: Array, right: Array, left_levels: int, right_levels: int) -> tuple[Array, Array]:
    """The left code of every pair that occurs, rising, and how often the pair does. All codes are at least 0."""
    joint = joint_codes(left, right, right_levels)
    if left_levels * right_levels <= _TABLE_PER_ROW * len(left) + 1024:
        table = np.bincount(joint, minlength=left_levels * right_levels)
        pairs = np.flatnonzero(table)
        return pairs // right_levels, table[pairs]
    joint.sort()
    starts = np.flatnonzero(np.concatenate(([True], joint[1:] != joint[:-1])))
    return joint[starts] // right_levels, np.diff(np.append(starts, len(joint)))


def majority_rows(left: Array, right: Array, left_levels: int, right_levels: int) -> int:
    """How many rows remain when of every left code only the rows with its most frequent right code stay."""
    if not len(left):
        return 0
    owners, counts = pair_counts(left, right, left_levels, right_levels)
    starts = np.flatnonzero(np.concatenate(([True], owners[1:] != owners[:-1])))
    return int(np.maximum.reduceat(counts, starts).sum())


def expected_repeats(columns: list[CodedColumn], rows: int) -> float:
    """Pairs of equal rows that these columns would have, were each shuffled by itself. Null is a value like others."""
    pairs = rows * (rows - 1) / 2
    share = 1.0
    for column in columns:
        counts = np.append(column.counts, column.nulls).astype(np.float64)
        share *= float((counts * (counts - 1) / 2).sum()) / max(1.0, pairs)
    return pairs * share


def poisson_at_most(count: int, mean: float) -> float:
    """The probability of at most this count."""
    if mean <= 0:
        return 1.0
    logs = [i * math.log(mean) - mean - math.lgamma(i + 1) for i in range(count + 1)]
    greatest = max(logs)
    return min(1.0, math.exp(greatest) * sum(math.exp(log - greatest) for log in logs))
