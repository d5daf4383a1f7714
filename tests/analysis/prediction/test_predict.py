"""Prediction of a column: signal is found, noise is told as such, leaks are flagged, answers repeat."""

import itertools
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pytest

from analysis.frames import Frame, frame_of
from analysis.prediction import models
from analysis.prediction.answer import (
    ColumnPrediction,
    Concern,
    FeatureStatus,
    PredictionOptions,
    Status,
    Task,
    Verdict,
)
from analysis.prediction.models import PredictionUnavailable
from analysis.prediction.predict import predict_column


def nothing(*_: Any) -> None:
    pass


def predicted(columns: Mapping[str, Any], total: int | None = None, **options: Any) -> ColumnPrediction:
    options = {"target": "y", "repeats": 1, **options}
    answer = predict_column(frame_of(columns, total), PredictionOptions(**options), nothing, nothing)
    msgspec.json.encode(answer)
    return answer


def concerns(answer: ColumnPrediction) -> dict[Concern, tuple[str, ...]]:
    return {warned.concern: warned.columns for warned in answer.warnings}


def statuses(answer: ColumnPrediction) -> dict[str, FeatureStatus]:
    return {feature.column: feature.status for feature in answer.features}


LEVELS = np.array([f"level {number}" for number in range(6)], dtype=object)


