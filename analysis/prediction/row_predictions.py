"""Single rows' predictions: of rows that lack the target, and out of fold of those that have it."""

from __future__ import annotations

import numpy as np

from analysis.columns import Array
from analysis.prediction.answer import RowPrediction, Task
from analysis.prediction.calibration import correction
from analysis.prediction.features import Design
from analysis.prediction.targets import Target
from analysis.prediction.validation import Repeat


def row_predictions(
    unknown: Array,
    numbers: Array,
    design: Design,
    target: Target,
    first: Repeat,
    out_of_fold: Array,
    level: float,
    most: int,
) -> tuple[RowPrediction, ...]:
    """`unknown` are rows of the design that lack the target, `numbers` tells the frame's number of each of its rows.

    `out_of_fold` has the predictions of the target's rows, meaningful where `first` tested them.
    """
    tested = np.flatnonzero(first.numbers >= 0)
    margin = _margin(target, out_of_fold, tested, level)
    told: list[RowPrediction] = []
    if len(unknown):
        predicted = _of_unknown(unknown[:most], design, target, first, tested)
        told += [
            _told(target, int(numbers[row]), one, None, margin, out_of_fold=False)
            for row, one in zip(unknown[:most].tolist(), predicted, strict=True)
        ]
    for place in tested[: most - len(told)].tolist():
        row, actual = int(numbers[target.rows[place]]), target.values[place]
        told.append(_told(target, row, out_of_fold[place], actual, margin, out_of_fold=True))
    return tuple(told)


def _margin(target: Target, out_of_fold: Array, tested: Array, level: float) -> float:
    """Split conformal: how far off the given share of rows was at most."""
    if target.task is Task.CLASSIFICATION:
        return 0.0
    distances = np.abs(target.values[tested] - out_of_fold[tested])
    rank = min(1.0, level * (1 + 1 / len(distances)))
    return float(np.quantile(distances, rank, method="higher"))


def _of_unknown(rows: Array, design: Design, target: Target, first: Repeat, tested: Array) -> Array:
    """The mean of the folds' models, corrected by what all their out-of-fold predictions say."""
    matrix = design.trees(rows)
    predicted = np.mean([model.predict(matrix) for _, model in first.fitted], axis=0)
    if target.task is Task.REGRESSION:
        return np.asarray(predicted)
    return correction(first.predicted[tested], target.values[tested]).apply(predicted)


def _told(
    target: Target, row: int, predicted: Array, actual: Array | None, margin: float, *, out_of_fold: bool
) -> RowPrediction:
    if target.task is Task.REGRESSION:
        value, scale = float(predicted), target.scale
        truth = None if actual is None else float(actual) * scale
        low, high = (value - margin) * scale, (value + margin) * scale
        return RowPrediction(row, value * scale, truth, out_of_fold, low, high)
    probabilities = {name: float(one) for name, one in zip(target.classes, predicted, strict=True)}
    name = target.classes[int(np.argmax(predicted))]
    known = None if actual is None else target.classes[int(actual)]
    return RowPrediction(row, name, known, out_of_fold, probabilities=probabilities)


def rows_to_predict(present: Array, most: int) -> Array:
    """Numbers of rows that lack the target, as many as are asked for."""
    return np.flatnonzero(~present)[:most]
