"""All relationships within datasets and between them, in one call."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from analysis.frames import Frame
from analysis.relationships.coding import CodedColumn, coded_columns
from analysis.relationships.dependencies import functional_dependencies
from analysis.relationships.derived import derived_columns
from analysis.relationships.duplicates import duplicate_columns, duplicate_rows
from analysis.relationships.findings import (
    ColumnStatus,
    DatasetSeen,
    DerivedColumn,
    DuplicateColumns,
    DuplicateRows,
    FunctionalDependency,
    Part,
    PartStatus,
    RelationshipOptions,
    Relationships,
    UniqueColumns,
)
from analysis.relationships.inclusions import foreign_keys
from analysis.relationships.joins import joinable
from analysis.relationships.sketches import ColumnSketch
from analysis.relationships.uniqueness import unique_columns
from analysis.time_budget import TimeBudget

_WORST_LAST = (PartStatus.NOTHING_TO_TEST, PartStatus.OK, PartStatus.LEFT_OUT, PartStatus.OUT_OF_TIME)
# Within datasets; the rest is for what lies between them.
_SHARE_WITHIN = 0.7

_Finding = TypeVar("_Finding")


@dataclass(slots=True)
class _Within:
    """What was found inside datasets."""

    dependencies: list[FunctionalDependency] = field(default_factory=list)
    unique: list[UniqueColumns] = field(default_factory=list)
    duplicate_rows: list[DuplicateRows] = field(default_factory=list)
    duplicate_columns: list[DuplicateColumns] = field(default_factory=list)
    derived: list[DerivedColumn] = field(default_factory=list)
    parts: dict[str, Part] = field(default_factory=dict)

    def part(self, name: str, part: Part) -> None:
        self.parts[name] = _together(self.parts.get(name), part)


def discover(
    frames: Mapping[str, Frame],
    options: RelationshipOptions,
    tell: Callable[[float, str], None],
    check: Callable[[], None],
    now: Callable[[], float] = time.monotonic,
) -> Relationships:
    """Relationships of these datasets, by label. Never raises for data; `check` may raise to cancel.

    `tell` gets the share that is done and what is done next. Where the time of `options.seconds` is over, the answer
    has what was found by then, and its `parts` say what was not tested.
    """
    budget = TimeBudget(options.seconds, check, now)
    within, seen, columns = _Within(), [], []
    for done, (dataset, frame) in enumerate(frames.items()):
        tell(_SHARE_WITHIN * done / len(frames), f"within {dataset}")
        coded, statuses, left_out = coded_columns(dataset, frame, options.most_columns)
        if left_out:
            within.part("columns", Part(PartStatus.LEFT_OUT, len(coded), left_out, why=_first(options.most_columns)))
        seen.append(DatasetSeen(dataset, frame.rows, frame.total_rows, frame.is_sample, _not_ok(statuses)))
        columns += coded
        share = _SHARE_WITHIN / (len(frames) - done * _SHARE_WITHIN)
        _search_within(dataset, frame, coded, options, budget.part(share), within)
    tell(_SHARE_WITHIN, "foreign keys")
    keys, within.parts["foreign_keys"] = foreign_keys(columns, options, budget.part(0.6))
    tell(0.9, "columns to join")
    sketches = [*(column.sketch for column in columns), *_not_here(frames, options)]
    joins, within.parts["joinable"] = joinable(sketches, options, budget)
    tell(1.0, "done")
    return Relationships(
        tuple(seen),
        tuple(_most(keys, options)),
        tuple(_most(within.dependencies, options)),
        tuple(_most(within.unique, options)),
        tuple(_most(within.duplicate_rows, options)),
        tuple(_most(within.duplicate_columns, options)),
        tuple(_most(within.derived, options)),
        tuple(_most(joins, options)),
        within.parts,
        options.seed,
    )


def _search_within(
    dataset: str,
    frame: Frame,
    columns: list[CodedColumn],
    options: RelationshipOptions,
    budget: TimeBudget,
    into: _Within,
) -> None:
    repeated_rows = duplicate_rows(columns, budget)
    repeated = duplicate_columns(columns, budget)
    ended = PartStatus.OUT_OF_TIME if budget.spent() else PartStatus.OK
    into.duplicate_rows += repeated_rows
    into.duplicate_columns += repeated
    into.part("duplicates", Part(ended if columns else PartStatus.NOTHING_TO_TEST, len(columns)))
    extra = {name for group in repeated for name in group.columns[1:]}
    once = [column for column in columns if column.name.column not in extra]
    unique, part = unique_columns(once, options, budget.part(0.3))
    into.unique += unique
    into.part("unique", part)
    derived, part = derived_columns(dataset, frame, sorted(extra), options, budget.part(0.4))
    into.derived += derived
    into.part("derived", part)
    dependencies, part = functional_dependencies(once, options, budget)
    into.dependencies += dependencies
    into.part("dependencies", part)


def _together(before: Part | None, after: Part) -> Part:
    if before is None:
        return after
    return Part(
        max(before.status, after.status, key=_WORST_LAST.index),
        before.tested + after.tested,
        before.untested + after.untested,
        before.by_chance + after.by_chance,
        before.why or after.why,
    )


def _not_here(frames: Mapping[str, Frame], options: RelationshipOptions) -> list[ColumnSketch]:
    return [sketch for sketch in options.sketches if sketch.dataset not in frames]


def _not_ok(statuses: dict[str, ColumnStatus]) -> dict[str, ColumnStatus]:
    return {name: status for name, status in statuses.items() if status is not ColumnStatus.OK}


def _first(most: int) -> str:
    return f"only the first {most} columns of a dataset are compared"


def _most(found: list[_Finding], options: RelationshipOptions) -> list[_Finding]:
    return found[: options.most_findings]
