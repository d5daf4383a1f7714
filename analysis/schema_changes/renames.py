"""What was probably renamed: of what is gone and what is new, the pairs that are alike. Always a guess.

A column counts by its name, its type and its neighbour, a dataset by its columns and its name. A pair is taken if it is
alike enough and clearly more so than any other pair of either side.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from analysis.schema_changes.snapshots import Column, Dataset
from analysis.schema_changes.types import is_same, is_wider

COLUMN_THRESHOLD = 0.7
DATASET_THRESHOLD = 0.7
# The second best must be further away than this, or nobody can tell which it is.
MARGIN = 0.05
# Pairs are compared one by one: a source that was replaced as a whole was not renamed.
MAX_PAIRS = 10_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Match:
    """A pair that is alike; `why` says in what."""

    before: str
    after: str
    similarity: float
    why: str


def renamed_columns(before: Dataset, after: Dataset) -> list[Match]:
    """The columns of one dataset that seem to have another name now."""
    old, new = {each.name for each in before.columns}, {each.name for each in after.columns}
    gone = [(at, column) for at, column in enumerate(before.columns) if column.name not in new]
    come = [(at, column) for at, column in enumerate(after.columns) if column.name not in old]

    def likeness(one: tuple[int, Column], other: tuple[int, Column]) -> tuple[float, str]:
        is_neighbour = _neighbour(before, one[0]) == _neighbour(after, other[0])
        return _column_likeness(one[1], other[1], is_neighbour=is_neighbour)

    return _matched(gone, come, likeness, lambda each: each[1].name, COLUMN_THRESHOLD)


def _neighbour(dataset: Dataset, at: int) -> str:
    return dataset.columns[at - 1].name if at else ""


def _column_likeness(before: Column, after: Column, *, is_neighbour: bool) -> tuple[float, str]:
    name = name_likeness(before.name, after.name)
    same_type = is_same(before.type, after.type)
    kind = 1.0 if same_type else 0.5 if is_wider(before.type, after.type) else 0.0
    rest = (before.nullable == after.nullable) * 0.5 + (before.default == after.default) * 0.5
    score = 0.45 * name + 0.25 * kind + 0.2 * is_neighbour + 0.1 * rest
    reasons = [f"the names are {name:.0%} alike"]
    reasons += ["same type"] if same_type else []
    reasons += ["same place"] if is_neighbour else []
    return score, ", ".join(reasons)


def renamed_datasets(removed: Sequence[Dataset], added: Sequence[Dataset]) -> list[Match]:
    """The datasets that seem to have another name now."""
    return _matched(removed, added, _dataset_likeness, lambda each: each.name, DATASET_THRESHOLD)


def _dataset_likeness(before: Dataset, after: Dataset) -> tuple[float, str]:
    old = {column.name: column.type for column in before.columns}
    new = {column.name: column.type for column in after.columns}
    both = old.keys() & new.keys()
    # A type may have changed as well.
    alike = sum(1.0 if is_same(old[name], new[name]) else 0.7 for name in both)
    shared = alike / max(len(old.keys() | new.keys()), 1)
    name = name_likeness(before.name, after.name)
    # Two tables of one or two columns are alike by chance.
    weight = 0.75 if len(old) > 2 else 0.4
    score = weight * shared + (1 - weight) * name
    return score, f"{shared:.0%} of the columns are the same, the names are {name:.0%} alike"


def name_likeness(before: str, after: str) -> float:
    """From 0 to 1: letters in the same order, or the same words whatever their order and spelling."""
    old, new = _words(before), _words(after)
    by_letters = difflib.SequenceMatcher(None, "".join(old), "".join(new), autojunk=False).ratio()
    shared = len(set(old) & set(new)) / max(len(set(old) | set(new)), 1)
    return max(by_letters, shared)


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.split(r"[^A-Za-z0-9]+", spaced) if word] or [name.lower()]


class _Pair(NamedTuple):
    score: float
    old: int
    new: int
    why: str


def _matched(
    gone: Sequence[T],
    come: Sequence[T],
    likeness: Callable[[T, T], tuple[float, str]],
    name: Callable[[T], str],
    threshold: float,
) -> list[Match]:
    """Pairs, the most alike first, each side once."""
    if len(gone) * len(come) > MAX_PAIRS:
        return []
    pairs = [
        _Pair(score, old, new, why)
        for old, one in enumerate(gone)
        for new, other in enumerate(come)
        for score, why in (likeness(one, other),)
        if score >= threshold - MARGIN
    ]
    pairs.sort(key=lambda pair: (-pair.score, pair.old, pair.new))
    by_old: dict[int, list[_Pair]] = {}
    by_new: dict[int, list[_Pair]] = {}
    for pair in pairs:
        by_old.setdefault(pair.old, []).append(pair)
        by_new.setdefault(pair.new, []).append(pair)
    taken: set[_Pair] = set()
    old_taken: set[int] = set()
    new_taken: set[int] = set()
    for pair in pairs:
        if pair.score < threshold or pair.old in old_taken or pair.new in new_taken:
            continue
        rivals = (each for each in (*by_old[pair.old], *by_new[pair.new]) if each is not pair)
        free = [each for each in rivals if each.old not in old_taken and each.new not in new_taken]
        if all(pair.score - each.score >= MARGIN for each in free):
            taken.add(pair)
            old_taken.add(pair.old)
            new_taken.add(pair.new)
    return [
        Match(name(gone[pair.old]), name(come[pair.new]), round(pair.score, 3), pair.why)
        for pair in pairs
        if pair in taken
    ]
