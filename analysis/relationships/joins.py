"""Columns of different datasets that can be joined, from sketches alone: also of datasets that are not at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from analysis.relationships.chance import standing, weigh
from analysis.relationships.findings import Basis, ColumnName, Joinable, Part, PartStatus, RelationshipOptions, Standing
from analysis.relationships.sketches import ColumnSketch, ValueClass, containment
from analysis.time_budget import TimeBudget

# A value that very many columns have tells nothing about two of them, and would make the work quadratic.
_MOST_COLUMNS_OF_A_VALUE = 32
_COMPARABLE = frozenset({ValueClass.WHOLE, ValueClass.TEXT, ValueClass.DAY, ValueClass.MOMENT})

# Powers of ten of the odds against that the values are shared by chance.
_TELLING_VALUES = 2.0

# Of sketches that share fewer values nothing can be said.
_LEAST_COMMON = 2


def joinable(
    sketches: Sequence[ColumnSketch], options: RelationshipOptions, budget: TimeBudget
) -> tuple[list[Joinable], Part]:
    """The findings, best first. Pairs that share no hash are never looked at."""
    usable = [sketch for sketch in sketches if sketch.value_class in _COMPARABLE and sketch.distinct > 1]
    datasets = sorted({sketch.dataset for sketch in usable})
    if len(datasets) < 2:
        return [], Part(PartStatus.NOTHING_TO_TEST)
    pairs, unread = _sharing(usable, budget)
    found: list[Joinable] = []
    by_chance = 0
    for done, (first, second) in enumerate(pairs):
        if budget.spent():
            return _sorted(found), Part(PartStatus.OUT_OF_TIME, done, len(pairs) - done, by_chance)
        finding = _better(usable[first], usable[second], options, datasets)
        by_chance += finding is None
        found += [finding] if finding is not None else []
    status = PartStatus.OUT_OF_TIME if unread else PartStatus.OK
    why = f"{unread} of the values that several columns share were not looked at" if unread else ""
    return _sorted(found), Part(status, len(pairs), 0, by_chance, why)


def _sharing(sketches: Sequence[ColumnSketch], budget: TimeBudget) -> tuple[list[tuple[int, int]], int]:
    """Pairs of columns of one class and of two datasets with common hashes, those that share most first; and how many
    hashes there was no time for."""
    hashes = np.concatenate([sketch.hashes for sketch in sketches])
    owners = np.repeat(np.arange(len(sketches)), [len(sketch.hashes) for sketch in sketches])
    order = np.argsort(hashes, kind="stable")
    hashes, owners = hashes[order], owners[order]
    edges = np.flatnonzero(np.concatenate(([True], hashes[1:] != hashes[:-1], [True])))
    sizes = np.diff(edges)
    shared = np.flatnonzero((sizes > 1) & (sizes <= _MOST_COLUMNS_OF_A_VALUE))
    common: Counter[tuple[int, int]] = Counter()
    unread = 0
    for done, (begin, size) in enumerate(zip(edges[shared].tolist(), sizes[shared].tolist(), strict=True)):
        if done % 1000 == 0 and budget.spent():
            unread = len(shared) - done
            break
        group = owners[begin : begin + size].tolist()
        common.update((a, b) for i, a in enumerate(group) for b in group[i + 1 :])
    return _comparable(sketches, common), unread


def _comparable(sketches: Sequence[ColumnSketch], common: Counter[tuple[int, int]]) -> list[tuple[int, int]]:
    return [
        (a, b)
        for (a, b), shared in common.most_common()
        if shared >= _LEAST_COMMON
        and sketches[a].value_class is sketches[b].value_class
        and sketches[a].dataset != sketches[b].dataset
    ]


def _better(
    first: ColumnSketch, second: ColumnSketch, options: RelationshipOptions, datasets: Sequence[str]
) -> Joinable | None:
    """The direction in which more of the values are found."""
    both = [_one_way(first, second, options, datasets), _one_way(second, first, options, datasets)]
    ways = [way for way in both if way is not None]
    return max(ways, key=lambda way: (way.right_unique, way.score, way.containment), default=None)


def _one_way(
    left: ColumnSketch, right: ColumnSketch, options: RelationshipOptions, datasets: Sequence[str]
) -> Joinable | None:
    share = containment(left, right)
    if share.low < options.min_containment:
        return None
    score, evidence = weigh(left, right, 1.0, share.share, datasets)
    stands = standing(score)
    if stands is None:
        return None
    unique = right.unique and not right.nulls
    # Months join with months, but not what belongs together; names alone make that no better.
    if not unique and evidence[0].weight < _TELLING_VALUES:
        stands = Standing.POSSIBLE
    return Joinable(
        ColumnName(left.dataset, left.column),
        ColumnName(right.dataset, right.column),
        stands,
        score,
        evidence,
        share.share,
        share.low,
        share.high,
        share.compared,
        unique,
        Basis.SAMPLE if left.sampled or right.sampled else Basis.EXACT if share.exact else Basis.SKETCH,
    )


def _sorted(found: list[Joinable]) -> list[Joinable]:
    return sorted(
        found, key=lambda join: (-join.score, -join.low, join.left.dataset, join.left.column, join.right.dataset)
    )
