"""Columns that look as if they knew the target: known only after it, or computed from it.

Each column is tried alone, out of fold: by the mean or the shares of the classes in bins of its values. What predicts
nearly perfectly by itself is more often a leak than a discovery.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.columns import Array
from analysis.frames import Frame, Role
from analysis.prediction.answer import Concern, Task, Warned
from analysis.prediction.features import Design, Input
from analysis.prediction.losses import LEAST_PROBABILITY
from analysis.prediction.targets import Target
from analysis.relationships.derived import derived_columns
from analysis.relationships.findings import RelationshipOptions
from analysis.time_budget import TimeBudget

_NEARLY_PERFECT = 0.98
# Of the rows that always guessing the most frequent class gets wrong, so many are right.
_NEARLY_ALL_RIGHT = 0.95
_BINS = 32
_MOST_IN_FORMULAS = 40
_MOST_ROWS = 20_000


def alone(design: Design, rows: Array, target: Target, seed: int) -> tuple[dict[str, float], list[str]]:
    """The skill of every column by itself, and the columns that predict nearly perfectly."""
    picked = np.arange(len(rows))
    generator = np.random.default_rng([seed, 3])
    if len(picked) > _MOST_ROWS:
        picked = np.sort(generator.choice(len(rows), _MOST_ROWS, replace=False))
    half = generator.permutation(len(picked)) % 2 == 0
    values = target.values[picked]
    skills: dict[str, float] = {}
    suspects: list[str] = []
    for one in design.inputs:
        inputs = one.values[rows[picked]]
        skill, perfect = _tried(one, inputs, values, target, half)
        skills[one.column] = max(skill, skills.get(one.column, skill))
        if perfect and one.column not in suspects:
            suspects.append(one.column)
    return skills, suspects


def _tried(one: Input, inputs: Array, values: Array, target: Target, half: Array) -> tuple[float, bool]:
    bins = _bins(one, inputs)
    if target.task is Task.CLASSIFICATION:
        return _of_classes(bins, values, len(target.classes), half)
    skill = _of_numbers(bins, values, half)
    if one.levels:
        return skill, skill >= _NEARLY_PERFECT
    skill = max(skill, _square_correlation(inputs, values))
    return skill, max(skill, _square_correlation(_ranks(inputs), _ranks(values))) >= _NEARLY_PERFECT


def _bins(one: Input, inputs: Array) -> Array:
    """Numbers from 0; null is a bin of its own."""
    missing = np.isnan(inputs)
    if one.levels:
        return np.where(missing, one.levels, inputs).astype(np.int64)
    if missing.all():
        return np.zeros(len(inputs), dtype=np.int64)
    wanted = max(2, min(_BINS, len(inputs) // 20))
    edges = np.unique(np.quantile(inputs[~missing], np.linspace(0, 1, wanted + 1)[1:-1]))
    return np.where(missing, len(edges) + 1, np.searchsorted(edges, inputs, side="right"))


def _of_numbers(bins: Array, values: Array, half: Array) -> float:
    ours = theirs = 0.0
    for learned in (half, ~half):
        mean = values[learned].mean()
        size = bins.max() + 1
        counts = np.bincount(bins[learned], minlength=size)
        sums = np.bincount(bins[learned], weights=values[learned], minlength=size)
        means = (sums + mean) / (counts + 1)
        ours += float(np.square(values[~learned] - means[bins[~learned]]).sum())
        theirs += float(np.square(values[~learned] - mean).sum())
    return 1 - ours / max(theirs, 1e-300)


def _of_classes(bins: Array, values: Array, classes: int, half: Array) -> tuple[float, bool]:
    ours = theirs = 0.0
    wrong = wrong_of_most_frequent = 0
    for learned in (half, ~half):
        shares = np.bincount(values[learned], minlength=classes) / learned.sum()
        table = np.zeros((bins.max() + 1, classes))
        np.add.at(table, (bins[learned], values[learned]), 1)
        table = (table + shares) / (table.sum(axis=1, keepdims=True) + 1)
        rest, truth = table[bins[~learned]], values[~learned]
        ours -= float(np.log(np.clip(rest[np.arange(len(truth)), truth], LEAST_PROBABILITY, 1)).sum())
        theirs -= float(np.log(np.clip(shares[truth], LEAST_PROBABILITY, 1)).sum())
        wrong += int((rest.argmax(axis=1) != truth).sum())
        wrong_of_most_frequent += int((truth != shares.argmax()).sum())
    right = 1 - wrong / max(1, wrong_of_most_frequent)
    return 1 - ours / max(theirs, 1e-300), right >= _NEARLY_ALL_RIGHT


def _square_correlation(left: Array, right: Array) -> float:
    present = ~np.isnan(left)
    # A column that is known for few rows only predicts few.
    if present.mean() < 0.5:
        return 0.0
    a, b = left[present] - left[present].mean(), right[present] - right[present].mean()
    a = a / max(float(np.abs(a).max()), 1e-300)
    both = float(a @ a) * float(b @ b)
    return float(a @ b) ** 2 / both if both > 0 else 0.0


def _ranks(values: Array) -> Array:
    from scipy.stats import rankdata  # noqa: PLC0415

    return np.asarray(rankdata(values, nan_policy="omit"))


def formulas(frame: Frame, target: str, names: Sequence[str], budget: TimeBudget) -> tuple[list[Warned], list[str]]:
    """Formulas that the target takes part in, and the columns that are computed from it."""
    numeric = [name for name in names if frame.column(name).role is Role.NUMERIC][:_MOST_IN_FORMULAS]
    if frame.column(target).role is not Role.NUMERIC or not numeric:
        return [], []
    found, _ = derived_columns("", frame.select([target, *numeric]), (), RelationshipOptions(), budget)
    warnings: list[Warned] = []
    leaks: list[str] = []
    for one in found:
        if target == one.column and len(one.sources) > 1:
            says = f"{one.formula} holds in {one.share:.1%} of the rows: no model is needed."
            warnings.append(Warned(Concern.FOLLOWS_BY_FORMULA, says, one.sources))
        elif target == one.column or target in one.sources:
            others = one.sources if target == one.column else (one.column,)
            says = f"{one.formula} holds in {one.share:.1%} of the rows."
            warnings.append(Warned(Concern.DERIVED_FROM_TARGET, says, others))
            leaks += others
    return warnings, leaks


def warned_of(suspects: Sequence[str], skills: dict[str, float], target: str) -> list[Warned]:
    return [
        Warned(
            Concern.PREDICTS_ALONE,
            f"{name} alone predicts {target} nearly perfectly (skill {skills[name]:.3f}). Is it known before?",
            (name,),
        )
        for name in suspects
    ]
