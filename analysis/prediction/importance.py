"""How much a model's predictions lose when a column is shuffled in rows that the model has not learned from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.columns import Array
from analysis.prediction.answer import Estimate, Importance
from analysis.prediction.features import Design
from analysis.prediction.folds import Fold
from analysis.prediction.losses import losses, spread_of_mean
from analysis.prediction.models import Fitted, baseline
from analysis.prediction.targets import Target
from analysis.time_budget import TimeBudget

_MOST_ROWS = 2_000
_SHUFFLES = 3


def importances(
    fitted: Sequence[tuple[Fold, Fitted]],
    design: Design,
    matrix: Array,
    target: Target,
    order: Sequence[str],
    level: float,
    seed: int,
    budget: TimeBudget,
) -> tuple[list[Importance], list[str]]:
    """Of the columns in this order as far as the time goes, the greatest first; and those there was no time for."""
    generator = np.random.default_rng([seed, 4])
    tested = [_picked(fold.tested, generator) for fold, _ in fitted]
    classes = len(target.classes)
    bases, begins = [], []
    for rows, (fold, model) in zip(tested, fitted, strict=True):
        always = baseline(target.values[fold.learned], target.task, classes)
        bases.append(_loss(always, matrix[rows], target, rows))
        begins.append(_loss(model, matrix[rows], target, rows))
    found: list[Importance] = []
    for done, column in enumerate(order):
        if budget.spent():
            return _sorted(found), list(order[done:])
        rises = [
            (_shuffled_loss(model, matrix, rows, target, design.places(column), generator) - begin) / max(base, 1e-300)
            for rows, (_, model), begin, base in zip(tested, fitted, begins, bases, strict=True)
        ]
        spread = spread_of_mean(rises, len(rises), level) if len(rises) > 1 else 1.0
        rise = float(np.mean(rises))
        found.append(Importance(column, Estimate(rise, rise - spread, rise + spread)))
    return _sorted(found), []


def _picked(rows: Array, generator: np.random.Generator) -> Array:
    return rows if len(rows) <= _MOST_ROWS else np.sort(generator.choice(rows, _MOST_ROWS, replace=False))


def _loss(model: Fitted, matrix: Array, target: Target, rows: Array) -> float:
    return float(losses(target.task, target.values[rows], model.predict(matrix)).mean())


def _shuffled_loss(
    model: Fitted, matrix: Array, rows: Array, target: Target, places: Sequence[int], generator: np.random.Generator
) -> float:
    """All parts of a column are shuffled together."""
    inputs = matrix[rows]
    found = []
    for _ in range(_SHUFFLES):
        shuffled = inputs.copy()
        order = generator.permutation(len(rows))
        for place in places:
            shuffled[:, place] = inputs[order, place]
        found.append(_loss(model, shuffled, target, rows))
    return float(np.mean(found))


def _sorted(found: list[Importance]) -> list[Importance]:
    return sorted(found, key=lambda one: (-one.rise.low, -one.rise.value, one.column))
