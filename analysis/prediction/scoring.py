"""From out-of-fold predictions to scores: which model is best, and whether it beats the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from analysis.prediction.answer import Calibration, Estimate, ModelScore, Task, Verdict
from analysis.prediction.calibration import corrected, looked_at
from analysis.prediction.losses import bounded, metrics_of, skill
from analysis.prediction.targets import Target
from analysis.prediction.validation import OutOfFold, Repeat, tested_losses

# Columns that a sentence names.
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A model's final predictions, one array a repeat, and its score."""

    predicted: tuple[Array, ...]
    score: ModelScore
    mean_loss: float
    method: str


def scored(
    found: OutOfFold, target: Target, groups: Array | None, level: float, seed: int, *, forward: bool
) -> tuple[list[Scored], dict[str, Estimate]]:
    """Every model that was validated at least once, the best first; and the baseline's figures."""
    base = found.repeats[""]
    names = found.names
    tested = found.tested
    inside = None if groups is None else np.unique(groups[tested], return_inverse=True)[1]
    models = []
    for name in names:
        repeats = found.repeats[name]
        predicted, method = _final(repeats, target, forward=forward)
        ours = [
            (tested_losses(target, one, tested), repeat.numbers[tested])
            for one, repeat in zip(predicted, repeats, strict=True)
        ]
        theirs = [tested_losses(target, one.predicted, tested) for one in base[: len(repeats)]]
        gain = skill(ours, theirs, inside, level, seed, len(names))
        metrics = _metrics(target, predicted, base, tested, inside, level, seed)
        fits = sum(len(np.unique(one.numbers[tested])) for one in repeats)
        score = ModelScore(name, gain, _verdict(gain), metrics, fits)
        models.append(Scored(predicted, score, float(np.mean([losses.mean() for losses, _ in ours])), method))
    models.sort(key=lambda one: one.mean_loss)
    return models, _metrics(target, [one.predicted for one in base], base, tested, inside, level, seed)


def _final(repeats: Sequence[Repeat], target: Target, *, forward: bool) -> tuple[tuple[Array, ...], str]:
    """Probabilities corrected out of fold where that lowers their loss; numbers as they are."""
    raw = tuple(one.predicted for one in repeats)
    if target.task is Task.REGRESSION:
        return raw, ""
    better = []
    for one in repeats:
        inside = one.numbers >= 0
        made = one.predicted.copy()
        made[inside] = corrected(one.predicted[inside], target.values[inside], one.numbers[inside], forward=forward)
        better.append(made)
    tested = repeats[0].numbers >= 0
    losses = [np.mean([tested_losses(target, one, tested).mean() for one in some]) for some in (raw, better)]
    if losses[1] >= losses[0]:
        return raw, "as the model gave them"
    method = "Platt's line, out of fold" if len(target.classes) == 2 else "temperature, out of fold"
    return tuple(better), method


def _metrics(
    target: Target,
    predicted: Sequence[Array],
    base: Sequence[Repeat],
    tested: Array,
    groups: Array | None,
    level: float,
    seed: int,
) -> dict[str, Estimate]:
    reference = base[0].predicted[tested]
    metrics = metrics_of(
        target.task, target.values[tested], [one[tested] for one in predicted], reference, target.scale
    )
    return bounded(metrics, int(tested.sum()), groups, level, seed)


def _verdict(gain: Estimate) -> Verdict:
    if gain.low > 0:
        return Verdict.BETTER
    return Verdict.WORSE if gain.high < 0 else Verdict.NOT_BETTER


def calibration_of(best: Scored, repeats: Sequence[Repeat], target: Target, tested: Array, seed: int) -> Calibration:
    """Of the first repeat, whose probabilities are those of single models."""
    before, after = repeats[0].predicted[tested], best.predicted[0][tested]
    return looked_at(before, after, target.values[tested], target.classes, best.method, seed)


def in_words(target: str, best: ModelScore, task: Task, level: float, tested: int, leaks: Sequence[str] = ()) -> str:
    """Built from the figures. `leaks` are columns that were left out because they tell the target."""
    told = _of_the_best(target, best, task, level, tested)
    if not leaks:
        return told
    names = ", ".join(repr(name) for name in leaks[:_MOST_NAMED]) + (", ..." if len(leaks) > _MOST_NAMED else "")
    return f"{told} That is without {names}: what tells {target} nearly exactly is left out unless `keep_leaks`."


def _of_the_best(target: str, best: ModelScore, task: Task, level: float, tested: int) -> str:
    gain = best.skill
    measured = "squared error" if task is Task.REGRESSION else "log loss"
    of_what = "the mean" if task is Task.REGRESSION else "the shares of its classes"
    bounds = f"{level:.0%} between {_share(gain.low)} and {_share(gain.high)}, on {tested} rows not learned from"
    match best.verdict:
        case Verdict.BETTER:
            told = f"{best.model} has {_share(gain.value)} less {measured} than {of_what}"
            return f"{target} can be predicted: {told} ({bounds})."
        case Verdict.NOT_BETTER:
            return (
                f"No model predicts {target} better than {of_what}, as far as these rows tell: "
                f"{best.model} takes {_share(gain.value)} off the {measured} ({bounds})."
            )
        case Verdict.WORSE:
            return f"Models predict {target} worse than {of_what}: {_share(-gain.value)} more {measured} ({bounds})."


def _share(value: float) -> str:
    """In percent, without a sign where it rounds to none."""
    return f"{round(value, 3) + 0.0:.1%}"
