"""Supervised prediction of one column from the others of its row, and an honest account of how good it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from analysis.columns import Array
from analysis.frames import Frame
from analysis.prediction.answer import (
    MOST_PREDICTIONS,
    ColumnPrediction,
    Concern,
    Feature,
    FeatureStatus,
    PredictionOptions,
    RowPrediction,
    Status,
    Task,
    Validation,
    Warned,
)
from analysis.prediction.features import Design, design_of
from analysis.prediction.folds import Plan
from analysis.prediction.importance import importances
from analysis.prediction.models import NAMES, quiet_threads, require_library
from analysis.prediction.row_predictions import row_predictions, rows_to_predict
from analysis.prediction.scoring import Scored, calibration_of, in_words, scored
from analysis.prediction.splitting import plan_of, resampled_groups
from analysis.prediction.suspects import alone, formulas, warned_of
from analysis.prediction.targets import Refused, Target, target_of
from analysis.prediction.validation import OutOfFold, validate
from analysis.time_budget import TimeBudget

Tell = Callable[[float, str], None]

# Of what time is left; importances and the comparison with random folds take the rest.
_SHARE_OF_VALIDATION = 0.75
# Of the baseline's loss: less than that between random folds and folds in time is not worth a warning.
_TELLING_DIFFERENCE = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """What models are made of. `numbers` tells the frame's number of each of the design's rows."""

    target: Target
    design: Design
    numbers: Array
    unknown: Array
    plan: Plan
    by: str | None
    features: tuple[Feature, ...]
    warnings: tuple[Warned, ...]
    skills: dict[str, float]


def predict_column(
    frame: Frame,
    options: PredictionOptions,
    tell: Tell,
    check: Callable[[], None],
    now: Callable[[], float] = time.monotonic,
) -> ColumnPrediction:
    """Predicts `options.target`. Never raises for data; `check` may raise to cancel.

    Raises PredictionUnavailable where scikit-learn is not installed.
    """
    require_library()
    budget = TimeBudget(options.seconds, check, now)
    missing = [name for name in _named(options) if name not in frame.names]
    if missing:
        return _refused(frame, options, Status.UNKNOWN_COLUMN, f"There is no column {missing[0]!r}.")
    target = target_of(frame.column(options.target), options)
    if isinstance(target, Refused):
        return _refused(frame, options, target.status, target.says)
    tell(0.0, "columns")
    prepared = _prepare(frame, options, target, budget)
    if not prepared.design.inputs:
        says = f"There is no column to predict {options.target} from."
        return replace(_begun(frame, options, prepared), status=Status.NO_FEATURES, says=says)
    with quiet_threads(options.threads):
        return _predicted(frame, options, prepared, tell, budget)


def _named(options: PredictionOptions) -> list[str]:
    extra = [name for name in (options.group, options.time) if name is not None]
    return [options.target, *(options.columns or ()), *extra]


def _refused(frame: Frame, options: PredictionOptions, status: Status, says: str) -> ColumnPrediction:
    return ColumnPrediction(
        options.target, status, says, 0, frame.rows, frame.total_rows, frame.is_sample, options.seed, options.level
    )


def _begun(frame: Frame, options: PredictionOptions, prepared: _Prepared) -> ColumnPrediction:
    target = prepared.target
    counts = np.bincount(target.values, minlength=len(target.classes)).tolist() if target.classes else []
    return replace(
        _refused(frame, options, Status.OUT_OF_TIME, "The time was over before any model was validated."),
        n=len(target.values),
        task=target.task,
        classes=dict(zip(target.classes, counts, strict=True)) or None,
        features=prepared.features,
        warnings=prepared.warnings,
        baseline="the mean" if target.task is Task.REGRESSION else "the shares of the classes",
        sampled=frame.is_sample or len(target.values) < int(frame.column(options.target).present.sum()),
    )


def _prepare(frame: Frame, options: PredictionOptions, target: Target, budget: TimeBudget) -> _Prepared:
    generator = np.random.default_rng([options.seed, 5])
    if len(target.rows) > options.most_rows:
        picked = np.sort(generator.choice(len(target.rows), options.most_rows, replace=False))
        target = replace(target, rows=target.rows[picked], values=target.values[picked])
    most = max(0, min(options.predictions, MOST_PREDICTIONS))
    unknown = rows_to_predict(frame.column(options.target).present, most)
    numbers = np.union1d(target.rows, unknown)
    small = frame.take(numbers)
    target = replace(target, rows=np.searchsorted(numbers, target.rows))
    names = [name for name in options.columns or frame.names if name not in (options.target, options.group)]
    design, features = design_of(small, target.rows, names, options.most_columns)
    plan, by, more = plan_of(small, target, options, design.columns)
    warnings, leaks = formulas(small.take(target.rows), options.target, design.columns, budget.part(0.1))
    skills, suspects = alone(design, target.rows, target, options.seed)
    suspects = [name for name in suspects if name not in leaks]
    warnings = [*target.warnings, *more, *warnings, *warned_of(suspects, skills, options.target)]
    leaks = [] if options.keep_leaks else [*leaks, *suspects]
    told = [_told(feature, skills, leaks) for feature in features]
    if options.group is not None:
        told.append(Feature(options.group, FeatureStatus.GROUP))
    unknown = np.searchsorted(numbers, unknown)
    return _Prepared(target, design.without(leaks), numbers, unknown, plan, by, tuple(told), tuple(warnings), skills)


def _told(feature: Feature, skills: dict[str, float], leaks: list[str]) -> Feature:
    status = FeatureStatus.LEAKS if feature.column in leaks else feature.status
    return replace(feature, status=status, alone=skills.get(feature.column))


def _predicted(
    frame: Frame, options: PredictionOptions, prepared: _Prepared, tell: Tell, budget: TimeBudget
) -> ColumnPrediction:
    target, design, plan = prepared.target, prepared.design, prepared.plan
    matrix = design.trees(target.rows)
    tell(0.1, "validation")
    part = budget.part(_SHARE_OF_VALIDATION)
    found = validate(NAMES, design, matrix, target, plan, options.repeats, part)
    answer = _begun(frame, options, prepared)
    if not found.names:
        return answer
    tested = found.tested
    groups = resampled_groups(plan, len(target.values))
    forward = plan.times is not None
    models, baseline = scored(found, target, groups, options.level, options.seed, forward=forward)
    best = models[0]
    repeats = found.repeats[best.score.model]
    folds = len(np.unique(repeats[0].numbers[tested]))
    validation = Validation(plan.kind, folds, len(repeats), prepared.by, int(tested.sum()))
    left = _cut_off(found, plan, folds, options.repeats) if found.cut_off else []
    tell(0.75, "importances")
    order = sorted(design.columns, key=lambda name: -prepared.skills.get(name, 0.0))
    rises, unasked = importances(
        repeats[0].fitted, design, matrix, target, order, options.level, options.seed, budget.part(0.7)
    )
    left += [f"importance of {len(unasked)} columns, {unasked[0]!r} the first"] if unasked else []
    more, undone = _time_leakage(prepared, options, best, matrix, budget)
    left += undone
    tell(0.95, "rows")
    rows = _rows(prepared, options, found, best)
    is_classes = target.task is Task.CLASSIFICATION
    leaks = [feature.column for feature in prepared.features if feature.status is FeatureStatus.LEAKS]
    tell(1.0, "done")
    return replace(
        answer,
        status=Status.PARTIAL if left else Status.OK,
        says=in_words(options.target, best.score, target.task, options.level, int(tested.sum()), leaks),
        validation=validation,
        baseline_metrics=baseline,
        models=tuple(one.score for one in models),
        best=best.score.model,
        calibration=calibration_of(best, repeats, target, tested, options.seed) if is_classes else None,
        importances=tuple(rises),
        warnings=(*answer.warnings, *more),
        predictions=rows,
        left=tuple(left),
    )


def _cut_off(found: OutOfFold, plan: Plan, folds: int, repeats: int) -> list[str]:
    """What of the validation there was no time for."""
    left = [f"the model {name}" for name in NAMES if name not in found.names]
    left += [f"tests beyond {folds} of {plan.folds} folds"] if folds < plan.folds else []
    done = min(len(found.repeats[name]) for name in found.names)
    wanted = plan.repeats(repeats)
    return left + ([f"repeats beyond {done} of {wanted}"] if done < wanted else [])


def _rows(prepared: _Prepared, options: PredictionOptions, found: OutOfFold, best: Scored) -> tuple[RowPrediction, ...]:
    most = max(0, min(options.predictions, MOST_PREDICTIONS))
    if not most:
        return ()
    first = found.repeats[best.score.model][0]
    return row_predictions(
        prepared.unknown,
        prepared.numbers,
        prepared.design,
        prepared.target,
        first,
        best.predicted[0],
        options.level,
        most,
    )


def _time_leakage(
    prepared: _Prepared, options: PredictionOptions, best: Scored, matrix: Array, budget: TimeBudget
) -> tuple[list[Warned], list[str]]:
    """Whether random folds, which learn from the future, would promise more than time lets be kept."""
    if prepared.plan.times is None:
        return [], []
    if budget.spent():
        return [], ["comparison with random folds"]
    plan = replace(prepared.plan, times=None)
    found = validate((best.score.model,), prepared.design, matrix, prepared.target, plan, 1, budget)
    if not found.repeats[best.score.model]:
        return [], ["comparison with random folds"]
    models, _ = scored(found, prepared.target, None, options.level, options.seed, forward=False)
    random, ours = models[0].score.skill, best.score.skill
    if random.low <= ours.value or random.value - ours.value < _TELLING_DIFFERENCE:
        return [], []
    says = (
        f"Random folds, which learn from the future, promise a skill of {random.value:.1%}; forward in time it is "
        f"{ours.value:.1%}, which is what can be expected."
    )
    return [Warned(Concern.TIME_LEAKAGE, says, (prepared.by,) if prepared.by else ())], []
