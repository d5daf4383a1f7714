"""Pairs of numbers: Pearson, Spearman, Kendall and xi."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.associations import intervals, numeric_pairs, rank_order
from analysis.associations.columns import FEWEST_ROWS, Numbers
from analysis.associations.numeric_pairs import NEARLY_ONE, Correlations
from analysis.associations.results import Method, Pair, Relation, Status, TrendGuard
from analysis.associations.trend import differenced, is_only_trend
from analysis.associations.work import Work, strength_of
from analysis.columns import Array

# A relation that holds in fewer rows may be chance.
FEWEST_CERTAIN = 10
# From which the standard error of Pearson's correlation is computed; the correlation itself is of all rows.
SPREAD_ROWS = 10_000
# Pairs up to which `auto` looks for what is not monotone, and on how many rows.
XI_PAIRS, XI_ROWS = 2_000, 5_000
WEAK, XI_SHOWS, XI_SURE = 0.1, 0.1, 1e-6
NOT_MONOTONE = "one depends on the other without rising or falling with it, so that a rank correlation does not show it"


def of_numbers(work: Work, a: Array, b: Array) -> list[Pair]:
    """Of the columns with these indices, all of which are numbers."""
    if not len(a):
        return []
    used, places = np.unique(np.concatenate([a, b]), return_inverse=True)
    columns = [column for column in (work.columns[place] for place in used) if isinstance(column, Numbers)]
    first, second = places[: len(a)], places[len(a) :]
    if work.options.method in (Method.KENDALL, Method.XI):
        return [_by_order(work, columns[i], columns[j], (x, y)) for i, j, x, y in zip(first, second, a, b, strict=True)]
    return _correlated(work, columns, (first, second), (a, b))


def _correlated(
    work: Work, columns: Sequence[Numbers], own: tuple[Array, Array], of: tuple[Array, Array]
) -> list[Pair]:
    method = work.options.method
    linear = None if method is Method.SPEARMAN else numeric_pairs.pearson(columns, *own, work.check)
    main = linear
    if method is not Method.PEARSON:
        work.tell(0.2, "ranks")
        work.rank(columns)
        main = numeric_pairs.spearman(columns, *own, work.check)
    assert main is not None
    named = Method.PEARSON if method is Method.PEARSON else Method.SPEARMAN
    spread = 1.0 if named is not Method.PEARSON else _spread(work, columns, own)
    low, high = _interval(main, named, work.options.level, spread)
    p = intervals.t_test(main.r, main.n)
    guards = _guards(work, columns, own, (low, high), main, named)
    pairs = []
    for place, (i, j) in enumerate(zip(*own, strict=True)):
        n, r = int(main.n[place]), float(main.r[place])
        status = _status(n, r)
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
                test="Student's t",
                trend=guards.get(place),
                figures=_figures(linear, named, place),
                remarks=_rank_remarks(main, named, place),
            )
            nearly = abs(r) if linear is None else max(abs(r), abs(float(linear.r[place])))
            pair = _certain(pair, columns[i], columns[j]) if nearly >= NEARLY_ONE else pair
        pairs.append(pair)
    return _with_xi(work, columns, own, pairs) if method is Method.AUTO else pairs


def _status(n: int, r: float) -> Status:
    if n == 0:
        return Status.NO_OVERLAP
    if n < FEWEST_ROWS:
        return Status.TOO_FEW
    return Status.CONSTANT if np.isnan(r) else Status.OK


def _spread(work: Work, columns: Sequence[Numbers], own: tuple[Array, Array]) -> Array:
    return numeric_pairs.spread_of_pearson(columns, *own, work.picked(SPREAD_ROWS), work.check)


def _interval(found: Correlations, method: Method, level: float, spread: Array | float = 1.0) -> tuple[Array, Array]:
    n = np.maximum(found.n, FEWEST_ROWS)
    if method is Method.PEARSON:
        return intervals.fisher_z(found.r, spread * intervals.pearson_error(found.r, n), level)
    # Ranks in the same order in a few rows are no certainty: half a step to the next lower coefficient is allowed for.
    most = 1 - 6 / (n**3 - n)
    inner = np.clip(found.r, -most, most)
    low, high = intervals.fisher_z(inner, intervals.spearman_error(inner, n), level)
    return np.minimum(low, found.r), np.maximum(high, found.r)


def _figures(linear: Correlations | None, method: Method, place: int) -> dict[str, float]:
    if linear is None or method is Method.PEARSON or np.isnan(linear.r[place]):
        return {}
    return {"pearson": float(linear.r[place])}


def _rank_remarks(found: Correlations, method: Method, place: int) -> tuple[str, ...]:
    if method is Method.PEARSON or found.own_ranks[place]:
        return ()
    return ("ranks are those of each whole column; nulls of the other take at most 5 % of its rows",)


def _certain(pair: Pair, a: Numbers, b: Numbers) -> Pair:
    relation = numeric_pairs.relation(a, b) if pair.n >= FEWEST_CERTAIN else None
    if relation is None:
        return pair
    status = Status.DUPLICATE if relation is Relation.IDENTICAL else Status.DETERMINISTIC
    assert pair.effect is not None
    exact = 1.0 if pair.effect > 0 else -1.0
    if relation is Relation.MONOTONE and pair.method is Method.PEARSON:
        return replace(pair, relation=relation, status=status)
    return replace(pair, status=status, relation=relation, effect=exact, low=exact, high=exact, strength=1.0)


# The guard against trends


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
    found = compute(steps, *own, work.check)
    spread = numeric_pairs.spread_of_pearson(steps, *own, np.arange(min(len(steps[0].values), SPREAD_ROWS)), work.check)
    low, high = _interval(found, method, work.options.level, spread if method is Method.PEARSON else 1.0)
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


# Measures of order, pair by pair


def _by_order(work: Work, a: Numbers, b: Numbers, of: tuple[int, int]) -> Pair:
    work.check()
    method, rows = work.options.method, work.picked(work.options.sample_rows)
    x, y = a.values[rows], b.values[rows]
    both = ~(np.isnan(x) | np.isnan(y))
    n = int(np.count_nonzero(both))
    status = _status(n, 0.0)
    pair = work.without_effect(*of, method, status, n)
    if status is not Status.OK:
        return pair
    codes = _codes(x[both]), _codes(y[both])
    if method is Method.KENDALL:
        found = rank_order.kendall(*codes, work.options.level)
        test, figures = "Kendall's tau-b", dict[str, float]()
    else:
        found, figures = _xi_both_ways(work, codes, of)
        test = "xi both ways, the smaller p doubled"
    if found is None:
        return replace(pair, status=Status.CONSTANT)
    pair = replace(
        pair,
        effect=found.value,
        low=found.low,
        high=found.high,
        p=found.p,
        test=test,
        figures=figures,
        strength=strength_of(found.low, found.high) if method is Method.KENDALL else max(found.low, 0.0),
        sampled=len(rows) < work.frame.rows,
    )
    return _certain(pair, a, b) if method is Method.KENDALL and abs(found.value) >= NEARLY_ONE else pair


def _codes(values: Array) -> Array:
    return np.asarray(np.unique(values, return_inverse=True)[1])


def _xi_both_ways(
    work: Work, codes: tuple[Array, Array], of: tuple[int, int]
) -> tuple[rank_order.Ordered | None, dict[str, float]]:
    level, (x, y) = work.options.level, codes
    b_of_a = rank_order.xi(x, y, level, work.random(2, *of))
    a_of_b = rank_order.xi(y, x, level, work.random(3, *of))
    if b_of_a is None or a_of_b is None:
        return None, {}
    better = max(b_of_a, a_of_b, key=lambda found: found.value)
    figures = {"xi_b_of_a": b_of_a.value, "xi_a_of_b": a_of_b.value}
    return replace(better, p=min(1.0, 2 * min(b_of_a.p, a_of_b.p))), figures


def _with_xi(work: Work, columns: Sequence[Numbers], own: tuple[Array, Array], pairs: list[Pair]) -> list[Pair]:
    """xi beside the correlation, and a remark where it shows what the correlation does not."""
    if len(pairs) > XI_PAIRS:
        return pairs
    work.tell(0.5, "what is not monotone")
    rows = work.picked(XI_ROWS)
    few = [_dense(column.ranks.codes[rows]) for column in columns]
    return [
        _xi_beside(work, pair, few[i], few[j], (int(i), int(j))) if pair.status is Status.OK else pair
        for pair, i, j in zip(pairs, *own, strict=True)
    ]


def _dense(codes: Array) -> Array:
    """Codes of these rows only, 0 still for null."""
    codes = _codes(np.append(codes, 0))
    return codes[:-1]


def _xi_beside(work: Work, pair: Pair, x: Array, y: Array, of: tuple[int, int]) -> Pair:
    work.check()
    both = (x > 0) & (y > 0)
    n = int(np.count_nonzero(both))
    if n < FEWEST_ROWS:
        return pair
    x, y = x[both], y[both]
    shuffled = work.random(4, *of).permutation(n)
    b_of_a = rank_order.coefficient(x[shuffled], y[shuffled])
    a_of_b = rank_order.coefficient(y[shuffled], x[shuffled])
    if b_of_a is None or a_of_b is None:
        return pair
    pair = replace(pair, figures={**pair.figures, "xi_b_of_a": b_of_a, "xi_a_of_b": a_of_b})
    best = max(b_of_a, a_of_b)
    is_weak = (pair.strength or 0.0) < WEAK and (pair.effect or 0.0) ** 2 < best / 2
    return _by_xi(work, pair, (x, y), of) if is_weak and best >= XI_SHOWS else pair


def _by_xi(work: Work, pair: Pair, codes: tuple[Array, Array], of: tuple[int, int]) -> Pair:
    """The pair measured by xi instead. Three measures were tried for it, and p pays for them."""
    found, figures = _xi_both_ways(work, codes, of)
    if found is None or found.p >= XI_SURE or pair.effect is None:
        return pair
    return replace(
        pair,
        method=Method.XI,
        n=len(codes[0]),
        effect=found.value,
        low=found.low,
        high=found.high,
        p=min(1.0, 1.5 * found.p),
        strength=max(found.low, 0.0),
        test="xi both ways and a rank correlation, the smallest p tripled",
        sampled=len(codes[0]) < pair.n,
        figures={**pair.figures, "spearman": pair.effect, **figures},
        remarks=(NOT_MONOTONE,),
        trend=None,
    )
