"""Pearson's and Spearman's correlation of many pairs of columns, and which pairs are more than correlated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.associations.columns import Numbers
from analysis.associations.moments import Coded, PairMoments, Values, all_pairs, centred, listed_pairs
from analysis.associations.ranks import centred_ranks
from analysis.associations.results import Relation
from analysis.columns import Array

# Nulls of the other column move the ranks of a pair. Where it loses no more than this share of either column's rows,
# ranks of the whole column stand in for its own if `RERANKED_CELLS` are exceeded: at 1 % of random nulls within 7e-6.
LOSS = 0.05
RERANKED_CELLS = 100_000_000
# Matrix products of all columns beat sums of single pairs where at least this share of the pairs is wanted.
DENSE = 0.1
NEARLY_ONE = 1 - 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Correlations:
    """As long as the pairs asked for. `own_ranks`: whether ranks are those of the rows that the pair has in common."""

    n: Array
    r: Array
    own_ranks: Array


def pearson(columns: Sequence[Numbers], a: Array, b: Array, check: Callable[[], None]) -> Correlations:
    """Of the columns with these indices; NaN where one does not vary in the rows that both have."""
    found = _moments([centred(column.values) for column in columns], a, b, check)
    r = found.correlation()
    for place in np.flatnonzero(found.doubtful):
        check()
        r[place] = _twice_through(columns[a[place]].values, columns[b[place]].values)
    return Correlations(found.n, r, np.ones(len(a), dtype=np.bool_))


def spearman(columns: Sequence[Numbers], a: Array, b: Array, check: Callable[[], None]) -> Correlations:
    """The same of average ranks."""
    found = _moments([Coded(column.ranks.codes, column.ranks.table()) for column in columns], a, b, check)
    r, n = found.correlation(), found.n
    present = np.array([column.told.rows_with_value for column in columns])
    loss = 1 - n / np.minimum(present[a], present[b])
    rows = len(columns[0].values)
    affordable = np.count_nonzero(loss > 0) * rows <= RERANKED_CELLS
    anew = (n > 0) & (found.doubtful | (loss > (0 if affordable else LOSS)) | ((loss > 0) & (np.abs(r) > 1 - LOSS)))
    for place in np.flatnonzero(anew):
        check()
        r[place] = _of_own_ranks(columns[a[place]], columns[b[place]])
    return Correlations(n, r, anew | (loss == 0))


def _moments(columns: Sequence[Values | Coded], a: Array, b: Array, check: Callable[[], None]) -> PairMoments:
    if len(a) < DENSE * len(columns) ** 2 / 2:
        return listed_pairs(columns, a, b, check)
    every = all_pairs(columns, check)
    return PairMoments(
        *(getattr(every, name)[a, b] for name in ("n", "variance_a", "variance_b", "covariance", "doubtful"))
    )


def _twice_through(x: Array, y: Array) -> float:
    """First the means, then the rest: loses no digits. NaN where either is constant."""
    both = ~(np.isnan(x) | np.isnan(y))
    x, y = x[both], y[both]
    if not len(x) or np.all(x == x[0]) or np.all(y == y[0]):
        return float("nan")
    x, y = _unit(x), _unit(y)
    return float(np.clip(np.dot(x, y), -1.0, 1.0))


def _unit(values: Array) -> Array:
    halved = values / 2
    halved = halved - halved[0]
    halved /= np.max(np.abs(halved))
    halved -= halved.mean()
    return np.asarray(halved / np.linalg.norm(halved))


def _of_own_ranks(a: Numbers, b: Numbers) -> float:
    """Without sorting again: rows that the other lacks are taken out of the counts of the codes."""
    codes_a, codes_b = a.ranks.codes, b.ranks.codes
    x = _own_ranks(codes_a * (codes_b != 0), len(a.ranks.counts))
    y = _own_ranks(codes_b * (codes_a != 0), len(b.ranks.counts))
    size = np.sqrt(np.dot(x, x)) * np.sqrt(np.dot(y, y))
    return float(np.clip(np.dot(x, y) / size, -1.0, 1.0)) if size > 0 else float("nan")


def _own_ranks(codes: Array, distinct: int) -> Array:
    counts = np.bincount(codes, minlength=distinct)
    counts[0] = 0
    return centred_ranks(counts)[codes]


def relation(a: Numbers, b: Numbers) -> Relation | None:
    """What holds exactly, or within rounding, in every row that both have; asked where a correlation is nearly 1."""
    x, y = a.values, b.values
    both = ~(np.isnan(x) | np.isnan(y))
    x, y = x[both], y[both]
    if np.array_equal(x, y):
        return Relation.IDENTICAL
    if _is_linear(x, y):
        return Relation.LINEAR
    return Relation.MONOTONE if _is_monotone(x, y) else None


def _is_linear(x: Array, y: Array) -> bool:
    x, y = _unit(x), _unit(y)
    sign = np.sign(np.dot(x, y))
    return bool(np.max(np.abs(x - sign * y)) <= 1e-9 * np.max(np.abs(x)))


def _is_monotone(x: Array, y: Array) -> bool:
    """One strictly rises, or falls, with the other."""
    order = np.argsort(x, kind="stable")
    rising, other = x[order], y[order]
    moves, turns = rising[1:] > rising[:-1], np.sign(other[1:] - other[:-1])
    return bool(np.all(turns == moves) or np.all(turns == -1.0 * moves))
