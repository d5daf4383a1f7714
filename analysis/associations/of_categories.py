"""Pairs of categories by Cramer's V and Theil's U, and pairs of anything by mutual information."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from analysis.associations import contingency
from analysis.associations.certainty import FEWEST_CERTAIN
from analysis.associations.columns import FEWEST_ROWS, Categories, Prepared
from analysis.associations.contingency import Effect, Table
from analysis.associations.results import Method, Pair, Relation, Status
from analysis.associations.work import Work
from analysis.columns import Array

MOST_BINS = 32
PER_CELL = 5  # rows that a cell of two binned columns has on average, at least


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A column as a table takes it: codes from 1 on, 0 where null."""

    codes: Array
    levels: int


def of_categories(work: Work, a: Array, b: Array) -> list[Pair]:
    """Of the columns with these indices, all of which are categories."""
    named = Method.THEILS_U if work.options.method is Method.THEILS_U else Method.CRAMERS_V
    pairs = []
    for i, j in work.in_time(zip(a, b, strict=True)):
        x, y = work.columns[i], work.columns[j]
        assert isinstance(x, Categories)
        assert isinstance(y, Categories)
        pairs.append(_of_two(work, (int(i), int(j)), x, y, named))
    return pairs


def _of_two(work: Work, of: tuple[int, int], a: Categories, b: Categories, method: Method) -> Pair:
    table = contingency.table_of(a.codes, b.codes, len(a.labels), len(b.labels))
    pair, status = _started(work, of, table, method)
    if status is not Status.OK:
        return pair
    level, options = work.options.level, work.options
    forward = contingency.theils_u(table, level)
    backward = contingency.theils_u(Table(table.counts.T), level)
    figures = {"theils_u_b_given_a": forward.value, "theils_u_a_given_b": backward.value}
    if method is Method.THEILS_U:
        effect: Effect | None = max(forward, backward, key=lambda found: found.value)
        statistic = contingency.likelihood_ratio
    else:
        effect, statistic = contingency.cramers_v(table, level), contingency.chi_square
    if effect is None:
        return replace(pair, status=Status.TOO_FEW)
    p, test = contingency.independence(table, statistic, options.permutations, work.random(5, *of))
    return _certain(replace(_measured(pair, effect, p, test), figures=figures, remarks=capping(a, b)), a, b)


def _started(work: Work, of: tuple[int, int], table: Table, method: Method) -> tuple[Pair, Status]:
    n = table.n
    status = Status.OK
    if n < FEWEST_ROWS:
        status = Status.TOO_FEW if n else Status.NO_OVERLAP
    elif table.is_constant:
        status = Status.CONSTANT
    return work.without_effect(*of, method, status, n), status


def _measured(pair: Pair, effect: Effect, p: float, test: str) -> Pair:
    return replace(
        pair, effect=effect.value, low=effect.low, high=effect.high, strength=effect.low, p=min(p, 1.0), test=test
    )


def capping(*columns: Prepared) -> tuple[str, ...]:
    return tuple(
        f"{column.told.name!r}: {column.told.levels_kept} of {column.told.levels} levels told apart, the rest as one"
        for column in columns
        if isinstance(column, Categories) and column.is_capped
    )


def _certain(pair: Pair, a: Categories, b: Categories) -> Pair:
    """Of all levels, also those that were taken together."""
    if max(pair.figures["theils_u_b_given_a"], pair.figures["theils_u_a_given_b"]) < 0.9:
        return pair
    x, y = a.source.values, b.source.values
    both = (x >= 0) & (y >= 0)
    x, y = x[both].astype(np.int64), y[both].astype(np.int64)
    joint = np.unique(x * (int(y.max()) + 1) + y)
    levels_x, levels_y = len(np.unique(x)), len(np.unique(y))
    forward = len(joint) == levels_x and len(x) - levels_x >= FEWEST_CERTAIN
    backward = len(joint) == levels_y and len(y) - levels_y >= FEWEST_CERTAIN
    if not (forward or backward):
        return pair
    relation = Relation.A_DETERMINES_B if forward else Relation.B_DETERMINES_A
    if forward and backward:
        relation = Relation.IDENTICAL if _same_texts(a, b, both) else Relation.ONE_TO_ONE
    status = Status.DUPLICATE if relation is Relation.IDENTICAL else Status.DETERMINISTIC
    pair = replace(pair, status=status, relation=relation)
    return replace(pair, effect=1.0, low=1.0, high=1.0, strength=1.0) if forward and backward else pair


def _same_texts(a: Categories, b: Categories, both: Array) -> bool:
    assert a.source.levels is not None
    assert b.source.levels is not None
    first, second = a.source.values[both], b.source.values[both]
    _, places = np.unique(first, return_index=True)  # one-to-one: a row of each level is enough
    return bool(np.all(a.source.levels[first[places]] == b.source.levels[second[places]]))


# Mutual information


def by_information(work: Work, a: Array, b: Array) -> list[Pair]:
    """Of the columns with these indices, numbers in quantile bins."""
    return [_information_of(work, (int(i), int(j))) for i, j in work.in_time(zip(a, b, strict=True))]


def _information_of(work: Work, of: tuple[int, int]) -> Pair:
    columns = work.columns[of[0]], work.columns[of[1]]
    a, b = binned(columns[0]), binned(columns[1])
    table = contingency.table_of(a.codes, b.codes, a.levels, b.levels)
    pair, status = _started(work, of, table, Method.MUTUAL_INFORMATION)
    if status is not Status.OK:
        return pair
    effect = contingency.information_as_correlation(table, work.options.level)
    p, test = contingency.independence(
        table, contingency.likelihood_ratio, work.options.permutations, work.random(6, *of)
    )
    figures = {"nats": max(contingency.corrected_information(table), 0.0)}
    return replace(_measured(pair, effect, p, test), figures=figures, remarks=capping(*columns))


def binned(column: Prepared) -> Coded:
    """Numbers in bins of about as many rows each; equal numbers stay together. Categories as they are."""
    if isinstance(column, Categories):
        return Coded(column.codes, len(column.labels))
    ranks = column.ranks
    n = ranks.n
    bins = min(max(int(math.sqrt(n / PER_CELL)), 2), MOST_BINS)
    middle = np.cumsum(ranks.counts) - ranks.counts / 2
    table = 1 + np.minimum((middle / n * bins).astype(np.intp), bins - 1)
    table[0] = 0
    table[1:] = 1 + np.unique(table[1:], return_inverse=True)[1]
    return Coded(table[ranks.codes].astype(np.uint16), int(table.max()))
