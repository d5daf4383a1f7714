"""Probabilities that come true as often as they say: made so out of fold, and looked at in bins.

Of two classes Platt's line through the log odds (1999), of several one temperature (Guo and others, 2017). What
corrects the probabilities of a fold is learned from the other folds' only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.columns import Array
from analysis.prediction.answer import Calibration, Estimate, ReliabilityBin, Task
from analysis.prediction.losses import LEAST_PROBABILITY, losses
from analysis.proportions import wilson

_BINS = 10
_LEAST_OF_BIN = 20
_SIMULATED = 200
_STEPS = 25


def corrected(predicted: Array, values: Array, numbers: Array, *, forward: bool) -> Array:
    """Out-of-fold probabilities, corrected by what the other folds (`forward`: the earlier ones) say."""
    result = predicted.copy()
    for fold in np.unique(numbers):
        inside = numbers == fold
        others = numbers < fold if forward else ~inside
        if np.count_nonzero(others) >= 2 * _LEAST_OF_BIN:
            result[inside] = correction(predicted[others], values[others]).apply(predicted[inside])
    return result


class Correction:
    """A line through the log odds of two classes, or a temperature of several."""

    def __init__(self, slope: float, offset: float) -> None:
        self._slope, self._offset = slope, offset

    def apply(self, predicted: Array) -> Array:
        logs = self._slope * _logs(predicted)
        if predicted.shape[1] == 2:
            logs = logs + np.array([0.0, self._offset])
        odds = np.exp(logs - logs.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def correction(predicted: Array, values: Array) -> Correction:
    return _platt(predicted, values) if predicted.shape[1] == 2 else _temperature(predicted, values)


def _logs(predicted: Array) -> Array:
    return np.asarray(np.log(np.clip(predicted, LEAST_PROBABILITY, 1.0)))


def _platt(predicted: Array, values: Array) -> Correction:
    """Newton's steps for a logistic regression with one input; a weak pull towards no correction keeps it finite."""
    logs = _logs(predicted)
    inputs = np.column_stack([logs[:, 1] - logs[:, 0], np.ones(len(values))])
    line, start, pull = np.array([1.0, 0.0]), np.array([1.0, 0.0]), np.array([1.0, 1.0])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ line, -30, 30)))
        slope = inputs.T @ (values - chance) - pull * (line - start)
        curve = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + np.diag(pull)
        step = np.linalg.solve(curve, slope)
        line = line + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-8:
            break
    return Correction(float(max(0.0, line[0])), float(line[1]))


def _temperature(predicted: Array, values: Array) -> Correction:
    from scipy.optimize import minimize_scalar  # noqa: PLC0415

    def loss(power: float) -> float:
        return float(losses(Task.CLASSIFICATION, values, Correction(power, 0.0).apply(predicted)).mean())

    return Correction(float(minimize_scalar(loss, bounds=(0.0, 5.0), method="bounded").x), 0.0)


def looked_at(
    before: Array, after: Array, values: Array, classes: Sequence[str], method: str, seed: int
) -> Calibration:
    """Of out-of-fold probabilities, as they came and as corrected."""
    scores, hits = _events(after, values)
    raw, raw_hits = _events(before, values)
    edges = _edges(scores)
    generator = np.random.default_rng([seed, 2])
    by_chance = [expected_error(scores, generator.uniform(size=len(scores)) < scores, edges) for _ in range(_SIMULATED)]
    return Calibration(
        method,
        classes[1] if len(classes) == 2 else None,
        expected_error(scores, hits, edges),
        expected_error(raw, raw_hits, _edges(raw)),
        float(np.quantile(by_chance, 0.95)),
        tuple(_bins(scores, hits, edges)),
    )


def _events(predicted: Array, values: Array) -> tuple[Array, Array]:
    """A probability a row, and whether it came true."""
    if predicted.shape[1] == 2:
        return predicted[:, 1], values == 1
    return predicted.max(axis=1), predicted.argmax(axis=1) == values


def _edges(scores: Array) -> Array:
    """Bins of as many rows each."""
    bins = max(1, min(_BINS, len(scores) // _LEAST_OF_BIN))
    return np.unique(np.quantile(scores, np.linspace(0, 1, bins + 1)[1:-1]))


def expected_error(scores: Array, hits: Array, edges: Array) -> float:
    """The mean distance of predicted and observed shares, weighted by the rows of the bins."""
    places = np.searchsorted(edges, scores, side="right")
    gaps = np.bincount(places, weights=scores - hits)
    return float(np.abs(gaps).sum() / len(scores))


def _bins(scores: Array, hits: Array, edges: Array) -> list[ReliabilityBin]:
    places = np.searchsorted(edges, scores, side="right")
    found = []
    for place in np.unique(places):
        inside = places == place
        n, came_true = int(inside.sum()), int(hits[inside].sum())
        found.append(ReliabilityBin(float(scores[inside].mean()), Estimate(came_true / n, *wilson(came_true, n)), n))
    return found
