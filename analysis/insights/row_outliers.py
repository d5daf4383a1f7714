"""Rows that are unlike the others in several columns together, with what each column contributes.

A histogram-based score (Goldstein and Dengel 2012): the sum over columns of minus the logarithm of how many rows are
alike, for numbers in terms of their normal scores' density. What counts as far is told by the tail of the other rows'.
"""

from __future__ import annotations

import math

import numpy as np

from analysis.columns import Array
from analysis.frames import Role
from analysis.insights import charts, wording
from analysis.insights.findings import Condition, Number, Query
from analysis.insights.subjects import Subjects
from analysis.insights.trials import Told, Trial, Trials
from analysis.tails import outliers_of

_MOST_COLUMNS = 30
_MOST_LEVELS = 1_000
_BINS = 50
_LEAST_ROWS = 100
# A row of which one column says more than this is an outlier of that column.
_ONE_COLUMN = 0.75


def find(subjects: Subjects, trials: Trials) -> None:
    names, parts = _contributions(subjects)
    if len(names) < 2 or subjects.rows < _LEAST_ROWS:
        return None
    scores = parts.sum(axis=1)
    middle = float(np.median(scores))
    found = outliers_of(np.where(scores > middle, scores - middle, np.nan), seed=subjects.options.seed)
    if found is None:
        return None
    excess = parts - np.median(parts, axis=0)
    shares = np.maximum(excess[found.rows], 0.0)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
    if float(shares[0].max()) > _ONE_COLUMN:
        return trials.fail()
    strongest = [names[place] for place in np.argsort(-shares[0])[:4] if shares[0][place] > 0.1]
    return trials.add(
        Trial(
            "row_outliers",
            tuple(strongest),
            found.p,
            0.7,
            0.5,
            subjects.rows,
            (),
            ("row_outliers",),
            lambda: _told(subjects, names, found.rows, scores, shares, found.limit + middle, found.p),
        )
    )


def _contributions(subjects: Subjects) -> tuple[list[str], Array]:
    """By row and column, minus the logarithm of the share of rows in the same bin or level; 0 where null."""
    names: list[str] = []
    parts: list[Array] = []
    for column in subjects.frame.columns:
        if len(names) == _MOST_COLUMNS:
            break
        if column.role is Role.NUMERIC and any(column is c for c in subjects.measures):
            subjects.check()
            names.append(column.name)
            parts.append(_of_numbers(column.values))
        elif column.role is Role.CATEGORY and column.levels is not None and 2 <= len(column.levels) <= _MOST_LEVELS:
            counts = np.bincount(column.values[column.values >= 0], minlength=len(column.levels))
            if counts.max() < 2:
                continue
            surprise = -np.log(np.maximum(counts, 1) / max(int(counts.sum()), 1))
            names.append(column.name)
            parts.append(np.where(column.values >= 0, surprise[np.maximum(column.values, 0)], 0.0))
    return names, np.column_stack(parts) if parts else np.zeros((subjects.rows, 0))


def _of_numbers(values: Array) -> Array:
    """Minus the logarithm of the density in bins of equal width between robust ends; beyond them it falls on."""
    known = ~np.isnan(values)
    low, high = np.quantile(values[known], [0.005, 0.995])
    if not high > low:
        return np.zeros(len(values))
    position = np.clip((values - low) / (high - low), -50.0, 51.0)
    inner = known & (position >= 0) & (position <= 1)
    bins = np.minimum((np.where(inner, position, 0.0) * _BINS).astype(np.int64), _BINS - 1)
    counts = np.bincount(bins[inner], minlength=_BINS)
    smooth = np.convolve(np.pad(counts.astype(np.float64), 2, mode="edge"), np.ones(5) / 5.0, mode="valid")
    surprise = -np.log((smooth + 0.5) / max(float(counts.sum()), 1.0))
    score = np.zeros(len(values))
    score[inner] = surprise[bins[inner]]
    outer = known & ~inner
    edge = np.where(position > 1, surprise[-1], surprise[0])
    beyond = np.where(position > 1, position - 1.0, -position)
    score[outer] = edge[outer] + np.log1p(_BINS * np.maximum(beyond[outer], 0.0))
    return score


def _told(
    subjects: Subjects, names: list[str], rows: Array, scores: Array, shares: Array, limit: float, p: float
) -> Told:
    first = int(rows[0])
    order = [int(place) for place in np.argsort(-shares[0])[:4] if shares[0][place] > 0.05]
    causes = [
        f"{names[place]} {_shown(subjects, names[place], first)} ({wording.percent(float(shares[0][place]))})"
        for place in order
    ]
    verb, noun = ("is", "row") if len(rows) == 1 else ("are", "rows")
    which = "it is" if len(rows) == 1 else "the furthest is"
    sentence = (
        f"{len(rows):,} {noun} {verb} unlike the others in several columns together: {which} row {first + 1}, by "
        f"{wording.listed(causes)} "
        f"({wording.count(subjects.rows, 'row')}, {wording.chance(p)})."
    )
    numbers = {
        "rows": Number(value=len(rows), unit="count"),
        "furthest_row": Number(value=first + 1, unit="count"),
        "score": Number(value=float(scores[first]), unit="score"),
        "limit": Number(value=limit, unit="score"),
    }
    numbers |= {
        f"contribution of {names[place]}": Number(value=float(shares[0][place]), unit="share") for place in order
    }
    return Told(
        sentence,
        numbers,
        "histogram-based outlier score; gap above the tail of the other rows' scores",
        Query(columns=[names[place] for place in order], limit=100, where=_alike(subjects, names, order, first)),
        charts.bars(
            f"What makes row {first + 1} unusual",
            [names[place] for place in order],
            [float(shares[0][place]) for place in order],
            {0},
            "contribution",
            "column",
        ),
    )


def _shown(subjects: Subjects, name: str, row: int) -> str:
    column = subjects.frame.column(name)
    if column.role is Role.NUMERIC:
        value = float(column.values[row])
        return "null" if math.isnan(value) else wording.number(value, 4)
    assert column.levels is not None
    code = int(column.values[row])
    return wording.quoted(str(column.levels[code])) if code >= 0 else "null"


def _alike(subjects: Subjects, names: list[str], order: list[int], row: int) -> list[Condition]:
    found = []
    for place in order:
        column = subjects.frame.column(names[place])
        if column.role is Role.NUMERIC:
            value: float | str = float(column.values[row])
            if math.isnan(float(value)):
                continue
        else:
            assert column.levels is not None
            if column.values[row] < 0:
                continue
            value = str(column.levels[int(column.values[row])])
        found.append(Condition(column=column.name, operator="=", value=value))
    return found
