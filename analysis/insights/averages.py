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
from analysis.insights.subjects import Breakdown, Subjects, is_level, persists
from analysis.insights.trials import Told, Trial, Trials, share_of
from analysis.significance import two_sided_normal

# A category of fewer rows has no average to speak of.
_LEAST_ROWS = 5
# Standard deviations of the measure between the category and the rest.
_LEAST_DISTANCE = 0.3


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
    for measure in subjects.measures[:30]:
        for breakdown in subjects.breakdowns:
            subjects.check()
            for averages in _of_pair(subjects, measure, breakdown):
                _outlier(averages, trials, top=True)
                _outlier(averages, trials, top=False)


def _of_pair(subjects: Subjects, measure: FrameColumn, breakdown: Breakdown) -> Iterator[Averages]:
    codes, values = subjects.ordered(breakdown.codes), subjects.ordered(measure.values)
    alike = subjects.remembers(measure.name) and persists(codes)
    scores = subjects.whitened(measure.name) if alike else subjects.scores(measure.name)
    known = (codes >= 0) & ~np.isnan(values)
    yield from _averages(breakdown, measure.name, codes[known], values[known], scores[known], 1.0, ())
    for other in subjects.filters[:3]:
        if other.name == breakdown.name:
            continue
        filtered = subjects.ordered(other.codes)
        for code in np.flatnonzero(other.counts):
            inside = known & (filtered == code)
            impact = share_of(float(other.counts[code]), subjects.rows)
            part = (codes[inside], values[inside], scores[inside])
            yield from _averages(breakdown, measure.name, *part, impact, (is_level(other, int(code)),))


def _averages(
    breakdown: Breakdown,
    measure: str,
    codes: Array,
    values: Array,
    scores: Array,
    impact: float,
    subspace: tuple[Condition, ...],
) -> Iterator[Averages]:
    if len(codes) < 30:
        return
    size = len(breakdown.levels)
    counts = np.bincount(codes, minlength=size)
    enough = np.flatnonzero(counts >= _LEAST_ROWS)
    if len(enough) < 3:
        return
    means = np.bincount(codes, values, size)[enough] / counts[enough]
    score_means = np.bincount(codes, scores, size)[enough] / counts[enough]
    yield Averages(
        breakdown,
        measure,
        enough,
        counts[enough],
        means,
        score_means,
        float(np.std(values)),
        float(np.var(scores)),
        float(np.mean(scores)),
        len(codes),
        impact,
        subspace,
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
