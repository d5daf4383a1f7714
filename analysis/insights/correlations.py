"""Measures that move together.

Normal scores are correlated, so that no tail makes a relation. Where both columns remember the rows before (wandering
prices, two trends), what those foretell is taken out and the surprises have to correlate, too: two random walks
otherwise always "correlate".
"""

from __future__ import annotations

import math

import numpy as np

from analysis.columns import Array
from analysis.insights import charts, wording
from analysis.insights.findings import Condition, Number, Query
from analysis.insights.subjects import Subjects
from analysis.insights.trials import Told, Trial, Trials
from analysis.significance import two_sided_t

LEAST_CORRELATION = 0.1
_LEAST_ROWS = 12
_BLOCK = 65_536


def find(subjects: Subjects, trials: Trials) -> None:
    names = [column.name for column in subjects.measures]
    if len(names) < 2:
        return
    scores = [subjects.scores(name) for name in names]
    levels, counts, _ = _correlations(scores, scores)
    subjects.check()
    surprises = [subjects.whitened(name) for name in names]
    innovations, _, couplings = _correlations(surprises, scores)
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            count = int(counts[i, j])
            r = float(levels[i, j])
            if count < _LEAST_ROWS or not math.isfinite(r) or abs(r) < LEAST_CORRELATION:
                trials.fail()
                continue
            remember = subjects.remembers(names[i]) and subjects.remembers(names[j])
            surprise = float(innovations[i, j])
            p = _p(r, count)
            if remember:
                by_surprises = max(_p(surprise, count), two_sided_t(float(couplings[i, j]), count - 2))
                p = max(p, by_surprises if surprise * r > 0 else 1.0)
            trials.add(_trial(subjects, names[i], names[j], r, surprise if remember else None, p, count))


def _correlations(columns: list[Array], scores: list[Array]) -> tuple[Array, Array, Array]:
    """Of all pairs, over the rows in which both have scores: Pearson's, how many rows these are, and the
    `analysis.series.whitening.coupling`. Block by block, so that no second copy of the table is made."""
    sums = np.zeros((5, len(columns), len(columns)))
    for start in range(0, len(scores[0]), _BLOCK):
        block = slice(start, start + _BLOCK)
        present = np.column_stack([~np.isnan(column[block]) for column in scores]).astype(np.float64)
        filled = np.column_stack([np.nan_to_num(column[block]) for column in columns]) * present
        squares = filled**2
        sums[0] += present.T @ present
        sums[1] += filled.T @ present
        sums[2] += squares.T @ present
        sums[3] += filled.T @ filled
        sums[4] += squares.T @ squares
    counts = sums[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums[1] / counts
        covariance = sums[3] / counts - means * means.T
        variance = sums[2] / counts - means**2
        correlations = np.clip(covariance / np.sqrt(variance * variance.T), -1.0, 1.0)
    return correlations, counts, sums[3] / np.sqrt(np.maximum(sums[4], 1e-300))


def _p(r: float, count: int) -> float:
    if not math.isfinite(r):
        return 1.0
    return two_sided_t(r * math.sqrt((count - 2) / max(1.0 - r * r, 1e-15)), count - 2)


def _trial(subjects: Subjects, one: str, other: str, r: float, surprise: float | None, p: float, count: int) -> Trial:
    z, reach = math.atanh(min(max(r, -1 + 1e-12), 1 - 1e-12)), 1.96 * 1.1 / math.sqrt(max(count - 3, 1))
    low, high = math.tanh(z - reach), math.tanh(z + reach)
    least = max(0.0, low if r > 0 else -high)
    direction = "with" if r > 0 else "against"
    return Trial(
        "correlation",
        (one, other),
        p,
        least,
        count / max(subjects.rows, 1),
        count,
        (direction,),
        ("correlation", *sorted((one, other))),
        lambda: _told(subjects, one, other, r, (low, high), surprise, p, count),
    )


def _told(
    subjects: Subjects,
    one: str,
    other: str,
    r: float,
    interval: tuple[float, float],
    surprise: float | None,
    p: float,
    count: int,
) -> Told:
    strength = "closely" if abs(r) >= 0.7 else "moderately" if abs(r) >= 0.4 else "weakly"
    direction = "together" if r > 0 else "in opposite directions"
    also = (
        "" if surprise is None else f"; beyond what each row's predecessors foretell, {wording.coefficient(surprise)}"
    )
    sentence = (
        f"{one} and {other} move {strength} {direction}: their rank correlation is {wording.coefficient(r)} "
        f"(95 % interval {wording.coefficient(interval[0])} to {wording.coefficient(interval[1])}{also}; "
        f"{wording.count(count, 'row')}, {wording.chance(p)})."
    )
    numbers = {
        "correlation": Number(value=r, unit="correlation", low=interval[0], high=interval[1]),
        "rows": Number(value=count, unit="count"),
    }
    if surprise is not None:
        numbers["correlation_of_surprises"] = Number(value=surprise, unit="correlation")
    frame = subjects.frame
    conditions = [Condition(column=name, operator="is not null") for name in (one, other)]
    return Told(
        sentence,
        numbers,
        "correlation of normal scores" + ("" if surprise is None else "; both prewhitened by autoregressions, too"),
        Query(where=conditions, columns=[one, other]),
        charts.points(f"{other} by {one}", frame.column(one).values, frame.column(other).values, one, other),
    )
