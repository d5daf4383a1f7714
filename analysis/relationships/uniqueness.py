"""Columns, and pairs of columns, that tell the rows of a dataset apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from analysis.relationships.coding import CodedColumn
from analysis.relationships.column_words import is_named_as_key
from analysis.relationships.counting import expected_repeats, joint_codes
from analysis.relationships.findings import Basis, Part, PartStatus, RelationshipOptions, Standing, UniqueColumns
from analysis.relationships.sketches import ValueClass
from analysis.time_budget import TimeBudget

# Repeats within the first rows rule most pairs out at little cost.
_TRIED_ROWS = 4_096
# That no pair of rows is equal where twelve would be has a chance of six in a million.
_TELLING_REPEATS = 12.0


def unique_columns(
    columns: Sequence[CodedColumn], options: RelationshipOptions, budget: TimeBudget
) -> tuple[list[UniqueColumns], Part]:
    """Of one dataset: single columns first; pairs only of columns that are not unique themselves."""
    singles = [column for column in columns if column.unique]
    found = [_finding([column]) for column in singles]
    rest = [column for column in columns if not column.unique and not column.nulls and column.distinct > 1]
    usable = [column for column in rest if column.value_class not in (ValueClass.FRACTION, ValueClass.BOOLEAN)]
    pairs = [(a, b) for a, b in combinations(usable, 2) if a.distinct * b.distinct >= a.rows]
    for done, (first, second) in enumerate(pairs):
        if budget.spent():
            return _cut(found, options), Part(PartStatus.OUT_OF_TIME, len(columns) + done, len(pairs) - done)
        if _tells_apart(first, second):
            found.append(_finding([first, second]))
    status = PartStatus.OK if columns else PartStatus.NOTHING_TO_TEST
    return _cut(found, options), Part(status, len(columns) + len(pairs))


def _tells_apart(first: CodedColumn, second: CodedColumn) -> bool:
    for rows in (slice(0, _TRIED_ROWS), slice(None)):
        joint = joint_codes(first.codes[rows], second.codes[rows], second.distinct)
        joint.sort()
        if not (joint[1:] != joint[:-1]).all():
            return False
    return True


def _finding(columns: list[CodedColumn]) -> UniqueColumns:
    first = columns[0]
    repeats = expected_repeats(columns, first.rows) if len(columns) > 1 else _repeats_of_one(first)
    named = len(columns) == 1 and is_named_as_key(first.name.column) and first.value_class is not ValueClass.FRACTION
    telling = repeats >= _TELLING_REPEATS or named
    return UniqueColumns(
        first.name.dataset,
        tuple(column.name.column for column in columns),
        Standing.LIKELY if telling else Standing.POSSIBLE,
        repeats,
        first.rows,
        first.rows,
        Basis.SAMPLE if first.sampled else Basis.EXACT,
    )


def _repeats_of_one(column: CodedColumn) -> float:
    """Pairs of equal rows, were the values drawn from all steps of their range; of text, from as many as there are."""
    if column.value_class is ValueClass.FRACTION:
        return 0.0
    rows = column.rows
    return rows * (rows - 1) / 2 * column.sketch.density / column.distinct


def _cut(found: list[UniqueColumns], options: RelationshipOptions) -> list[UniqueColumns]:
    found.sort(key=lambda one: (one.standing is not Standing.LIKELY, len(one.columns), -one.expected_repeats))
    return found[: options.most_findings]
