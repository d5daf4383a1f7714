"""Foreign keys that nobody declared: columns whose values are all among the different values of another.

Every key's hashes go into one sorted list. Of each other column a few values, those with the least hashes, are looked
up in it, which leaves few keys to compare with in full: the work grows with the columns, not with their pairs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from analysis.proportions import wilson
from analysis.relationships.chance import standing, weigh
from analysis.relationships.coding import CodedColumn
from analysis.relationships.column_words import is_named_as_key
from analysis.relationships.findings import (
    Basis,
    ForeignKey,
    Part,
    PartStatus,
    RelationshipOptions,
)
from analysis.relationships.sketches import ValueClass
from analysis.time_budget import TimeBudget

# A key may have a few repeats that should not be there.
_LEAST_UNIQUE = 0.99
_PROBED = 64
# Of the probed values so many have to be there: rows without a partner may have many different values.
_LEAST_OF_PROBED = 0.6
_MOST_HASHES = 50_000_000
_COMPARABLE = frozenset({ValueClass.WHOLE, ValueClass.TEXT, ValueClass.DAY, ValueClass.MOMENT})


@dataclass(frozen=True, slots=True, eq=False)
class _Keys:
    """Hashes of all keys of one class, sorted, and beside each the number of its key."""

    columns: tuple[CodedColumn, ...]
    hashes: Array
    owners: Array

    def having(self, values: Array, least: float) -> list[CodedColumn]:
        """The keys that have at least this share of the values."""
        first, last = np.searchsorted(self.hashes, values, "left"), np.searchsorted(self.hashes, values, "right")
        hits = np.zeros(len(self.columns), dtype=np.int64)
        for begin, end in zip(first.tolist(), last.tolist(), strict=True):
            hits[self.owners[begin:end]] += 1
        return [self.columns[index] for index in np.flatnonzero(hits >= least * len(values))]


def foreign_keys(
    columns: Sequence[CodedColumn], options: RelationshipOptions, budget: TimeBudget
) -> tuple[list[ForeignKey], Part]:
    """The findings, best first, and how many pairs were tested."""
    datasets = sorted({column.name.dataset for column in columns})
    keys, left_out = _keys_by_class([column for column in columns if _is_key(column)])
    children = [column for column in columns if column.value_class in keys and column.distinct > 1]
    found: list[ForeignKey] = []
    tested = by_chance = 0
    for done, child in enumerate(children):
        if budget.spent():
            return _sorted(found), Part(PartStatus.OUT_OF_TIME, tested, len(children) - done, by_chance)
        probed = child.sketch.hashes[:_PROBED]
        for parent in keys[child.value_class].having(probed, _LEAST_OF_PROBED):
            if parent is child:
                continue
            tested += 1
            finding = _compared(child, parent, options, datasets)
            by_chance += finding is None
            found += [finding] if finding is not None else []
    sampled = sum(column.sampled and column.unique for column in columns)
    return _sorted(found), _part(tested, by_chance, sampled, left_out)


def _part(tested: int, by_chance: int, sampled: int, left_out: int) -> Part:
    why = f"{sampled} keys are at hand only as a sample, which cannot tell what they include" if sampled else ""
    if left_out:
        why = f"{left_out} keys beyond {_MOST_HASHES} values together" + (f"; {why}" if why else "")
    status = PartStatus.LEFT_OUT if why else PartStatus.OK if tested else PartStatus.NOTHING_TO_TEST
    return Part(status, tested, sampled + left_out, by_chance, why)


def _is_key(column: CodedColumn) -> bool:
    """Only of a whole dataset: what a sample does not have may be there."""
    present = column.present
    return (
        column.value_class in _COMPARABLE
        and not column.sampled
        and column.distinct > 1
        and column.nulls == 0
        and column.distinct >= _LEAST_UNIQUE * present
    )


def _keys_by_class(candidates: list[CodedColumn]) -> tuple[dict[ValueClass, _Keys], int]:
    """Those that are named as keys first, as many as fit."""
    candidates.sort(key=lambda column: not is_named_as_key(column.name.column))
    taken: dict[ValueClass, list[CodedColumn]] = {}
    total = left_out = 0
    for column in candidates:
        if total + column.distinct > _MOST_HASHES:
            left_out += 1
            continue
        total += column.distinct
        taken.setdefault(column.value_class, []).append(column)
    return {value_class: _keys(columns) for value_class, columns in taken.items()}, left_out


def _keys(columns: list[CodedColumn]) -> _Keys:
    hashes = np.concatenate([column.hashes for column in columns])
    owners = np.repeat(np.arange(len(columns), dtype=np.int32), [column.distinct for column in columns])
    order = np.argsort(hashes, kind="stable")
    return _Keys(tuple(columns), hashes[order], owners[order])


def _compared(
    child: CodedColumn, parent: CodedColumn, options: RelationshipOptions, datasets: Collection[str]
) -> ForeignKey | None:
    included = _is_in(child.hashes, parent.sorted_hashes)
    rows, values = int(child.counts[included].sum()), int(np.count_nonzero(included))
    share = rows / child.present
    if share < options.min_inclusion or _same_rows(child, parent):
        return None
    score, evidence = weigh(child.sketch, parent.sketch, share, values / child.distinct, datasets)
    stands = standing(score)
    if stands is None:
        return None
    low, high = wilson(rows, child.present) if child.sampled else (share, share)
    return ForeignKey(
        child.name,
        parent.name,
        stands,
        score,
        evidence,
        child.present,
        child.rows,
        child.distinct,
        rows,
        values,
        share,
        low,
        high,
        values / parent.distinct,
        Basis.SAMPLE if child.sampled else Basis.EXACT,
    )


def _same_rows(child: CodedColumn, parent: CodedColumn) -> bool:
    """Whether they are twice the same column of one dataset, which is no reference."""
    if child.name.dataset != parent.name.dataset or child.distinct != parent.distinct:
        return False
    return np.array_equal(child.hashes[child.codes], parent.hashes[parent.codes])


def _is_in(hashes: Array, sorted_hashes: Array) -> Array:
    places = np.minimum(np.searchsorted(sorted_hashes, hashes), len(sorted_hashes) - 1)
    return np.asarray(sorted_hashes[places] == hashes)


def _sorted(found: list[ForeignKey]) -> list[ForeignKey]:
    return sorted(found, key=lambda key: (-key.score, -key.share, key.child.dataset, key.child.column))
