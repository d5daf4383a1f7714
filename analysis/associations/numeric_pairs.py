"""Pearson's and Spearman's correlation of many pairs of columns, and which pairs are more than correlated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.associations.columns import Numbers
from analysis.associations.moments import Coded, PairMoments, Values, all_pairs, centred, inner, listed_pairs
from analysis.associations.ranks import rank_scores
from analysis.associations.results import Relation
from analysis.associations.threads import in_threads
from analysis.columns import Array

# Nulls of the other column move the ranks of a pair. Where it loses no more than this share of either column's rows,
# ranks of the whole column stand in for its own if `RERANKED_CELLS` are exceeded: at 1 % of random nulls within 7e-6.
LOSS = 0.05
RERANKED_CELLS = 100_000_000
# Matrix products of all columns beat sums of single pairs where at least this share of the pairs is wanted.
DENSE = 0.1
NEARLY_ONE = 1 - 1e-9
SKEWNESS_ROWS = 20_000  # of many more rows hardly any column is skewed enough to matter
_AT_ONCE = 2**18  # numbers of a batch of pairs, of which there are half a dozen copies


@dataclass(frozen=True, slots=True, eq=False)
class Correlations:
    """As long as the pairs asked for. `own_ranks`: whether ranks are those of the rows that the pair has in common."""

    n: Array
    r: Array
    own_ranks: Array


def pearson(
    columns: Sequence[Numbers], a: Array, b: Array, check: Callable[[], None], threads: int = 1
) -> Correlations:
    """Of the columns with these indices; NaN where one does not vary in the rows that both have."""
    found = _moments([centred(column.values) for column in columns], a, b, check, threads)
    r = found.correlation()
    for place in np.flatnonzero(found.doubtful):
        check()
        r[place] = _twice_through(columns[a[place]].values, columns[b[place]].values)
    return Correlations(found.n, r, np.ones(len(a), dtype=np.bool_))


def spearman(
    columns: Sequence[Numbers], a: Array, b: Array, check: Callable[[], None], threads: int = 1
) -> Correlations:
    """The same of average ranks."""
    found = _moments([Coded(column.ranks.codes, column.ranks.scores()) for column in columns], a, b, check, threads)
    r, n = found.correlation(), found.n
    present = np.array([column.told.rows_with_value for column in columns])
    loss = 1 - n / np.maximum(present[a], present[b])  # of the column that loses more
    rows = len(columns[0].values)
    affordable = np.count_nonzero(loss > 0) * rows <= RERANKED_CELLS
    anew = (n > 0) & (found.doubtful | (loss > (0 if affordable else LOSS)) | ((loss > 0) & (np.abs(r) > 1 - LOSS)))
    places = np.flatnonzero(anew)
    own = in_threads(lambda place: _of_own_ranks(columns[a[place]], columns[b[place]]), places, threads, check)
    for place, value in zip(places, own, strict=True):
        r[place] = value
    return Correlations(n, r, anew | (loss == 0))


def _moments(
    columns: Sequence[Values | Coded], a: Array, b: Array, check: Callable[[], None], threads: int
) -> PairMoments:
    if len(a) < DENSE * len(columns) ** 2 / 2:
        return listed_pairs(columns, a, b, check)
    every = all_pairs(columns, check, threads)
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
    return float(np.clip(inner(x, y), -1.0, 1.0))


def _unit(values: Array) -> Array:
    halved = values / 2
    halved = halved - halved[0]
    halved /= np.max(np.abs(halved))
    halved -= halved.mean()
    return np.asarray(halved / np.sqrt(inner(halved, halved)))


def _of_own_ranks(a: Numbers, b: Numbers) -> float:
    """Without sorting again: rows that the other lacks are taken out of the counts of the codes."""
    codes_a, codes_b = a.ranks.codes, b.ranks.codes
    x = _own_ranks(codes_a * (codes_b != 0), len(a.ranks.counts))
    y = _own_ranks(codes_b * (codes_a != 0), len(b.ranks.counts))
    size = np.sqrt(inner(x, x)) * np.sqrt(inner(y, y))
    return float(np.clip(inner(x, y) / size, -1.0, 1.0)) if size > 0 else float("nan")


def _own_ranks(codes: Array, distinct: int) -> Array:
    counts = np.bincount(codes, minlength=distinct)
    counts[0] = 0
    return rank_scores(counts)[codes].astype(np.float64)


def spread_of_pearson(columns: Sequence[Numbers], a: Array, b: Array, rows: Array, check: Callable[[], None]) -> Array:
    """How many times larger the standard error of each Pearson correlation is than where both columns are normal.

    At least 1. From the influence of these rows: z_a z_b - r (z_a^2 + z_b^2) / 2. Long tails make it several times.
    """
    standard = np.array([_standardised(column.values[rows]) for column in columns])
    factors = np.ones(len(a))
    step = max(_AT_ONCE // max(len(rows), 1), 1)
    for start in range(0, len(a), step):
        check()
        x, y = standard[a[start : start + step]], standard[b[start : start + step]]
        product = x * y
        n = np.maximum(np.count_nonzero(~np.isnan(product), axis=1), 1)
        r = np.clip(np.nansum(product, axis=1) / n, -0.999, 0.999)
        influence = product - r[:, None] / 2 * (x * x + y * y)
        centre = np.nansum(influence, axis=1) / n
        variance = np.nansum((influence - centre[:, None]) ** 2, axis=1) / n
        factors[start : start + step] = np.sqrt(variance) / (1 - r * r)
    return np.maximum(np.nan_to_num(factors, nan=1.0), 1.0)


def skewness(column: Numbers) -> float:
    """The third standardised moment, of at most `SKEWNESS_ROWS` rows; 0 where nothing varies."""
    values = _standardised(column.values[:: max(len(column.values) // SKEWNESS_ROWS, 1)])
    found = float(np.nanmean(values * values * values)) if not np.isnan(values).all() else 0.0
    return found if np.isfinite(found) else 0.0


def _standardised(values: Array) -> Array:
    there = values[~np.isnan(values)]
    if not len(there) or np.all(there == there[0]):
        return np.full(len(values), np.nan)
    largest = float(np.max(np.abs(there)))
    scaled = there / largest
    deviation = float(scaled.std())
    return np.asarray((values / largest - scaled.mean()) / deviation) if deviation > 0 else np.full(len(values), np.nan)


def relation(a: Numbers, b: Numbers) -> Relation | None:
    """What holds exactly, or within rounding, in every row that both have; asked where a correlation is nearly 1."""
    x, y = a.values, b.values
    both = ~(np.isnan(x) | np.isnan(y))
    x, y = x[both], y[both]
    if np.array_equal(x, y) and _are_exactly_equal(a, b, both):
        return Relation.IDENTICAL
    if _is_linear(x, y):
        return Relation.LINEAR
    return Relation.MONOTONE if _is_monotone(x, y) else None


def _are_exactly_equal(a: Numbers, b: Numbers, both: Array) -> bool:
    """Also of whole numbers that float64 does not tell apart."""
    if a.exact is None or b.exact is None:
        return a.exact is b.exact
    return bool(np.array_equal(a.exact[both], b.exact[both]))


def _is_linear(x: Array, y: Array) -> bool:
    x, y = _unit(x), _unit(y)
    sign = np.sign(inner(x, y))
    return bool(np.max(np.abs(x - sign * y)) <= 1e-9 * np.max(np.abs(x)))


def _is_monotone(x: Array, y: Array) -> bool:
    """One strictly rises, or falls, with the other."""
    order = np.argsort(x, kind="stable")
    rising, other = x[order], y[order]
    moves, turns = rising[1:] > rising[:-1], np.sign(other[1:] - other[:-1])
    return bool(np.all(turns == moves) or np.all(turns == -1.0 * moves))
