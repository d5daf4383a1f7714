"""What is learned from: columns as numbers and as codes of their levels, nulls kept as such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array, Kind
from analysis.frames import Frame, FrameColumn, Role
from analysis.prediction.answer import Feature, FeatureStatus

# Trees tell at most 255 levels apart; those that are rarer than the most frequent ones are one level together.
_LEVELS = 100
# Beyond this a matrix of indicators of a linear model gets wide.
_INDICATORS = 30
_LARGEST = 1e100
_DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """One matrix column: numbers, NaN where null; of a category codes from 0, the most frequent level first."""

    column: str
    values: Array
    levels: int  # 0 of numbers


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Inputs of all rows of a frame."""

    inputs: tuple[Input, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.column for one in self.inputs))

    def without(self, columns: Sequence[str]) -> Design:
        return Design(tuple(one for one in self.inputs if one.column not in columns))

    def trees(self, rows: Array) -> Array:
        """The matrix for trees: codes and numbers, NaN where null."""
        return np.column_stack([one.values[rows] for one in self.inputs])

    def places(self, column: str) -> list[int]:
        """Which columns of the trees' matrix belong to a column."""
        return [place for place, one in enumerate(self.inputs) if one.column == column]


def design_of(frame: Frame, rows: Array, names: Sequence[str], most: int) -> tuple[Design, list[Feature]]:
    """Inputs of the columns, and what became of each. What makes a column unfit is judged by `rows` alone."""
    inputs: list[Input] = []
    features: list[Feature] = []
    used = 0
    for name in names:
        column = frame.column(name)
        feature = _fitness(column, column.take(rows))
        if feature.status is FeatureStatus.USED and used >= most:
            feature = Feature(name, FeatureStatus.LEFT_OUT)
        features.append(feature)
        if feature.status is FeatureStatus.USED:
            used += 1
            inputs += _inputs(column, rows)
    return Design(tuple(inputs)), features


def _fitness(column: FrameColumn, taken: FrameColumn) -> Feature:
    name = column.name
    if column.role is Role.OTHER:
        return Feature(name, FeatureStatus.NOT_COMPARABLE)
    values = taken.values[taken.present]
    if not len(values):
        return Feature(name, FeatureStatus.EMPTY)
    distinct = len(np.unique(values))
    if distinct == 1 and len(values) == len(taken):
        return Feature(name, FeatureStatus.CONSTANT)
    if _is_identifier(column, values, distinct):
        return Feature(name, FeatureStatus.IDENTIFIER)
    if column.role is not Role.CATEGORY:
        return Feature(name, FeatureStatus.USED)
    if distinct > max(_LEVELS, len(values) // 2):
        return Feature(name, FeatureStatus.TOO_MANY_LEVELS, levels=distinct)
    return Feature(name, FeatureStatus.USED, levels=distinct, levels_told_apart=min(distinct, _LEVELS))


def _is_identifier(column: FrameColumn, values: Array, distinct: int) -> bool:
    """Different in every row, of a kind whose values mean nothing else: texts, and whole numbers that count rows."""
    if distinct < len(values) or distinct < 20:
        return False
    if column.role is Role.CATEGORY:
        return True
    if column.kind is not Kind.INTEGER:
        return False
    steps = np.diff(values)
    return bool((steps > 0).all() or (steps < 0).all() or np.ptp(values) < 4 * distinct)


def _inputs(column: FrameColumn, rows: Array) -> list[Input]:
    if column.role is Role.CATEGORY:
        return [_category(column, rows)]
    if column.role is Role.TIME:
        return _parts_of_times(column)
    return [Input(column.name, np.clip(column.values, -_LARGEST, _LARGEST), 0)]


def _category(column: FrameColumn, rows: Array) -> Input:
    """Levels by how frequent they are in `rows`; null is NaN."""
    assert column.levels is not None
    present = column.values[rows]
    counts = np.bincount(present[present >= 0], minlength=len(column.levels))
    order = np.argsort(-counts, kind="stable")
    ranks = np.empty(len(order) + 1, dtype=np.float64)
    ranks[order] = np.minimum(np.arange(len(order)), _LEVELS)
    ranks[-1] = np.nan  # where the code -1 points to
    return Input(column.name, ranks[column.values], min(len(order), _LEVELS + 1))


def _parts_of_times(column: FrameColumn) -> list[Input]:
    present = column.present
    moments = np.where(present, column.values, np.datetime64(0, "us"))
    micros = moments.astype(np.int64)
    parts: list[Array] = [
        micros / _DAY,
        moments.astype("datetime64[M]").astype(np.int64) % 12.0,
        (micros // _DAY + 3) % 7.0,
    ]
    if (micros[present] % _DAY).any():
        parts.append((micros % _DAY) / (_DAY / 24))
    return [Input(column.name, np.where(present, part, np.nan), 0) for part in parts]


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """Numbers by the mean and the spread of the rows learned from; nulls are the mean, with an indicator beside."""

    design: Design
    means: Array
    spreads: Array
    has_nulls: Array

    def matrix(self, numbers: Array) -> Array:
        """Of the rows of a trees' matrix the matrix for a linear model."""
        parts: list[Array] = []
        for place, one in enumerate(self.design.inputs):
            values = numbers[:, place]
            missing = np.isnan(values)
            if one.levels:
                shown = min(one.levels, _INDICATORS)
                parts.append((values[:, None] == np.arange(shown)).astype(np.float64))
            else:
                with np.errstate(over="ignore"):
                    standard = (values - self.means[place]) / self.spreads[place]
                parts.append(np.clip(np.where(missing, 0.0, standard), -10, 10)[:, None])
            if self.has_nulls[place]:
                parts.append(missing.astype(np.float64)[:, None])
        return np.hstack(parts)


def standard_of(design: Design, learned: Array) -> Standard:
    """From the rows of a trees' matrix that are learned from."""
    missing = np.isnan(learned)
    counts = np.maximum(1, (~missing).sum(axis=0))
    known = np.where(missing, 0.0, learned)
    means = known.sum(axis=0) / counts
    spreads = np.sqrt((np.where(missing, 0.0, learned - means) ** 2).sum(axis=0) / counts)
    return Standard(design, means, np.where(spreads > 0, spreads, 1.0), np.asarray(missing.any(axis=0)))
