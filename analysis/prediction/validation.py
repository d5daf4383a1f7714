"""Every model on every fold, as far as the time goes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from analysis.columns import Array
from analysis.prediction.features import Design
from analysis.prediction.folds import Fold, Plan
from analysis.prediction.losses import losses
from analysis.prediction.models import Fitted, baseline, fit
from analysis.prediction.targets import Target
from analysis.time_budget import TimeBudget

# A spread between folds takes two.
_LEAST_FOLDS = 2


@dataclass(slots=True, eq=False)
class Repeat:
    """Predictions of all rows of one way to split them; `numbers` is the row's fold, -1 where it was never tested."""

    predicted: Array
    numbers: Array
    fitted: list[tuple[Fold, Fitted]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class OutOfFold:
    """Complete repeats by model. A repeat that the time cut off is told only where there is nothing else."""

    repeats: dict[str, list[Repeat]]
    cut_off: bool = False

    @property
    def tested(self) -> Array:
        """Which rows were tested by every model that was."""
        every = [some[0].numbers >= 0 for some in self.repeats.values() if some]
        return np.asarray(np.logical_and.reduce(every))

    @property
    def names(self) -> list[str]:
        """The models that were tested, without the baseline."""
        return [name for name, some in self.repeats.items() if name and some]


def validate(
    names: tuple[str, ...], design: Design, matrix: Array, target: Target, plan: Plan, repeats: int, budget: TimeBudget
) -> OutOfFold:
    """`matrix` has the rows of the target. The baseline is the model ""; it takes no time."""
    found = OutOfFold({name: [] for name in ("", *names)})
    for repeat in range(plan.repeats(repeats)):
        splits = plan.splits(target.values, repeat)
        for name in ("", *names):
            made = _repeat(name, design, matrix, target, splits, plan.seed + repeat, budget)
            found.cut_off = len(made.fitted) < len(splits)
            if found.cut_off and (found.names or len(made.fitted) < _LEAST_FOLDS):
                return found
            if repeat:
                made.fitted.clear()
            found.repeats[name].append(made)
            if found.cut_off:
                return found
    return found


def _repeat(
    name: str, design: Design, matrix: Array, target: Target, splits: list[Fold], seed: int, budget: TimeBudget
) -> Repeat:
    classes = len(target.classes)
    rows = len(target.values)
    predicted = np.zeros((rows, classes) if classes else rows)
    numbers = np.full(rows, -1)
    fitted: list[tuple[Fold, Fitted]] = []
    for number, fold in enumerate(splits):
        if name and budget.spent():
            break
        values = target.values[fold.learned]
        if name:
            model = fit(name, matrix[fold.learned], values, design, target.task, classes, seed)
        else:
            model = baseline(values, target.task, classes)
        predicted[fold.tested] = model.predict(matrix[fold.tested])
        numbers[fold.tested] = number
        fitted.append((fold, model))
    return Repeat(predicted, numbers, fitted)


def tested_losses(target: Target, predicted: Array, tested: Array) -> Array:
    return losses(target.task, target.values[tested], predicted[tested])
