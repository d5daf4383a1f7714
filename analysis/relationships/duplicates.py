"""Rows that are there twice, and columns that are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.columns import Array
from analysis.relationships.coding import CodedColumn
from analysis.relationships.counting import expected_repeats
from analysis.relationships.findings import Basis, DuplicateColumns, DuplicateRows, Standing
from analysis.time_budget import TimeBudget

_EXAMPLES = 10
_ROWS_OF_AN_EXAMPLE = 5
# Columns that depend on each other have more equal rows than the expected ones, too.
_OF_EXPECTED, _TELLING = 3.0, 0.5
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def duplicate_rows(columns: Sequence[CodedColumn], budget: TimeBudget) -> list[DuplicateRows]:
    """Rows equal in all columns; and rows equal in all but those that tell every row apart, if there are such."""
    if not columns:
        return []
    apart = [column for column in columns if column.unique]
    rest = [column for column in columns if not column.unique]
    if len(rest) < 2 and apart:
        return []
    finding = _equal_rows(rest, tuple(column.name.column for column in apart), budget)
    return [finding] if finding is not None else []


def _equal_rows(columns: list[CodedColumn], besides: tuple[str, ...], budget: TimeBudget) -> DuplicateRows | None:
    hashes = np.zeros(columns[0].rows, dtype=np.uint64)
    for column in columns:
        if budget.spent():
            return None
        hashes = _with(hashes, column.codes)
    sizes, examples = _groups(columns, hashes)
    if not len(sizes):
        return None
    first, expected = columns[0], expected_repeats(columns, columns[0].rows)
    pairs = int((sizes * (sizes - 1) // 2).sum())
    return DuplicateRows(
        first.name.dataset,
        tuple(column.name.column for column in columns),
        besides,
        len(sizes),
        int((sizes - 1).sum()),
        int(sizes.max()),
        Standing.LIKELY if pairs > _OF_EXPECTED * expected + _TELLING else Standing.POSSIBLE,
        pairs,
        expected,
        examples,
        first.rows,
        first.rows,
        Basis.SAMPLE if first.sampled else Basis.EXACT,
    )


def _with(hashes: Array, codes: Array) -> Array:
    mixed = (hashes ^ codes.astype(np.uint64)) * _MULTIPLIER
    return np.asarray(mixed ^ (mixed >> np.uint64(29)))


def _groups(columns: list[CodedColumn], hashes: Array) -> tuple[Array, tuple[tuple[int, ...], ...]]:
    """Sizes of the groups of equal rows, and row numbers of the largest. Rows of one hash are compared in full."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    same = ordered[1:] == ordered[:-1]
    for column in columns:
        codes = column.codes[order]
        same &= codes[1:] == codes[:-1]
    edges = np.flatnonzero(np.concatenate(([True], ~same, [True])))
    sizes = np.diff(edges)
    repeated = np.flatnonzero(sizes > 1)
    largest = repeated[np.argsort(-sizes[repeated], kind="stable")][:_EXAMPLES]
    shown = np.minimum(sizes[largest], _ROWS_OF_AN_EXAMPLE)
    begins = edges[largest]
    examples = (order[begin : begin + size].tolist() for begin, size in zip(begins, shown, strict=True))
    return sizes[repeated], tuple(map(tuple, examples))


def duplicate_columns(columns: Sequence[CodedColumn], budget: TimeBudget) -> list[DuplicateColumns]:
    """Of one dataset. Columns of two classes are never equal, constant and empty ones are left out."""
    alike: dict[tuple[object, ...], list[list[CodedColumn]]] = {}
    for column in columns:
        if budget.spent():
            break
        if column.distinct > 1:
            groups = alike.setdefault(_fingerprint(column), [])
            group = next((group for group in groups if _equal(group[0], column)), None)
            if group is None:
                groups.append([column])
            else:
                group.append(column)
    return [_finding(group) for groups in alike.values() for group in groups if len(group) > 1]


def _fingerprint(column: CodedColumn) -> tuple[object, ...]:
    return column.value_class, column.distinct, column.present, column.sketch.least


def _equal(first: CodedColumn, second: CodedColumn) -> bool:
    if not np.array_equal(first.codes < 0, second.codes < 0):
        return False
    # The code of null is the last one, which is never a value where there is a null.
    nothing = np.zeros(1, dtype=np.uint64)
    ours, theirs = (np.append(column.hashes, nothing)[column.codes] for column in (first, second))
    return np.array_equal(ours, theirs)


def _finding(columns: list[CodedColumn]) -> DuplicateColumns:
    first = columns[0]
    return DuplicateColumns(
        first.name.dataset,
        tuple(column.name.column for column in columns),
        first.rows,
        first.rows,
        Basis.SAMPLE if first.sampled else Basis.EXACT,
    )
