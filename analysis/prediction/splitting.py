"""How models are to be tested on these data: at random, by groups, or forward in time."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from analysis.columns import Array
from analysis.frames import Frame, FrameColumn, Role
from analysis.prediction.answer import Concern, PredictionOptions, Warned
from analysis.prediction.folds import Plan
from analysis.prediction.targets import Target

# A time that is no time of the row: rows are not ordered by when somebody was born.
_NOT_OF_THE_ROW = re.compile(r"birth|\bdob\b|(^|_)dob(_|$)|geburt", re.IGNORECASE)
_LEAST_MOMENTS_OF_A_FOLD = 5
_LEAST_PRESENT = 0.99
_REPEATED = 0.01
# A measurement that is fine enough for two rows not to agree by chance has at least so many values a row.
_FINE = 0.1
_BLOCKS = 50


def plan_of(
    frame: Frame, target: Target, options: PredictionOptions, features: Sequence[str]
) -> tuple[Plan, str | None, list[Warned]]:
    """The plan, the column it goes by, and what is to be said about it."""
    plan = Plan(target.task, max(2, options.folds), options.seed)
    if options.group is not None:
        groups = _codes(frame.column(options.group).take(target.rows))
        if len(np.unique(groups)) >= 2:
            return Plan(plan.task, plan.folds, plan.seed, groups=groups), options.group, []
    time = _time(frame, target, options)
    if time is not None:
        return Plan(plan.task, plan.folds, plan.seed, times=_moments(time)), time.name, []
    groups, repeated = _equal_rows(frame, target, features)
    if repeated <= _REPEATED * len(target.rows):
        return plan, None, []
    says = f"{repeated} rows are equal to others in all that is learned from: equal rows stay together in the folds."
    return Plan(plan.task, plan.folds, plan.seed, groups=groups), None, [Warned(Concern.REPEATED_ROWS, says)]


def resampled_groups(plan: Plan, rows: int) -> Array | None:
    """Rows that hang together are drawn together for bounds: the groups, or stretches of time."""
    if plan.times is None:
        return None if plan.groups is None else np.unique(plan.groups, return_inverse=True)[1]
    ranks = np.empty(rows, dtype=np.int64)
    ranks[np.argsort(plan.times, kind="stable")] = np.arange(rows)
    return ranks * min(_BLOCKS, max(1, rows // 10)) // rows


def _time(frame: Frame, target: Target, options: PredictionOptions) -> FrameColumn | None:
    if options.time is not None:
        column = frame.column(options.time).take(target.rows)
        return column if column.role is Role.TIME and _moments_of(column) > options.folds + 1 else None
    if not options.by_time:
        return None
    fitting = []
    for column in frame.of_role(Role.TIME):
        taken = column.take(target.rows)
        if _NOT_OF_THE_ROW.search(column.original or column.name) or taken.present.mean() < _LEAST_PRESENT:
            continue
        moments = _moments_of(taken)
        if moments >= _LEAST_MOMENTS_OF_A_FOLD * (options.folds + 1):
            fitting.append((moments, taken))
    return max(fitting, key=lambda one: one[0])[1] if fitting else None


def _moments_of(column: FrameColumn) -> int:
    return len(np.unique(column.values[column.present]))


def _moments(column: FrameColumn) -> Array:
    """Microseconds; a row without a time is taken to be the earliest, so that it is only learned from."""
    moments = column.values.astype(np.int64)
    return np.where(column.present, moments, moments[column.present].min())


def _codes(column: FrameColumn) -> Array:
    """Null is a group of its own."""
    return np.unique(column.values, return_inverse=True)[1]


def _equal_rows(frame: Frame, target: Target, names: Sequence[str]) -> tuple[Array, int]:
    """The number of each row's group of equal rows, and how many rows repeat another.

    Only where there is a measurement by which rows are not equal by nature, as those of a few categories are.
    """
    fine = False
    hashes = np.zeros(len(target.rows), dtype=np.uint64)
    for column in map(frame.column, names):
        if column.role is not Role.OTHER:
            taken = column.take(target.rows)
            fine |= _is_fine(taken)
            hashes = (hashes ^ _codes(taken).astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            hashes ^= hashes >> np.uint64(29)
    _, groups, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
    repeated = len(hashes) - len(sizes)
    return groups, repeated if fine else 0


def _is_fine(column: FrameColumn) -> bool:
    values = column.values[column.present]
    if column.role is not Role.NUMERIC or len(values) < len(column) / 2 or (values == np.floor(values)).all():
        return False
    return len(np.unique(values)) >= _FINE * len(values)
