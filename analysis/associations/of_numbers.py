"""Pairs of numbers: Pearson, Spearman, Kendall and xi."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.associations import intervals, numeric_pairs
from analysis.associations.by_order import by_order, with_xi
from analysis.associations.certainty import certain, status_of
from analysis.associations.columns import FEWEST_ROWS, Numbers
from analysis.associations.numeric_pairs import NEARLY_ONE, Correlations
from analysis.associations.results import Method, Pair, Status, TrendGuard
from analysis.associations.trend import differenced, is_only_trend
from analysis.associations.work import Work, strength_of
from analysis.columns import Array

# From which the standard error of Pearson's correlation is computed; the correlation itself is of all rows.
SPREAD_ROWS, SPREAD_CELLS = 5_000, 4_000_000
# Of the permutations of a pair: more skewed than this, Student's t is no longer good enough in the tails.
SKEWED = 0.05
SKEWED_TEST = "Student's t or Pearson's type III of permutations, the larger p"


def of_numbers(work: Work, a: Array, b: Array) -> list[Pair]:
    """Of the columns with these indices, all of which are numbers."""
    if not len(a):
        return []
    used, places = np.unique(np.concatenate([a, b]), return_inverse=True)
    columns = [column for column in (work.columns[place] for place in used) if isinstance(column, Numbers)]
    first, second = places[: len(a)], places[len(a) :]
    if work.options.method in (Method.KENDALL, Method.XI):
        wanted = work.in_time(zip(first, second, a, b, strict=True))
        return [by_order(work, columns[i], columns[j], (x, y)) for i, j, x, y in wanted]
    return _correlated(work, columns, (first, second), (a, b))


def _correlated(
    work: Work, columns: Sequence[Numbers], own: tuple[Array, Array], of: tuple[Array, Array]
) -> list[Pair]:
    method, threads = work.options.method, work.options.threads
    linear = None if method is Method.SPEARMAN else numeric_pairs.pearson(columns, *own, work.check, threads)
    main = linear
    if method is not Method.PEARSON:
        work.tell(0.2, "ranks")
        work.rank(columns)
        main = numeric_pairs.spearman(columns, *own, work.check, threads)
    assert main is not None
    named = Method.PEARSON if method is Method.PEARSON else Method.SPEARMAN
    low, high = _interval(work, columns, own, main, named)
    p, is_skewed = _test(columns, own, main, named)
    guards = _guards(work, columns, own, (low, high), main, named)
    pairs = []
    for place, (i, j) in enumerate(zip(*own, strict=True)):
        n, r = int(main.n[place]), float(main.r[place])
        status = status_of(n, r)
        pair = work.without_effect(of[0][place], of[1][place], named, status, n)
        if status is Status.OK:
            bounds = (float(low[place]), float(high[place]))
            pair = replace(
                pair,
                effect=r,
                low=bounds[0],
                high=bounds[1],
                strength=strength_of(*bounds),
                p=float(p[place]),
                test=SKEWED_TEST if is_skewed[place] else "Student's t",
                trend=guards.get(place),
                figures=_figures(linear, named, place),
                remarks=_rank_remarks(main, named, place),
            )
            nearly = abs(r) if linear is None else max(abs(r), abs(float(linear.r[place])))
            pair = certain(pair, columns[i], columns[j]) if nearly >= NEARLY_ONE else pair
        pairs.append(pair)
    return with_xi(work, columns, own, pairs) if method is Method.AUTO else pairs


def _interval(
    work: Work, columns: Sequence[Numbers], own: tuple[Array, Array], found: Correlations, method: Method
) -> tuple[Array, Array]:
    level = work.options.level
    n = np.maximum(found.n, FEWEST_ROWS)
    if method is Method.PEARSON:
        rows = len(columns[0].values)
        some = np.linspace(0, rows - 1, min(rows, SPREAD_ROWS, max(SPREAD_CELLS // len(columns), 500))).astype(np.intp)
        spread = numeric_pairs.spread_of_pearson(columns, *own, some, work.check)
        return intervals.fisher_z(found.r, spread * intervals.pearson_error(found.r, n), level)
    # Ranks in the same order in a few rows are no certainty: half a step to the next lower coefficient is allowed for.
    most = 1 - 6 / (n**3 - n)
    inner = np.clip(found.r, -most, most)
    low, high = intervals.fisher_z(inner, intervals.spearman_error(inner, n), level)
    return np.minimum(low, found.r), np.maximum(high, found.r)


def _test(
    columns: Sequence[Numbers], own: tuple[Array, Array], found: Correlations, method: Method
) -> tuple[Array, Array]:
    """p, and where it allows for both columns being skewed."""
    n = np.maximum(found.n, FEWEST_ROWS)
    p = intervals.t_test(found.r, n)
    if method is not Method.PEARSON:
        return p, np.zeros(len(p), dtype=np.bool_)
    skew = np.array([numeric_pairs.skewness(column) for column in columns])
    product = skew[own[0]] * skew[own[1]]
    is_skewed = np.abs(product) / np.sqrt(n) > SKEWED
    skewed = intervals.skewed_test(found.r, n, np.where(is_skewed, product, 1.0))
    return np.where(is_skewed, np.fmax(p, skewed), p), is_skewed


def _figures(linear: Correlations | None, method: Method, place: int) -> dict[str, float]:
    if linear is None or method is Method.PEARSON or np.isnan(linear.r[place]):
        return {}
    return {"pearson": float(linear.r[place])}


def _rank_remarks(found: Correlations, method: Method, place: int) -> tuple[str, ...]:
    if method is Method.PEARSON or found.own_ranks[place]:
        return ()
    return ("ranks are those of each whole column; nulls of the other take at most 5 % of its rows",)


def _guards(
    work: Work,
    columns: Sequence[Numbers],
    own: tuple[Array, Array],
    bounds: tuple[Array, Array],
    levels: Correlations,
    method: Method,
) -> dict[int, TrendGuard]:
    """By the pair's place."""
    if work.clock is None:
        return {}
    work.tell(0.4, "first differences")
    steps = differenced(columns, work.clock, work.check)
    compute = numeric_pairs.pearson if method is Method.PEARSON else numeric_pairs.spearman
    if method is not Method.PEARSON:
        work.rank(steps)
    found = compute(steps, *own, work.check, work.options.threads)
    low, high = _interval(work, steps, own, found, method)
    is_clock = np.array([column.told.name == work.clock.name for column in columns])
    guards = {}
    for place in np.flatnonzero((found.n >= FEWEST_ROWS) & ~np.isnan(found.r) & ~(is_clock[own[0]] | is_clock[own[1]])):
        r, least, most = float(found.r[place]), float(low[place]), float(high[place])
        strength = strength_of(float(bounds[0][place]), float(bounds[1][place]))
        only = bool(np.isfinite(levels.r[place])) and is_only_trend(
            strength, least, most, float(np.sign(levels.r[place]))
        )
        guards[int(place)] = TrendGuard(r, least, most, int(found.n[place]), work.clock.starts is not None, only)
    return guards
