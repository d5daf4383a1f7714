"""Prediction of a column: known data beside scikit-learn's own cross-validation, and data whose truth is known.

`python -m benchmarks.prediction` measures and keeps the table in benchmarks/PREDICTION.md; `--quick` does a fifth of
the repetitions and keeps nothing. The data ship with scikit-learn; nothing is fetched.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from analysis.columns import Array
from analysis.frames import frame_of
from analysis.prediction.answer import ColumnPrediction, PredictionOptions, Verdict
from analysis.prediction.models import quiet_threads
from analysis.prediction.predict import predict_column
from benchmarks.profile import processor

RESULTS = Path(__file__).parent / "PREDICTION.md"
LOADERS: Mapping[str, Callable[..., Any]] = {
    "diabetes": datasets.load_diabetes,
    "breast_cancer": datasets.load_breast_cancer,
    "wine": datasets.load_wine,
    "iris": datasets.load_iris,
    "digits": datasets.load_digits,
}
FRESH = 3_000
LEVEL = 0.95


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the repetitions; keeps no table")
    options = parser.parse_args()
    repetitions = 8 if options.quick else 40
    with quiet_threads(1):
        lines = [*_known(), *_noise(repetitions), *_truth(repetitions)]
    text = "\n".join([*_head(), *lines])
    print(text)
    if not options.quick:
        RESULTS.write_text(text + "\n", encoding="utf-8")
    return 0


def answered(columns: Mapping[str, Any], **options: Any) -> ColumnPrediction:
    wanted = PredictionOptions(target="y", **{"seconds": 600.0, "level": LEVEL, **options})
    return predict_column(frame_of(columns), wanted, lambda *_: None, lambda: None)


def _head() -> list[str]:
    return [
        "# Prediction of a column",
        "",
        f"Made by `python -m benchmarks.prediction` on {datetime.now(UTC):%d %B %Y} with scikit-learn",
        f"{version('scikit-learn')}, one thread of {processor()}.",
        "Seconds depend on what else the machine did.",
        "",
    ]


def _columns(data: Array) -> dict[str, Array]:
    return {f"x{number}": column for number, column in enumerate(data.T)}


def _known() -> list[str]:
    lines = [
        "## Known data",
        "",
        "Beside the means of `cross_val_score` over 5 folds with the defaults of scikit-learn's own linear model",
        "(ridge or logistic, standardised) and histogram gradient boosting: R2 of diabetes, accuracy of the others.",
        "Skill is 1 - loss / the baseline's loss, with bounds of 95 %.",
        "",
        "| data | rows x columns | best model | skill | ours | sklearn linear | sklearn boosting | time, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, load in LOADERS.items():
        data = load()
        began = time.perf_counter()
        is_numbers = name == "diabetes"
        y = data.target if is_numbers else np.array([f"class {one}" for one in data.target], dtype=object)
        answer = answered({**_columns(data.data), "y": y})
        seconds = time.perf_counter() - began
        best = answer.models[0]
        figure = best.metrics["r2" if is_numbers else "accuracy"]
        peers = [cross_val_score(model, data.data, data.target, cv=5).mean() for model in _peers(is_numbers)]
        lines.append(
            f"| {name} | {data.data.shape[0]} x {data.data.shape[1]} | {best.model} "
            f"| {best.skill.value:.3f} ({best.skill.low:.3f} to {best.skill.high:.3f}) "
            f"| {figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f}) | {peers[0]:.3f} "
            f"| {peers[1]:.3f} | {seconds:.1f} |"
        )
    return [*lines, ""]


def _peers(is_numbers: bool) -> tuple[Any, Any]:
    if is_numbers:
        return make_pipeline(StandardScaler(), RidgeCV()), HistGradientBoostingRegressor(random_state=0)
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return linear, HistGradientBoostingClassifier(random_state=0)


def _noise(repetitions: int) -> list[str]:
    """The targets of known data, shuffled: nothing is left to predict."""
    better = dict.fromkeys(("diabetes", "breast_cancer"), 0)
    for name in better:
        data = LOADERS[name]()
        for seed in range(repetitions):
            shuffled = np.random.default_rng(seed).permutation(data.target)
            y = shuffled if name == "diabetes" else shuffled == 1
            answer = answered({**_columns(data.data[:, :10]), "y": y}, repeats=1, seed=seed)
            better[name] += any(model.verdict is Verdict.BETTER for model in answer.models)
    return [
        "## Shuffled targets",
        "",
        f"{repetitions} seeds each. At most {(1 - LEVEL) / 2:.1%} of the answers may say that a model is better",
        "than the baseline.",
        "",
        "| data | said to be better | of |",
        "|---|---|---|",
        *(f"| {name} | {count} | {repetitions} |" for name, count in better.items()),
        "",
    ]


def _truth(repetitions: int) -> list[str]:
    """What is promised from some hundred rows, looked at on 3,000 fresh ones."""
    lines = [
        "## Fresh rows",
        "",
        f"{repetitions} seeded tables of 150 to 900 rows with a planted signal; {FRESH} more rows have no target",
        "and are predicted. Skill within bounds: the skill on the fresh rows lies within the bounds told (95 % are",
        "due). Rows within bounds: the share of fresh rows whose truth lies within the bounds of their prediction.",
        "Distance: the mean distance of the told from the true probabilities.",
        "",
        "| target | skill within bounds | said to be better | rows within bounds | distance of probabilities |",
        "|---|---|---|---|---|",
    ]
    for is_numbers in (True, False):
        found = [_fresh(seed, is_numbers) for seed in range(repetitions)]
        inside, better, rows, distance = (np.mean([one[place] for one in found]) for place in range(4))
        cells = (f"{rows:.1%}", "") if is_numbers else ("", f"{distance:.3f}")
        lines.append(
            f"| {'numbers' if is_numbers else 'two classes'} | {inside:.0%} | {better:.0%} | {cells[0]} | {cells[1]} |"
        )
    return [*lines, ""]


def _fresh(seed: int, is_numbers: bool) -> tuple[bool, bool, float, float]:
    random = np.random.default_rng(10_000 + seed)
    rows = int(random.integers(150, 900))
    every = rows + FRESH
    columns = _columns(random.normal(size=(every, 5)))
    level = random.integers(0, 8, every)
    columns["level"] = np.array([f"l{number}" for number in range(8)], dtype=object)[level]
    strength = random.uniform(0.2, 1.5)
    signal = strength * (columns["x0"] + np.sin(2 * columns["x1"]) + (level % 3 - 1))
    chance = 1 / (1 + np.exp(-signal))
    truth = signal + random.standard_t(4, every) if is_numbers else (random.uniform(size=every) < chance) * 1.0
    y = np.ma.masked_array(truth, np.arange(every) >= rows)
    answer = answered({**columns, "y": y}, repeats=1, seed=seed, predictions=FRESH)
    skill = answer.models[0].skill
    better = answer.models[0].verdict is Verdict.BETTER
    fresh = [one for one in answer.predictions if not one.out_of_fold]
    actual = truth[[one.row for one in fresh]]
    known = truth[:rows]
    if is_numbers:
        guess = np.array([float(one.predicted) for one in fresh])
        value = 1 - np.square(actual - guess).mean() / np.square(actual - known.mean()).mean()
        held = np.mean([(one.low or 0.0) <= real <= (one.high or 0.0) for one, real in zip(fresh, actual, strict=True)])
        return skill.low <= value <= skill.high, better, float(held), 0.0
    told = np.array([(one.probabilities or {})["1"] for one in fresh])
    value = 1 - _log_loss(actual, told) / _log_loss(actual, np.full(len(told), known.mean()))
    distance = np.abs(told - chance[[one.row for one in fresh]]).mean()
    return skill.low <= value <= skill.high, better, 0.0, float(distance)


def _log_loss(truth: Array, told: Array) -> float:
    return float(-np.log(np.clip(np.where(truth == 1, told, 1 - told), 1e-6, 1)).mean())


if __name__ == "__main__":
    sys.exit(main())
