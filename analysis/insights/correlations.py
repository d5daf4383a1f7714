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


def find(subjects: Subjects, trials: Trials) -> None:
    names = [column.name for column in subjects.measures]
    if len(names) < 2:
        return
    raw = np.column_stack([subjects.scores(name) for name in names])
    present = ~np.isnan(raw)
    levels, counts = _correlations(raw, present)
    subjects.check()
    surprises = np.column_stack([subjects.whitened(name) for name in names])
    innovations, _ = _correlations(np.where(present, surprises, np.nan), present)
    couplings = _couplings(surprises)
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


def _correlations(values: Array, present: Array) -> tuple[Array, Array]:
    """Pearson's over the rows that both columns have, and how many these are."""
    filled = np.where(present, values, 0.0)
    mask = present.astype(np.float64)
    counts = mask.T @ mask
    sums = filled.T @ mask
    squares = (filled**2).T @ mask
    products = filled.T @ filled
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = products / counts - (sums / counts) * (sums.T / counts)
        variance = squares / counts - (sums / counts) ** 2
        return np.clip(covariance / np.sqrt(variance * variance.T), -1.0, 1.0), counts


def _couplings(values: Array) -> Array:
    """`analysis.series.whitening.coupling` of all pairs."""
    squares = values**2
    return np.asarray((values.T @ values) / np.sqrt(np.maximum(squares.T @ squares, 1e-300)))


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
    also = "" if surprise is None else f"; beyond what each row's predecessors foretell, {wording.number(surprise, 2)}"
    sentence = (
        f"{one} and {other} move {strength} {direction}: their rank correlation is {wording.number(r, 2)} "
        f"(95 % interval {wording.number(interval[0], 2)} to {wording.number(interval[1], 2)}{also}; "
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
