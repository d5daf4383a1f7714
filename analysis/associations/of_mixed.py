"""Pairs of a number and a category: the correlation ratio, with the test of Kruskal and Wallis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.associations.certainty import FEWEST_CERTAIN
from analysis.associations.columns import FEWEST_ROWS, Categories, Numbers
from analysis.associations.correlation_ratio import (
    INFLUENCE_ROWS,
    NEARLY_ALL,
    Groups,
    correlation_ratio,
    groups_of,
    influence_deviation,
    kruskal_wallis,
)
from analysis.associations.group_sums import grouped
from analysis.associations.moments import Coded, centred
from analysis.associations.numeric_pairs import LOSS, RERANKED_CELLS
from analysis.associations.of_categories import capping
from analysis.associations.ranks import rank_scores
from analysis.associations.results import Method, Pair, Relation, Status
from analysis.associations.work import Work, strength_of
from analysis.columns import Array


@dataclass(frozen=True, slots=True, eq=False)
class _Sides:
    """The columns that pairs need, and where each pair's are among them."""

    numbers: list[Numbers]
    categories: list[Categories]
    places: list[tuple[int, int]]


def of_mixed(work: Work, a: Array, b: Array) -> list[Pair]:
    """Of the columns with these indices, one a number and the other a category, in either order."""
    if not len(a) or work.budget.spent():
        return []
    sides = _sides(work, a, b)
    wanted: dict[int, list[int]] = {}
    for number, category in sides.places:
        wanted.setdefault(category, []).append(number)
    work.tell(0.6, "groups")
    values = grouped([centred(column.values) for column in sides.numbers], sides.categories, wanted, work.check)
    work.rank(sides.numbers)
    scores = [Coded(column.ranks.codes, column.ranks.scores()) for column in sides.numbers]
    ranks = grouped(scores, sides.categories, wanted, work.check)
    rows = work.picked(INFLUENCE_ROWS)
    affordable = sum(values[place].n < sides.numbers[place[0]].told.rows_with_value for place in values)
    least = 0.0 if affordable * work.frame.rows <= RERANKED_CELLS else LOSS
    pairs = []
    for i, j, (number, category) in work.in_time(zip(a, b, sides.places, strict=True)):
        x, g = sides.numbers[number], sides.categories[category]
        own = _own_ranks(x, g, ranks[number, category], least)
        deviation = influence_deviation(x.values[rows], g.codes[rows])
        pairs.append(_of_two(work, (int(i), int(j)), (x, g), (values[number, category], own), deviation))
    return pairs


def _sides(work: Work, a: Array, b: Array) -> _Sides:
    sides = _Sides([], [], [])
    known: dict[int, int] = {}
    for pair in zip(a.tolist(), b.tolist(), strict=True):
        found = [0, 0]
        for place in pair:
            column = work.columns[place]
            kept: list[Numbers] | list[Categories]
            if isinstance(column, Numbers):
                kept = sides.numbers
                if place not in known:
                    known[place] = len(sides.numbers)
                    sides.numbers.append(column)
            else:
                kept = sides.categories
                if place not in known:
                    known[place] = len(sides.categories)
                    sides.categories.append(column)
            found[0 if kept is sides.numbers else 1] = known[place]
        sides.places.append((found[0], found[1]))
    return sides


def _own_ranks(x: Numbers, g: Categories, column_ranks: Groups, least: float) -> Groups:
    """Ranks among the rows that have both, where the category takes more than this share of the numbers' rows."""
    loss = 1 - column_ranks.n / x.told.rows_with_value
    if loss <= least:
        return column_ranks
    codes = x.ranks.codes * (g.codes > 0)
    counts = np.bincount(codes, minlength=len(x.ranks.counts))
    counts[0] = 0
    scores = rank_scores(counts)[codes].astype(np.float64)
    scores[codes == 0] = np.nan
    return groups_of(scores, g.codes, len(g.labels))


def _of_two(
    work: Work, of: tuple[int, int], columns: tuple[Numbers, Categories], sums: tuple[Groups, Groups], deviation: float
) -> Pair:
    values, ranks = sums
    n = values.n
    status = Status.OK if n >= FEWEST_ROWS else Status.TOO_FEW if n else Status.NO_OVERLAP
    pair = work.without_effect(*of, Method.CORRELATION_RATIO, status, n)
    if status is not Status.OK:
        return pair
    if len(values.counts) < 2 or not ranks.varies:
        return replace(pair, status=Status.CONSTANT)
    found, test = correlation_ratio(values, deviation, work.options.level), kruskal_wallis(ranks)
    if found is None or test is None:
        return replace(pair, status=Status.TOO_FEW)
    figures = {
        "eta_squared": found.eta_squared,
        "epsilon_squared": found.epsilon_squared,
        "omega_squared": found.omega_squared,
        "kruskal_wallis_h": test[0],
        "anova_p": found.f_p,
    }
    pair = replace(
        pair,
        effect=found.effect,
        low=found.low,
        high=found.high,
        strength=strength_of(found.low, found.high),
        p=test[1],
        test="Kruskal-Wallis",
        figures=figures,
        remarks=capping(columns[1]),
    )
    return _certain(pair, *columns, category_first=isinstance(work.columns[of[0]], Categories))


def _certain(pair: Pair, x: Numbers, g: Categories, *, category_first: bool) -> Pair:
    """Whether the category tells the number, or the number the category, in every row."""
    if pair.figures["eta_squared"] >= NEARLY_ALL and pair.n - len(g.labels) >= FEWEST_CERTAIN:
        relation = Relation.A_DETERMINES_B if category_first else Relation.B_DETERMINES_A
        return replace(
            pair, status=Status.DETERMINISTIC, relation=relation, effect=1.0, low=1.0, high=1.0, strength=1.0
        )
    if _tells_category(x, g):
        relation = Relation.B_DETERMINES_A if category_first else Relation.A_DETERMINES_B
        return replace(pair, status=Status.DETERMINISTIC, relation=relation)
    return pair


def _tells_category(x: Numbers, g: Categories) -> bool:
    """Whether no number occurs with two levels, and enough numbers occur again for that to say something."""
    ranks = x.ranks
    if ranks.distinct > ranks.n / 2 or g.is_capped:
        return False
    for rows in (slice(0, 1_000), slice(None)):
        both = (ranks.codes[rows] > 0) & (g.codes[rows] > 0)
        codes = ranks.codes[rows][both].astype(np.int64)
        joint = np.bincount(codes * (len(g.labels) + 1) + g.codes[rows][both]) if len(codes) else codes
        if np.count_nonzero(joint) != np.count_nonzero(np.bincount(codes)):
            return False
    return len(codes) - int(np.count_nonzero(np.bincount(codes))) >= FEWEST_CERTAIN
