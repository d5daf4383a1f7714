"""The models, out of scikit-learn, which is imported when the first one is made.

It takes seconds to import and 274 MB to install: a server that predicts no columns does without.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from analysis.columns import Array
from analysis.prediction.answer import Task
from analysis.prediction.features import Design, Standard, standard_of

GRADIENT_BOOSTING, LINEAR = "gradient_boosting", "linear"
NAMES = (LINEAR, GRADIENT_BOOSTING)

# With fewer rows learned from, some held back to stop early would tell too little.
_STOPS_EARLY = 400
_LEAST_VALUES = 10
# Of several classes a round grows a tree for each.
_LEAST_ROUNDS = 40
_STRENGTHS = (0.01, 0.1, 1.0, 10.0)


class PredictionUnavailable(RuntimeError):
    """scikit-learn is not installed."""


def require_library() -> None:
    """Raises PredictionUnavailable."""
    if find_spec("sklearn") is None:
        raise PredictionUnavailable(
            "Prediction of a column needs scikit-learn, which is not installed: pip install 'collab-studio[prediction]'"
        )


class Fitted(Protocol):
    """Takes rows of the trees' matrix; gives numbers, or probabilities with a column for each class."""

    def predict(self, matrix: Array) -> Array: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Trees:
    model: Any
    known: Array
    classes: int

    def predict(self, matrix: Array) -> Array:
        inputs = matrix[:, self.known]
        return _spread(self.model, inputs, self.classes) if self.classes else np.asarray(self.model.predict(inputs))


@dataclass(frozen=True, slots=True, eq=False)
class _Linear:
    model: Any
    standard: Standard
    classes: int

    def predict(self, matrix: Array) -> Array:
        inputs = self.standard.matrix(matrix)
        return _spread(self.model, inputs, self.classes) if self.classes else np.asarray(self.model.predict(inputs))


@dataclass(frozen=True, slots=True, eq=False)
class Always:
    """The baseline: the mean, or the shares of the classes, of the rows learned from."""

    answer: Array

    def predict(self, matrix: Array) -> Array:
        return np.broadcast_to(self.answer, (len(matrix), *self.answer.shape))


def baseline(values: Array, task: Task, classes: int) -> Always:
    if task is Task.REGRESSION:
        return Always(np.asarray(values.mean()))
    # A class that was not learned from has some probability, too: its log loss is no infinity.
    counts = np.bincount(values, minlength=classes) + 0.5
    return Always(counts / counts.sum())


def _spread(model: Any, matrix: Array, classes: int) -> Array:
    """Probabilities of all classes: those that were not learned from have none."""
    found = np.zeros((len(matrix), classes))
    found[:, model.classes_] = model.predict_proba(matrix)
    return found


Fit = Callable[[Array, Array, Design, Task, int, int], Fitted]


def fit(name: str, matrix: Array, values: Array, design: Design, task: Task, classes: int, seed: int) -> Fitted:
    """Learns from rows of the trees' matrix. `classes` is 0 of numbers."""
    with warnings.catch_warnings():
        # Of a solver that stops at its limit: what it reached is measured like any other model.
        warnings.simplefilter("ignore")
        if task is Task.CLASSIFICATION and len(np.unique(values)) < 2:
            return baseline(values, task, classes)
        made = _trees if name == GRADIENT_BOOSTING else _linear
        return made(matrix, values, design, task, classes, seed)


def _trees(matrix: Array, values: Array, design: Design, task: Task, classes: int, seed: int) -> Fitted:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor  # noqa: PLC0415

    # Of a column without any value, also once some rows are held back, scikit-learn finds no bins.
    known = np.flatnonzero((~np.isnan(matrix)).sum(axis=0) >= _LEAST_VALUES)
    if not len(known):
        return baseline(values, task, classes)
    # To hold rows back from each class it takes some.
    rarest = len(values) if task is Task.REGRESSION else int(np.unique(values, return_counts=True)[1].min())
    many = len(values) >= _STOPS_EARLY and rarest > 5
    options: dict[str, Any] = {
        "learning_rate": 0.08,
        "max_iter": max(_LEAST_ROUNDS, (300 if many else 60) // max(1, classes - 1)),
        "max_leaf_nodes": 31 if many else 7,
        "min_samples_leaf": 20 if many else 10,
        "l2_regularization": 1.0,
        "early_stopping": many,
        "validation_fraction": 0.15,
        "n_iter_no_change": 10,
        "categorical_features": np.array([design.inputs[place].levels > 0 for place in known]),
        "random_state": seed,
    }
    maker = HistGradientBoostingRegressor if task is Task.REGRESSION else HistGradientBoostingClassifier
    return _Trees(maker(**options).fit(matrix[:, known], values), known, classes)


def _linear(matrix: Array, values: Array, design: Design, task: Task, classes: int, seed: int) -> Fitted:
    from sklearn.linear_model import LogisticRegression, RidgeCV  # noqa: PLC0415

    standard = standard_of(design, matrix)
    inputs = standard.matrix(matrix)
    if task is Task.REGRESSION:
        return _Linear(RidgeCV(alphas=np.logspace(-2, 5, 15)).fit(inputs, values), standard, classes)
    strength = _strength(inputs, values, seed)
    return _Linear(LogisticRegression(C=strength, max_iter=300).fit(inputs, values), standard, classes)


def _strength(inputs: Array, values: Array, seed: int) -> float:
    """The regularisation that does best on a third that was held back."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    held = np.random.default_rng(seed).permutation(len(values)) % 3 == 0
    if len(np.unique(values[~held])) < len(np.unique(values)):
        return _STRENGTHS[1]
    losses = []
    for strength in _STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=100).fit(inputs[~held], values[~held])
        places = np.searchsorted(model.classes_, values[held])
        chosen = model.predict_proba(inputs[held])[np.arange(len(places)), places]
        losses.append(float(-np.log(np.clip(chosen, 1e-12, 1)).mean()))
    return _STRENGTHS[int(np.argmin(losses))]


def quiet_threads(threads: int) -> Any:
    """A context in which numpy and scikit-learn use so many threads.

    On a busy machine threads that wait for each other at every step of a tree take twenty times as long as one alone.
    """
    import sklearn.ensemble  # noqa: PLC0415, F401 - only libraries that are loaded can be told
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    return threadpool_limits(limits=threads)
