"""Figures of how good predictions are, with bounds: each is a function of how often every row counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from analysis.columns import Array
from analysis.prediction.answer import Estimate, Task

LEAST_PROBABILITY = 1e-6
_RESAMPLED = 300

Metrics = Callable[[Array], dict[str, float]]


def losses(task: Task, values: Array, predicted: Array) -> Array:
    """One loss a row: squared error, or log loss."""
    if task is Task.REGRESSION:
        return np.asarray(np.square(values - predicted))
    chosen = predicted[np.arange(len(values)), values]
    return np.asarray(-np.log(np.clip(chosen, LEAST_PROBABILITY, 1.0)))


def metrics_of(task: Task, values: Array, predicted: Sequence[Array], baseline: Array, scale: float) -> Metrics:
    """`predicted` has one array a repeat; figures are means over repeats. The result takes weights of the rows."""
    if task is Task.REGRESSION:
        return _of_numbers(values, predicted, baseline, scale)
    return _of_classes(values, predicted)


def _of_numbers(values: Array, predicted: Sequence[Array], baseline: Array, scale: float) -> Metrics:
    squared = np.mean([np.square(values - one) for one in predicted], axis=0)
    absolute = np.mean([np.abs(values - one) for one in predicted], axis=0)
    of_baseline = np.square(values - baseline)

    def metrics(weights: Array) -> dict[str, float]:
        total = weights.sum()
        return {
            "rmse": scale * math.sqrt(weights @ squared / total),
            "mae": scale * float(weights @ absolute / total),
            "r2": 1 - float(weights @ squared) / max(float(weights @ of_baseline), 1e-300),
        }

    return metrics


def _of_classes(values: Array, predicted: Sequence[Array]) -> Metrics:
    classes = predicted[0].shape[1]
    truth = np.eye(classes)[values]
    log_loss = np.mean([losses(Task.CLASSIFICATION, values, one) for one in predicted], axis=0)
    brier = np.mean([np.square(one - truth).sum(axis=1) for one in predicted], axis=0)
    if classes == 2:
        brier = brier / 2  # of two classes it is the square of the one probability's error
    right = np.mean([one.argmax(axis=1) == values for one in predicted], axis=0)
    mean = np.mean(predicted, axis=0)
    curves = [_auc_of(mean[:, one], values == one) for one in ([1] if classes == 2 else range(classes))]

    def metrics(weights: Array) -> dict[str, float]:
        total = weights.sum()
        areas = [area for curve in curves if (area := curve(weights)) is not None]
        found = {
            "log_loss": float(weights @ log_loss / total),
            "brier": float(weights @ brier / total),
            "accuracy": float(weights @ right / total),
        }
        return {**found, "roc_auc": float(np.mean(areas))} if areas else found

    return metrics


def _auc_of(score: Array, positive: Array) -> Callable[[Array], float | None]:
    """Area under the ROC curve: of a positive and a negative row, the chance that the first has the higher score; ties
    count half."""
    order = np.argsort(score, kind="stable")
    ordered, hits = score[order], positive[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))

    def area(weights: Array) -> float | None:
        sorted_weights = weights[order]
        won = np.add.reduceat(np.where(hits, sorted_weights, 0), starts)
        lost = np.add.reduceat(np.where(hits, 0, sorted_weights), starts)
        below = np.cumsum(lost) - lost
        pairs = float(won.sum()) * float(lost.sum())
        return float((won * (below + lost / 2)).sum()) / pairs if pairs > 0 else None

    return area


def bounded(metrics: Metrics, rows: int, groups: Array | None, level: float, seed: int) -> dict[str, Estimate]:
    """Figures with bounds from rows drawn anew with replacement; whole groups of them where rows hang together."""
    generator = np.random.default_rng([seed, 1])
    exact = metrics(np.ones(rows))
    drawn = [metrics(_drawn(generator, rows, groups)) for _ in range(_RESAMPLED)]
    found = {}
    for name, value in exact.items():
        low, high = np.quantile([one[name] for one in drawn if name in one], [(1 - level) / 2, (1 + level) / 2])
        found[name] = Estimate(value, min(value, float(low)), max(value, float(high)))
    return {name: one for name, one in found.items() if math.isfinite(one.value + one.low + one.high)}


def _drawn(generator: np.random.Generator, rows: int, groups: Array | None) -> Array:
    if groups is None:
        return np.bincount(generator.integers(0, rows, rows), minlength=rows).astype(np.float64)
    number = int(groups.max()) + 1
    return np.bincount(generator.integers(0, number, number), minlength=number).astype(np.float64)[groups]


def skill(
    model: Sequence[tuple[Array, Array]],
    base: Sequence[Array],
    groups: Array | None,
    level: float,
    seed: int,
    tries: int,
) -> Estimate:
    """1 - loss / baseline's loss, of repeats of (losses of the rows, numbers of their folds) and the baseline's losses.

    The bounds are the wider of two: rows drawn anew, and the spread between folds, widened since folds share the rows
    they learn from (Nadeau and Bengio, 2003). Where several models are tried they are wider (Bonferroni). No skill is
    above 1, of a model that is never wrong.
    """
    level = 1 - (1 - level) / tries
    ours, theirs = np.mean([losses for losses, _ in model], axis=0), np.mean(base, axis=0)
    rows = len(ours)

    def share(weights: Array) -> dict[str, float]:
        return {"skill": 1 - float(weights @ ours) / max(float(weights @ theirs), 1e-300)}

    drawn = bounded(share, rows, groups, level, seed)["skill"]
    spread = _spread_of_folds(model, base, level)
    return Estimate(drawn.value, min(drawn.low, drawn.value - spread), min(1.0, max(drawn.high, drawn.value + spread)))


def _spread_of_folds(model: Sequence[tuple[Array, Array]], base: Sequence[Array], level: float) -> float:
    """Half the width of the bounds. A test share of 1 in k folds adds 1 / (k - 1) to 1 / number of folds."""
    gains, folds = [], 0
    for (ours, numbers), theirs in zip(model, base, strict=True):
        present = np.unique(numbers)
        folds = max(folds, len(present))
        mean = max(float(theirs.mean()), 1e-300)
        gains += [float((theirs - ours)[numbers == one].mean()) / mean for one in present]
    if len(gains) < 2:
        return math.inf if not gains else 1.0
    return spread_of_mean(gains, folds, level)


def spread_of_mean(found: Sequence[float], folds: int, level: float) -> float:
    """Half the width of bounds of a mean over folds (Nadeau and Bengio, 2003)."""
    from scipy.special import stdtrit  # noqa: PLC0415

    variance = float(np.var(found, ddof=1)) * (1 / len(found) + 1 / max(1, folds - 1))
    return float(stdtrit(len(found) - 1, (1 + level) / 2)) * math.sqrt(variance)
