"""Columns of a frame as associations take them: numbers to be ranked, categories with their levels capped, and which
columns say nothing of others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.associations.ranks import Ranked, ranked
from analysis.associations.results import AssociatedColumn, AssociationOptions, Status
from analysis.columns import Array
from analysis.frames import FrameColumn, Role

# Fewer rows than this make every coefficient a matter of luck.
FEWEST_ROWS = 5
# Of fewer different values it is no wonder that all differ.
FEWEST_IDENTIFIERS = 20
_A_LOOK = 1_000  # rows, before all are gone through


@dataclass(frozen=True)
class Numbers:
    """A column of numbers, or of times in microseconds since the first. `exact` as frames have it."""

    told: AssociatedColumn
    values: Array
    exact: Array | None = None

    @cached_property
    def ranks(self) -> Ranked:
        return ranked(self.values)


@dataclass(frozen=True)
class Categories:
    """`codes` uint16 a row, 0 where null, 1 for the most frequent level; the last one is "other" where `is_capped`.
    `counts` by code, nulls first. `labels` of the codes from 1 on."""

    told: AssociatedColumn
    codes: Array
    counts: Array
    labels: tuple[str, ...]
    is_capped: bool
    source: FrameColumn


Prepared = Numbers | Categories


def prepared(column: FrameColumn, options: AssociationOptions) -> Prepared | AssociatedColumn:
    """What can be computed with, or why nothing can."""
    match column.role:
        case Role.OTHER:
            return _told(column, Status.UNSUPPORTED, f"values of kind {column.kind} have no association", column.nulls)
        case Role.CATEGORY:
            return _categories(column, options)
        case Role.TIME:
            return _numbers(column, _microseconds(column.values), options)
        case Role.NUMERIC:
            return _numbers(column, column.values, options)


def _told(column: FrameColumn, status: Status, reason: str | None, nulls: int, **more: int) -> AssociatedColumn:
    present = len(column) - nulls
    return AssociatedColumn(column.name, column.role, status, reason, present, column.infinities, **more)


def _too_little(column: FrameColumn, nulls: int) -> AssociatedColumn | None:
    present = len(column) - nulls
    if present == 0:
        return _told(column, Status.ALL_NULL, "no row has a value", nulls)
    if present < FEWEST_ROWS:
        return _told(column, Status.TOO_FEW, f"{present} rows have a value, {FEWEST_ROWS} are needed", nulls)
    return None


def _microseconds(times: Array) -> Array:
    ticks = times.astype("datetime64[us]", copy=False).view(np.int64)
    absent = np.isnat(times)
    present = ticks[~absent]
    values = (ticks - (present.min() if len(present) else 0)).astype(np.float64)
    values[absent] = np.nan
    return values


def _numbers(column: FrameColumn, values: Array, options: AssociationOptions) -> Prepared | AssociatedColumn:
    nulls = int(np.count_nonzero(np.isnan(values)))
    if (little := _too_little(column, nulls)) is not None:
        return little
    if _is_constant(values):
        return _told(column, Status.CONSTANT, "every value is the same", nulls)
    if column.role is Role.NUMERIC and not nulls and not options.include_identifiers:
        reason = _identifier_reason(values if column.exact is None else column.exact)
        if reason:
            return _told(column, Status.IDENTIFIER, reason, nulls)
    return Numbers(_told(column, Status.OK, None, nulls), values, column.exact)


def _is_constant(values: Array) -> bool:
    for stretch in (values[:_A_LOOK], values):
        present = stretch[~np.isnan(stretch)]
        if len(present) and np.any(present != present[0]):
            return False
    return True


def _identifier_reason(values: Array) -> str | None:
    """Whole numbers, each once, that rise or fall with the rows or have few gaps: they number the rows."""
    if len(values) < FEWEST_IDENTIFIERS:
        return None
    for stretch in (values[:_A_LOOK], values):
        if stretch.dtype.kind == "f" and not np.array_equal(stretch, np.floor(stretch)):
            return None
        if not _all_differ(stretch):
            return None
    steps = values[1:] > values[:-1]
    if steps.all() or not steps.any():
        return "whole numbers, each once, that rise or fall with the rows"
    if values.max() - values.min() < 2 * len(values):
        return "whole numbers, each once, with few gaps"
    return None


def _all_differ(values: Array) -> bool:
    ordered = np.sort(values)
    return not np.any(ordered[1:] == ordered[:-1])


def _categories(column: FrameColumn, options: AssociationOptions) -> Prepared | AssociatedColumn:
    assert column.levels is not None
    counts = np.bincount(column.values + 1, minlength=len(column.levels) + 1)
    nulls, frequency = int(counts[0]), counts[1:]
    if (little := _too_little(column, nulls)) is not None:
        return little
    present, levels = len(column) - nulls, int(np.count_nonzero(frequency))
    if levels == 1:
        return _told(column, Status.CONSTANT, "every value is the same", nulls, levels=1)
    if levels == present >= FEWEST_IDENTIFIERS and not options.include_identifiers:
        return _told(column, Status.IDENTIFIER, "every value is different", nulls, levels=levels)
    if levels > options.max_levels and levels > present / 2:
        reason = f"{levels} different values in {present} rows: texts, not categories"
        return _told(column, Status.FREE_TEXT, reason, nulls, levels=levels)
    return _capped(column, frequency, nulls, levels, options.max_levels)


def _capped(column: FrameColumn, frequency: Array, nulls: int, levels: int, most: int) -> Categories:
    """The most frequent levels in order, those that come first among equals; the rest as one more."""
    assert column.levels is not None
    kept = np.argsort(-frequency, kind="stable")[: min(levels, most)]
    is_capped = levels > most
    recode = np.full(len(frequency) + 1, len(kept) + 1, dtype=np.uint16)
    recode[0] = 0
    recode[kept + 1] = np.arange(1, len(kept) + 1)
    codes = recode[column.values + 1]
    counts = np.concatenate([[nulls], frequency[kept], [frequency.sum() - frequency[kept].sum()] if is_capped else []])
    labels = tuple(str(column.levels[place]) for place in kept) + (("other",) if is_capped else ())
    told = _told(column, Status.OK, None, nulls, levels=levels, levels_kept=len(kept))
    return Categories(told, codes, counts.astype(np.int64), labels, is_capped, column)
