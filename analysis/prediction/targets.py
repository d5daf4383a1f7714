"""What is predicted: the rows that have it, as numbers or as classes, or why it cannot be predicted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from analysis.frames import FrameColumn, Role
from analysis.prediction.answer import Concern, PredictionOptions, Status, Task, Warned

LEAST_ROWS = 40
_FEW_ROWS = 200
_MOST_CLASSES = 50
_LEAST_OF_CLASS = 10
_IMBALANCED = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """`rows` of the frame that have the target, and of each its value: codes of `classes`, or numbers of less than 2
    in size, to be multiplied by `scale`."""

    task: Task
    rows: Array
    values: Array
    classes: tuple[str, ...]
    scale: float
    warnings: tuple[Warned, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    status: Status
    says: str


def target_of(column: FrameColumn, options: PredictionOptions) -> Target | Refused:
    if column.role not in (Role.NUMERIC, Role.CATEGORY):
        return Refused(Status.NOT_PREDICTABLE, f"{column.name} is of the kind {column.kind}, which is not predicted.")
    present = np.flatnonzero(column.present)
    warnings = _absent(column)
    task = options.task or _task(column, present)
    if task is Task.REGRESSION and column.role is not Role.NUMERIC:
        return Refused(Status.NOT_PREDICTABLE, f"{column.name} has no numbers: it can be predicted as classes only.")
    if len(present) < LEAST_ROWS:
        return Refused(Status.TOO_FEW, f"{len(present)} rows have {column.name}; {LEAST_ROWS} are the least.")
    if task is Task.CLASSIFICATION:
        return _classes(column, present, warnings)
    return _numbers(column, present, warnings)


def _absent(column: FrameColumn) -> list[Warned]:
    warnings = []
    if column.infinities:
        says = f"{column.infinities} infinite values of {column.name} are taken for missing."
        warnings.append(Warned(Concern.INFINITE_TARGETS, says, (column.name,)))
    if column.nulls:
        says = (
            f"{column.nulls} of {len(column)} rows have no {column.name}; what holds for the others may not for them."
        )
        warnings.append(Warned(Concern.NULL_TARGETS, says, (column.name,)))
    return warnings


def _task(column: FrameColumn, present: Array) -> Task:
    if column.role is Role.CATEGORY or len(np.unique(column.values[present])) <= 2:
        return Task.CLASSIFICATION
    return Task.REGRESSION


def _numbers(column: FrameColumn, present: Array, warnings: list[Warned]) -> Target | Refused:
    values = column.values[present]
    # A power of two, so that nothing is rounded.
    scale = float(2.0 ** min(1023, np.frexp(np.abs(values).max())[1]))
    scaled = values / scale
    if np.ptp(scaled) <= 1e-12:
        return Refused(Status.CONSTANT, f"{column.name} is always {values[0]:g}.")
    return Target(Task.REGRESSION, present, scaled, (), scale, (*warnings, *_few(len(present))))


def _classes(column: FrameColumn, present: Array, warnings: list[Warned]) -> Target | Refused:
    found, codes, counts = np.unique(column.values[present], return_inverse=True, return_counts=True)
    if column.levels is None:
        names = [repr(float(value)).removesuffix(".0") for value in found]
    else:
        # By name, so that the second of two is mostly the one that says yes.
        names = [str(column.levels[int(value)]) for value in found]
        order = np.argsort(np.array(names, dtype=object), kind="stable")
        codes, counts, names = np.argsort(order)[codes], counts[order], [names[place] for place in order]
    if len(found) == 1:
        return Refused(Status.CONSTANT, f"{column.name} is always {names[0]}.")
    frequent = np.flatnonzero(counts >= _LEAST_OF_CLASS)
    if len(frequent) < 2 and counts.max() < _LEAST_OF_CLASS:
        return Refused(Status.TOO_MANY_CLASSES, f"No value of {column.name} occurs in {_LEAST_OF_CLASS} rows.")
    if len(frequent) < 2:
        says = f"Only one value of {column.name} occurs in at least {_LEAST_OF_CLASS} rows."
        return Refused(Status.TOO_FEW, says)
    if len(frequent) > _MOST_CLASSES:
        says = f"{column.name} has {len(found)} different values; {_MOST_CLASSES} classes are the most."
        return Refused(Status.TOO_MANY_CLASSES, says)
    kept = np.isin(codes, frequent)
    if not kept.all():
        says = (
            f"{len(found) - len(frequent)} classes of under {_LEAST_OF_CLASS} rows are left out: {(~kept).sum()} rows."
        )
        warnings = [*warnings, Warned(Concern.RARE_CLASSES, says, (column.name,))]
    renumbered = np.searchsorted(frequent, codes[kept])
    warnings = [*warnings, *_imbalance(column.name, counts[frequent]), *_few(int(kept.sum()))]
    classes = tuple(names[code] for code in frequent)
    return Target(Task.CLASSIFICATION, present[kept], renumbered, classes, 1.0, tuple(warnings))


def _imbalance(name: str, counts: Array) -> list[Warned]:
    share = float(counts.max() / counts.sum())
    if share < _IMBALANCED:
        return []
    says = f"{share:.1%} of the rows are of one class: accuracy says little, look at log loss and ROC AUC."
    return [Warned(Concern.IMBALANCE, says, (name,))]


def _few(rows: int) -> list[Warned]:
    return [Warned(Concern.FEW_ROWS, f"{rows} rows are few: the bounds are wide.")] if rows < _FEW_ROWS else []
