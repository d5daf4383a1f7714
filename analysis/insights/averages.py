"""Categories whose values are out of line with the other categories': outliers at the top and at the bottom.

A permutation test with normal scores (van der Waerden): the measure's distribution does not matter. Where neighbouring
rows are alike in both, what the rows before foretell is taken out of the scores first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from analysis.frames import FrameColumn
from analysis.insights import charts, wording
from analysis.insights.findings import Condition, Measure, Number, Query
from analysis.insights.subjects import Breakdown, Cells, Subjects, crosses, is_level, persists
from analysis.insights.trials import Told, Trial, Trials, share_of
from analysis.significance import two_sided_normal

# A category of fewer rows has no average to speak of.
_LEAST_ROWS = 5
# Standard deviations of the measure between the category and the rest.
_LEAST_DISTANCE = 0.3
_MOST_MEASURES, _MOST_MEASURES_IN_PARTS, _MOST_FILTERS = 30, 8, 3


@dataclass(frozen=True, slots=True, eq=False)
class Averages:
    """By level of a breakdown that has enough rows: counts, means of the measure and of its scores."""

    breakdown: Breakdown
    measure: str
    codes: Array
    counts: Array
    means: Array
    scores: Array
    deviation: float
    score_variance: float
    score_mean: float
    n: int
    impact: float
    subspace: tuple[Condition, ...]


def find(subjects: Subjects, trials: Trials) -> None:
    measures = [_prepared(subjects, column) for column in subjects.measures[:_MOST_MEASURES]]
    for breakdown in subjects.breakdowns:
        steady = not persists(subjects.ordered(breakdown.codes))
        for other in (None, *subjects.filters[:_MOST_FILTERS]):
            if other is not None and not crosses(breakdown, other):
                continue
            cells = subjects.cells(breakdown, other)
            counts = cells.sums(None)
            for measure in measures if other is None else measures[:_MOST_MEASURES_IN_PARTS]:
                subjects.check()
                for averages in _averages(subjects, measure, breakdown, other, cells, counts, steady):
                    _outlier(averages, trials, top=True)
                    _outlier(averages, trials, top=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """A measure in the order of time, 0 where null: values, scores, and what is new in these (None: all of it)."""

    name: str
    values: Array
    scores: Array
    surprises: Array | None
    known: Array | None
    deviation: float


def _prepared(subjects: Subjects, column: FrameColumn) -> _Prepared:
    values = subjects.ordered(column.values)
    return _Prepared(
        column.name,
        np.nan_to_num(values) if column.nulls else values,
        np.nan_to_num(subjects.scores(column.name)) if column.nulls else subjects.scores(column.name),
        subjects.whitened(column.name) if subjects.remembers(column.name) else None,
        (~np.isnan(values)).astype(np.float64) if column.nulls else None,
        float(np.nanstd(values)),
    )


def _averages(
    subjects: Subjects,
    measure: _Prepared,
    breakdown: Breakdown,
    other: Breakdown | None,
    cells: Cells,
    counts: Array,
    steady: bool,
) -> Iterator[Averages]:
    """Of all rows, or of each level of the other breakdown."""
    scores = measure.scores if steady or measure.surprises is None else measure.surprises
    rows = counts if measure.known is None else cells.sums(measure.known)
    sums, score_sums = cells.sums(measure.values), cells.sums(scores)
    variance = float(np.var(scores))
    for part in range(cells.width):
        enough = np.flatnonzero(rows[:, part] >= _LEAST_ROWS)
        if len(enough) < 3 or rows[enough, part].sum() < 30:
            continue
        counted, total = rows[enough, part], float(rows[enough, part].sum())
        yield Averages(
            breakdown,
            measure.name,
            enough,
            counted,
            sums[enough, part] / counted,
            score_sums[enough, part] / counted,
            measure.deviation,
            variance,
            float(score_sums[enough, part].sum()) / total,
            int(total),
            1.0 if other is None else share_of(float(other.counts[part]), subjects.rows),
            () if other is None else (is_level(other, part),),
        )


def _outlier(of: Averages, trials: Trials, *, top: bool) -> None:
    order = np.argsort(-of.means if top else of.means, kind="stable")
    first, second = order[0], order[1]
    others = np.delete(of.means, first)
    gap = abs(float(of.means[first] - of.means[second]))
    rest = float(of.counts.sum() - of.counts[first])
    others_mean = float(np.delete(of.means * of.counts, first).sum()) / rest
    distance = abs(float(of.means[first]) - others_mean) / of.deviation if of.deviation > 0 else 0.0
    if distance < _LEAST_DISTANCE or gap < 0.5 * float(np.ptp(others)):
        return trials.fail()
    spread = of.score_variance * (1.0 / float(of.counts[first]) - 1.0 / of.n)
    shift = float(of.scores[first]) - of.score_mean
    agrees = (shift > 0) == top
    z = shift / math.sqrt(spread) if spread > 0 else 0.0
    p = min(1.0, len(of.means) * two_sided_normal(z)) if agrees else 1.0
    kind = "category_outlier_top" if top else "category_outlier_bottom"
    level = of.breakdown.levels[int(of.codes[first])]
    return trials.add(
        Trial(
            kind,
            (of.measure, of.breakdown.name),
            p,
            1.0 - math.exp(-distance),
            of.impact,
            of.n,
            (level,),
            (kind, of.measure, of.breakdown.name, level),
            lambda: _told(of, order, others_mean, kind, p),
            of.subspace,
        )
    )


def _told(of: Averages, order: Array, others_mean: float, kind: str, p: float) -> Told:
    first, second = int(order[0]), int(order[1])
    labels = [of.breakdown.levels[int(of.codes[place])] for place in order]
    mean = float(of.means[first])
    error = of.deviation / math.sqrt(float(of.counts[first]))
    word = "high" if kind.endswith("top") else "low"
    sentence = (
        f"{wording.quoted(labels[0])} in {of.breakdown.name}{wording.where(of.subspace)} has an unusually {word} "
        f"average {of.measure}: {wording.number(mean)} (± {wording.number(1.96 * error, 2)}) against "
        f"{wording.number(others_mean)} in the others and {wording.number(float(of.means[second]))} in the next, "
        f"{wording.quoted(labels[1])} ({wording.count(int(of.counts[first]), 'row')} of {of.n:,}, {wording.chance(p)})."
    )
    numbers = {
        "average": Number(value=mean, unit="value", low=mean - 1.96 * error, high=mean + 1.96 * error),
        "average_of_others": Number(value=others_mean, unit="value"),
        "next": Number(value=float(of.means[second]), unit="value"),
        "rows": Number(value=int(of.counts[first]), unit="count"),
        "categories": Number(value=len(of.means), unit="count"),
    }
    title = f"Average {of.measure} by {of.breakdown.name}{wording.where(of.subspace)}"
    return Told(
        sentence,
        numbers,
        "permutation test of normal scores, one category against the rest, corrected for the number of categories",
        Query(
            where=list(of.subspace),
            group_by=[of.breakdown.name],
            measures=[Measure(function="avg", column=of.measure)],
            order_by="measure",
            descending=kind.endswith("top"),
        ),
        charts.bars(
            title,
            [wording.shortened(label) for label in labels],
            of.means[order].tolist(),
            {0},
            f"average {of.measure}",
            of.breakdown.name,
        ),
    )