def inputs(seed: int, rows: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    holes = random.normal(size=rows)
    holes[random.uniform(size=rows) < 0.1] = np.nan
    return {
        "a": random.normal(size=rows),
        "b": np.ma.masked_invalid(holes),
        "level": LEVELS[random.integers(0, 6, rows)],
        "noise": random.normal(size=rows),
    }


def numbers(seed: int, rows: int, spread: float = 1.0) -> dict[str, Any]:
    """y follows a straight, b by a curve and by being missing, level by its place; a share of it is noise."""
    columns = inputs(seed, rows)
    random = np.random.default_rng(seed + 1000)
    b = np.ma.filled(columns["b"], 0.0)
    missing = np.ma.getmaskarray(columns["b"])
    place = np.array([int(level[-1]) for level in columns["level"]])
    y = columns["a"] + np.where(missing, 4.0, np.sin(3 * b)) + np.array([0, 2, -1, 0, 1, 3])[place]
    return {**columns, "y": y + spread * random.normal(size=rows)}


def labels(seed: int, rows: int) -> tuple[dict[str, Any], Any]:
    """Labels whose probabilities are known."""
    columns = inputs(seed, rows)
    chance = 1 / (1 + np.exp(-(1.5 * columns["a"] + np.ma.filled(columns["b"], 0.0) - 0.5)))
    drawn = np.random.default_rng(seed + 1000).uniform(size=rows) < chance
    return {**columns, "y": np.array(["no", "yes"], dtype=object)[drawn.astype(int)]}, chance


def test_a_planted_signal_is_found_with_what_it_is_made_of() -> None:
    answer = predicted(numbers(1, 2000))
    best = answer.models[0]
    assert (answer.status, answer.task, best.model) == (Status.OK, Task.REGRESSION, "gradient_boosting")
    assert [model.verdict for model in answer.models] == [Verdict.BETTER, Verdict.BETTER]
    # The noise has a variance of 1, which nothing can predict.
    assert 1.0 < best.metrics["rmse"].value < 1.2
    assert best.metrics["rmse"].low < best.metrics["rmse"].value < best.metrics["rmse"].high
    assert best.skill.low < best.skill.value < best.skill.high
    assert [rise.column for rise in answer.importances][-1] == "noise"
    assert all(rise.rise.low > 0.05 for rise in answer.importances[:3])
    assert abs(answer.importances[-1].rise.value) < 0.02
    assert "can be predicted" in answer.says
    assert (answer.n, answer.of, answer.sampled) == (2000, 2000, False)


def test_figures_are_those_of_scikit_learn() -> None:
    """On the out-of-fold predictions that the answer tells."""
    from sklearn import metrics  # noqa: PLC0415

    answer = predicted(numbers(1, 400), predictions=400)
    truth = [row.actual for row in answer.predictions]
    guess = [row.predicted for row in answer.predictions]
    told = answer.models[0].metrics
    assert told["rmse"].value == pytest.approx(metrics.root_mean_squared_error(truth, guess), rel=1e-9)
    assert told["mae"].value == pytest.approx(metrics.mean_absolute_error(truth, guess), rel=1e-9)
    assert told["r2"].value == pytest.approx(metrics.r2_score(truth, guess), abs=0.01)
    columns, _ = labels(1, 400)
    answer = predicted(columns, predictions=400)
    actual = np.array([row.actual == "yes" for row in answer.predictions])
    chance = np.array([(row.probabilities or {})["yes"] for row in answer.predictions])
    told = answer.models[0].metrics
    assert told["log_loss"].value == pytest.approx(metrics.log_loss(actual, chance), rel=1e-6)
    assert told["brier"].value == pytest.approx(metrics.brier_score_loss(actual, chance), rel=1e-9)
    assert told["roc_auc"].value == pytest.approx(metrics.roc_auc_score(actual, chance), rel=1e-9)
    assert told["accuracy"].value == pytest.approx(((chance > 0.5) == actual).mean())


def test_noise_is_told_as_such() -> None:
    """Twelve times; the bounds of the skill reach to zero, which is the truth."""
    verdicts = []
    for seed in range(6):
        random = np.random.default_rng(seed + 500)
        columns = inputs(seed, 150)
        for y in (random.standard_t(3, 150), random.uniform(size=150) < 0.3):
            answer = predicted({**columns, "y": y})
            verdicts += [(seed, model.verdict) for model in answer.models]
            if answer.models[0].verdict is Verdict.NOT_BETTER:
                assert "No model predicts y better" in answer.says
    assert len(verdicts) == 24
    # At most 2.5 % of 12 answers are due.
    assert sum(verdict is Verdict.BETTER for _, verdict in verdicts) <= 1, verdicts


def test_one_seed_one_answer() -> None:
    columns, _ = labels(3, 500)
    first, second = (predicted(columns, seed=7, predictions=20) for _ in range(2))
    assert first == second
    assert first.seed == 7
    assert predicted(columns, seed=8).models != first.models


def test_probabilities_come_true() -> None:
    columns, chance = labels(4, 4000)
    answer = predicted(columns, predictions=4000)
    assert answer.calibration is not None
    assert answer.calibration.of == "yes"
    assert answer.calibration.expected_error < answer.calibration.due_to_chance
    assert answer.models[0].verdict is Verdict.BETTER
    told = np.array([(row.probabilities or {})["yes"] for row in answer.predictions])
    rows = [row.row for row in answer.predictions]
    # Against the true probabilities, which no calibration on the labels can know.
    assert np.abs(told - chance[rows]).mean() < 0.04
    for one in answer.calibration.bins:
        assert one.observed.low - 0.05 <= one.predicted <= one.observed.high + 0.05
    assert sum(one.n for one in answer.calibration.bins) == 4000


def test_several_classes() -> None:
    columns = inputs(5, 900)
    a, noise = columns["a"], np.random.default_rng(6).normal(size=900) * 0.5
    answer = predicted(
        {**columns, "y": np.array(["low", "mid", "top"], dtype=object)[np.digitize(a + noise, [-0.5, 0.5])]}
    )
    assert answer.task is Task.CLASSIFICATION
    assert answer.classes is not None
    assert sorted(answer.classes) == ["low", "mid", "top"]
    assert answer.models[0].verdict is Verdict.BETTER
    assert answer.importances[0].column == "a"
    assert answer.calibration is not None
    assert answer.calibration.of is None


def test_leaks_are_flagged_and_left_out() -> None:
    columns = numbers(7, 800)
    y, random = columns["y"], np.random.default_rng(8)
    leaky = {
        **columns,
        "line": 3 * y + 1,
        "curve": np.exp(y / 4),
        "nearly": y + 0.01 * random.normal(size=800),
        "id": np.arange(800),
        "code": [f"row {number}" for number in range(800)],
    }
    answer = predicted(leaky)
    found = statuses(answer)
    assert {name for name, status in found.items() if status is FeatureStatus.LEAKS} == {"line", "curve", "nearly"}
    assert (found["id"], found["code"]) == (FeatureStatus.IDENTIFIER, FeatureStatus.IDENTIFIER)
    assert concerns(answer)[Concern.DERIVED_FROM_TARGET] == ("line",)
    assert Concern.PREDICTS_ALONE in concerns(answer)
    assert all(repr(name) in answer.says for name in ("line", "curve", "nearly")), answer.says
    assert answer.models[0].metrics["rmse"].value > 0.9, "what is left does not know the noise"
    few = numbers(7, 100)
    assert statuses(predicted({**few, "steep": np.exp(2 * few["y"])}))["steep"] is FeatureStatus.LEAKS
    kept = predicted(leaky, keep_leaks=True)
    assert "without" not in kept.says
    assert kept.models[0].skill.value > 0.99
    assert Concern.PREDICTS_ALONE in concerns(kept)


def test_leaks_of_classes_by_value_and_by_absence() -> None:
    columns, _ = labels(9, 600)
    won = columns["y"] == "yes"
    random = np.random.default_rng(10)
    answer = predicted(
        {
            **columns,
            "refund": [
                float(number) if flag else None for number, flag in zip(random.normal(size=600), won, strict=True)
            ],
            "state": np.array(["open", "closed"], dtype=object)[won.astype(int)],
            "score": won * 2.0 + random.normal(size=600) * 0.1,
        }
    )
    assert {name for name, status in statuses(answer).items() if status is FeatureStatus.LEAKS} == {
        "refund",
        "state",
        "score",
    }


def test_what_signal_there_is_is_no_leak() -> None:
    for seed in range(2):
        assert concerns(predicted(numbers(seed, 400, spread=0.5))) == {}
        assert Concern.PREDICTS_ALONE not in concerns(predicted(labels(seed, 400)[0]))


def test_a_target_that_follows_by_a_formula() -> None:
    random = np.random.default_rng(11)
    price, amount = np.round(random.uniform(1, 90, 500), 2), random.integers(2, 20, 500)
    answer = predicted({"price": price, "amount": amount, "y": np.round(price * amount, 2)})
    assert set(concerns(answer)[Concern.FOLLOWS_BY_FORMULA]) == {"price", "amount"}


def drifting(seed: int, rows: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    times = np.datetime64("2023-01-01T00:00") + np.sort(random.integers(0, 700 * 24, rows)).astype("timedelta64[h]")
    walk = np.cumsum(random.normal(size=rows))
    return {**inputs(seed, rows), "when": times, "y": walk}


def test_where_there_is_time_the_future_is_predicted_from_the_past() -> None:
    columns = drifting(12, 900)
    shuffle = np.random.default_rng(1).permutation(900)
    answer = predicted({name: values[shuffle] for name, values in columns.items()})
    assert answer.validation is not None
    assert (answer.validation.kind, answer.validation.by) == ("forward in time", "when")
    assert answer.models[0].verdict is not Verdict.BETTER
    assert concerns(answer)[Concern.TIME_LEAKAGE] == ("when",)
    careless = predicted(columns, by_time=False)
    assert careless.validation is not None
    assert careless.validation.kind == "random folds"
    assert careless.models[0].skill.low > 0.5, "random folds learn from the future"


def test_a_time_of_birth_is_not_the_time_of_the_row() -> None:
    columns = drifting(13, 300)
    columns["date_of_birth"] = columns.pop("when")
    answer = predicted(columns)
    assert answer.validation is not None
    assert answer.validation.by is None


def test_groups_stay_together() -> None:
    """What is only told by which group a row is of cannot be predicted for another group."""
    random = np.random.default_rng(14)
    group = np.repeat(np.arange(60), 10)
    mark = random.normal(size=60)
    columns = {
        "mark": mark[group] + 0.001 * random.normal(size=600),
        "y": random.normal(size=60)[group] + 0.1 * random.normal(size=600),
    }
    careless = predicted(columns)
    answer = predicted({**columns, "group": [f"g{number}" for number in group]}, group="group")
    assert careless.models[0].skill.low > 0.3
    assert answer.models[0].verdict is not Verdict.BETTER
    assert answer.validation is not None
    assert (answer.validation.kind, answer.validation.by) == ("groups", "group")
    assert statuses(answer)["group"] is FeatureStatus.GROUP


def test_rows_that_are_there_twice_do_not_help() -> None:
    columns = inputs(15, 300)
    y = np.random.default_rng(16).normal(size=300)
    doubled = {
        name: np.tile(np.ma.filled(values, 0.5), 3) for name, values in {**columns, "y": y}.items() if name != "level"
    }
    answer = predicted(doubled)
    assert concerns(answer)[Concern.REPEATED_ROWS] == ()
    assert answer.models[0].verdict is not Verdict.BETTER


def test_rows_without_the_target_are_predicted() -> None:
    columns = numbers(17, 600)
    unknown = np.arange(600) % 10 == 0
    answer = predicted({**columns, "y": np.ma.masked_array(columns["y"], unknown)}, predictions=100)
    assert len(answer.predictions) == 100
    first, rest = answer.predictions[:60], answer.predictions[60:]
    assert [row.row for row in first] == np.flatnonzero(unknown).tolist()
    assert all(row.actual is None and not row.out_of_fold for row in first)
    assert all(row.out_of_fold and row.actual == columns["y"][row.row] for row in rest)
    assert concerns(answer)[Concern.NULL_TARGETS] == ("y",)
    held = [
        row.low <= columns["y"][row.row] <= row.high for row in first if row.low is not None and row.high is not None
    ]
    assert len(held) == 60
    assert sum(held) >= 52, "95 % of 60 are 57"
    errors = [float(row.predicted) - columns["y"][row.row] for row in first]
    assert np.std(errors) < 1.5


def test_a_large_frame_is_sampled_and_says_so() -> None:
    answer = predicted(numbers(18, 3000), most_rows=500)
    assert (answer.n, answer.of, answer.sampled) == (500, 3000, True)
    answer = predicted(numbers(18, 500), 90_000)
    assert (answer.n, answer.total_rows, answer.sampled) == (500, 90_000, True)


@pytest.mark.parametrize(
    ("columns", "status"),
    [
        ({"x": [1.0] * 50}, Status.UNKNOWN_COLUMN),
        ({"x": [], "y": []}, Status.TOO_FEW),
        ({"x": [1], "y": [2]}, Status.TOO_FEW),
        ({"x": range(60), "y": [None] * 60}, Status.TOO_FEW),
        ({"x": range(60), "y": [1.0, None] * 30}, Status.TOO_FEW),
        ({"x": range(60), "y": [7] * 60}, Status.CONSTANT),
        ({"x": range(60), "y": ["a"] * 60}, Status.CONSTANT),
        ({"x": range(60), "y": [f"t{n}" for n in range(60)]}, Status.TOO_MANY_CLASSES),
        ({"x": range(1200), "y": [f"t{n % 60}" for n in range(1200)]}, Status.TOO_MANY_CLASSES),
        ({"x": range(60), "y": ["a"] * 55 + ["b"] * 5}, Status.TOO_FEW),
        ({"x": range(60), "y": [{"k": 1}] * 60}, Status.NOT_PREDICTABLE),
        ({"x": [5] * 60, "y": np.arange(60) % 7}, Status.NO_FEATURES),
        ({"y": np.arange(60) % 7}, Status.NO_FEATURES),
        ({"x": [None] * 60, "z": [b"x"] * 60, "y": np.arange(60) % 7}, Status.NO_FEATURES),
    ],
)
def test_what_cannot_be_predicted_says_why(columns: dict[str, Any], status: Status) -> None:
    answer = predicted(
        {name: list(values) if isinstance(values, range) else values for name, values in columns.items()}
    )
    assert answer.status is status
    assert answer.says.endswith(".")
    assert answer.models == ()


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_numbers_of_any_size(scale: float) -> None:
    columns = numbers(19, 200)
    answer = predicted({**columns, "a": columns["a"] * scale, "y": columns["y"] * scale})
    assert answer.models[0].verdict is Verdict.BETTER
    assert answer.models[0].metrics["rmse"].value / scale == pytest.approx(1.3, abs=0.4)


def test_infinities_and_stray_values_are_missing() -> None:
    columns = numbers(20, 200)
    y = columns["y"].copy()
    y[:5] = np.inf
    answer = predicted({**columns, "y": y, "stray": [1.5, "x", None, 2, float("inf")] * 40})
    assert answer.n == 195
    assert Concern.INFINITE_TARGETS in concerns(answer)


def test_columns_that_begin_late_or_are_almost_empty() -> None:
    columns = drifting(27, 300)
    late = np.where(np.arange(300) < 150, np.nan, columns["a"])
    once = [None] * 299 + [5.0]
    word = ["x" if row == 7 else None for row in range(300)]
    answer = predicted({**columns, "late": np.ma.masked_invalid(late), "once": once, "word": word})
    assert answer.status is Status.OK
    assert statuses(answer)["late"] is FeatureStatus.USED
    answer = predicted({**columns, "once": once, "word": word, "y": columns["a"] > 0}, by_time=False)
    assert answer.status is Status.OK


def test_rare_classes_and_imbalance_are_told() -> None:
    columns = inputs(21, 1000)
    y = np.where(columns["a"] > 1.6, "b", "a").astype(object)
    y[:3] = "c"
    answer = predicted({**columns, "y": y})
    assert answer.classes is not None
    assert set(answer.classes) == {"a", "b"}
    assert {Concern.IMBALANCE, Concern.RARE_CLASSES} <= set(concerns(answer))
    assert answer.n == 997


def test_levels_that_are_too_many_to_tell_apart() -> None:
    columns = numbers(22, 800)
    random = np.random.default_rng(23)
    columns["many"] = np.array([f"m{number}" for number in range(300)], dtype=object)[random.integers(0, 300, 800)]
    columns["text"] = [f"word {number // 1.5}" for number in range(800)]
    answer = predicted(columns)
    many = next(feature for feature in answer.features if feature.column == "many")
    assert many.status is FeatureStatus.USED
    assert many.levels is not None
    assert (many.levels > 250, many.levels_told_apart) == (True, 100)
    assert statuses(answer)["text"] is FeatureStatus.TOO_MANY_LEVELS


def test_out_of_time_tells_what_there_is() -> None:
    columns = numbers(24, 300)

    def answer(seconds: float) -> tuple[ColumnPrediction, int]:
        moments = itertools.count()
        options = PredictionOptions("y", seconds=seconds, repeats=3)
        found = predict_column(frame_of(columns), options, nothing, nothing, now=lambda: float(next(moments)))
        return found, next(moments)

    whole, looks = answer(1e9)
    assert whole.status is Status.OK
    early, _ = answer(looks / 20)
    assert (early.status, early.models) == (Status.OUT_OF_TIME, ())
    few, _ = answer(looks * 0.18)
    assert few.status is Status.PARTIAL
    assert [model.model for model in few.models] == ["linear"]
    assert few.validation is not None
    assert 2 <= few.validation.folds < 5
    assert 0 < few.validation.tested_rows < 300
    partial, _ = answer(looks * 0.75)
    assert partial.status is Status.PARTIAL
    assert partial.left != ()
    assert partial.models != ()
    assert partial.validation is not None
    assert partial.validation.repeats < 3


class Cancelled(Exception):
    pass


def test_it_is_cancelled_between_steps() -> None:
    looks = 0

    def check() -> None:
        nonlocal looks
        looks += 1
        if looks > 12:
            raise Cancelled

    with pytest.raises(Cancelled):
        predict_column(frame_of(numbers(25, 200)), PredictionOptions("y"), nothing, check)
    assert looks == 13


def test_progress_rises_to_one() -> None:
    told: list[float] = []
    frame = frame_of(numbers(26, 100))
    predict_column(frame, PredictionOptions("y", repeats=1), lambda share, _: told.append(share), nothing)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_without_the_library_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "find_spec", lambda name: None)
    with pytest.raises(PredictionUnavailable, match=r"pip install 'collab-studio\[prediction\]'"):
        predict_column(Frame((), 0), PredictionOptions("y"), nothing, nothing)
