"""What is asked of a prediction of a column, and what is answered.

Nothing is told that was measured on rows a model had learned from: every figure is out of fold. Losses: squared error
of numbers, log loss (natural logarithm) of classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Task(StrEnum):
    REGRESSION = "regression"
    CLASSIFICATION = "classification"


class Status(StrEnum):
    """How the whole answer ended."""

    OK = "ok"
    PARTIAL = "partial"  # the time was over; `left` says what is missing
    OUT_OF_TIME = "out_of_time"  # before any model was validated
    CONSTANT = "constant"
    TOO_FEW = "too_few"
    TOO_MANY_CLASSES = "too_many_classes"
    NO_FEATURES = "no_features"
    NOT_PREDICTABLE = "not_predictable"  # of a kind that no model here predicts
    UNKNOWN_COLUMN = "unknown_column"


class Verdict(StrEnum):
    BETTER = "better"  # than the baseline, beyond chance
    NOT_BETTER = "not_better"
    WORSE = "worse"


class FeatureStatus(StrEnum):
    USED = "used"
    EMPTY = "empty"
    CONSTANT = "constant"
    IDENTIFIER = "identifier"
    TOO_MANY_LEVELS = "too_many_levels"
    NOT_COMPARABLE = "not_comparable"
    LEAKS = "leaks"  # see the warnings
    LEFT_OUT = "left_out"  # beyond the most columns
    GROUP = "group"


class Concern(StrEnum):
    """Kinds of warnings."""

    PREDICTS_ALONE = "predicts_alone"
    DERIVED_FROM_TARGET = "derived_from_target"
    FOLLOWS_BY_FORMULA = "follows_by_formula"
    TIME_LEAKAGE = "time_leakage"
    REPEATED_ROWS = "repeated_rows"
    IMBALANCE = "imbalance"
    RARE_CLASSES = "rare_classes"
    FEW_ROWS = "few_rows"
    NULL_TARGETS = "null_targets"
    INFINITE_TARGETS = "infinite_targets"


@dataclass(frozen=True, slots=True)
class Warned:
    concern: Concern
    says: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with bounds of `PredictionOptions.level` confidence."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Feature:
    """A column; `alone` is the out-of-fold skill of this column by itself, null where it was not tried."""

    column: str
    status: FeatureStatus
    alone: float | None = None
    levels: int | None = None
    levels_told_apart: int | None = None


@dataclass(frozen=True, slots=True)
class Validation:
    """How models were tested. `by` is the column of the time or of the groups."""

    kind: str  # "stratified folds", "random folds", "groups", "forward in time"
    folds: int
    repeats: int
    by: str | None
    tested_rows: int


@dataclass(frozen=True, slots=True)
class ModelScore:
    """One model. `skill` is 1 - loss / loss of the baseline, its bounds widened for the number of models tried.

    `metrics`: rmse, mae, r2; or log_loss, brier, roc_auc (of several classes: mean of one against the rest), accuracy.
    """

    model: str
    skill: Estimate
    verdict: Verdict
    metrics: dict[str, Estimate]
    fits: int


@dataclass(frozen=True, slots=True)
class Importance:
    """By how much the loss rises when a column is shuffled in rows not learned from, as a share of the baseline's loss.

    Columns that say the same share their importance.
    """

    column: str
    rise: Estimate


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Rows of similar predicted probability, and how often it came true, with Wilson's bounds."""

    predicted: float
    observed: Estimate
    n: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """`of` is the class whose probability is looked at, null for the likeliest class of each row.

    `expected_error` is the mean distance of predicted and observed shares over the bins, `due_to_chance` what 95 of 100
    perfectly calibrated models would stay below on as many rows.
    """

    method: str
    of: str | None
    expected_error: float
    expected_error_before: float
    due_to_chance: float
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class RowPrediction:
    """`row` counts the frame's rows from 0. `low` and `high` (of numbers) hold the truth at the level's rate."""

    row: int
    predicted: float | str
    actual: float | str | None
    out_of_fold: bool
    low: float | None = None
    high: float | None = None
    probabilities: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class ColumnPrediction:
    """The answer. `n` rows were used `of` the frame's, which has `total_rows` behind it."""

    target: str
    status: Status
    says: str
    n: int
    of: int
    total_rows: int | None
    sampled: bool
    seed: int
    level: float
    task: Task | None = None
    classes: dict[str, int] | None = None
    validation: Validation | None = None
    baseline: str | None = None
    baseline_metrics: dict[str, Estimate] | None = None
    models: tuple[ModelScore, ...] = ()
    best: str | None = None
    calibration: Calibration | None = None
    importances: tuple[Importance, ...] = ()
    features: tuple[Feature, ...] = ()
    warnings: tuple[Warned, ...] = ()
    predictions: tuple[RowPrediction, ...] = ()
    left: tuple[str, ...] = ()
    method: str = "out-of-fold predictions; bounds by bootstrap of rows, of skill widened by the spread between folds"


@dataclass(frozen=True, slots=True)
class PredictionOptions:
    """What to predict and how.

    `columns` restricts what is learned from. `group` names a column whose rows stay together in the folds. `time` names
    the column to validate forward in time by; without it one is chosen unless `by_time` is false. Columns that look as
    if they knew the target are left out unless `keep_leaks`. `predictions` rows are predicted, unknown ones first.
    """

    target: str
    columns: tuple[str, ...] | None = None
    task: Task | None = None
    folds: int = 5
    repeats: int = 2
    seconds: float = 60.0
    seed: int = 0
    level: float = 0.95
    group: str | None = None
    time: str | None = None
    by_time: bool = True
    keep_leaks: bool = False
    most_rows: int = 30_000
    most_columns: int = 300
    predictions: int = 0
    threads: int = 1


MOST_PREDICTIONS = 10_000
