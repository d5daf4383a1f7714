"""Pairs of numbers, one by one: Kendall's tau-b, xi, and xi where a correlation misses what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.associations import rank_order
from analysis.associations.certainty import certain, status_of
from analysis.associations.columns import FEWEST_ROWS, Numbers
from analysis.associations.numeric_pairs import NEARLY_ONE
from analysis.associations.results import Method, Pair, Status
from analysis.associations.work import Work, strength_of
from analysis.columns import Array

# Pairs up to which `auto` looks for what is not monotone, and on how many rows.
XI_PAIRS, XI_ROWS = 2_000, 5_000
WEAK, XI_SHOWS, XI_SURE = 0.1, 0.1, 1e-6
NOT_MONOTONE = "one depends on the other without rising or falling with it, so that a rank correlation does not show it"


def by_order(work: Work, a: Numbers, b: Numbers, of: tuple[int, int]) -> Pair:
    """By the method asked for, kendall or xi."""
    method, rows = work.options.method, work.picked(work.options.sample_rows)
    x, y = a.values[rows], b.values[rows]
    both = ~(np.isnan(x) | np.isnan(y))
    n = int(np.count_nonzero(both))
    status = status_of(n, 0.0)
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
    return certain(pair, a, b) if method is Method.KENDALL and abs(found.value) >= NEARLY_ONE else pair


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


def with_xi(work: Work, columns: Sequence[Numbers], own: tuple[Array, Array], pairs: list[Pair]) -> list[Pair]:
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
    if work.budget.spent():
        return pair
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
