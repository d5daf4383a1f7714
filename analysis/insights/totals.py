"""Totals by category: outstanding first, top two and last, attribution, majority and evenness.

Whether totals differ is tested by random signs: were two categories alike, each row could as well belong to the other,
and the difference of their totals would be a sum with random signs. That holds for measures of any distribution.
Outstanding means beyond a power law through the others, after Ding et al. (2019).
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
from analysis.insights.subjects import Breakdown, Subjects, crosses, is_level
from analysis.insights.trials import Told, Trial, Trials, share_of
from analysis.significance import lower_chi_square, upper_binomial, upper_signs

# Exponent of a power law: as steep as the second's lead over the third would make it, the first is no surprise.
_STEEPEST = 1.0
# First over second, second over third, last but one over last.
_STANDS_OUT = 1.5
# Totals within this of their mean are even.
_EVEN = 0.1
# Rows a category, below which the chi-square test of its total is not to be trusted.
_EVEN_ROWS = 50
_MOST_MEASURES, _MOST_MEASURES_IN_PARTS = 12, 6


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """By level of a breakdown, falling: totals of a measure (None: rows), of its squares, and the level's codes."""

    breakdown: Breakdown
    measure: str | None
    codes: Array
    totals: Array
    squares: Array
    n: int
    impact: float
    subspace: tuple[Condition, ...]

    @property
    def whole(self) -> float:
        return float(self.totals.sum())

    @property
    def noun(self) -> str:
        return "number of rows" if self.measure is None else f"total of {self.measure}"

    def level(self, place: int) -> str:
        return self.breakdown.levels[int(self.codes[place])]

    def share(self, place: int) -> float:
        return share_of(float(self.totals[place]), self.whole)


def find(subjects: Subjects, trials: Trials) -> None:
    for totals in _subjects(subjects):
        subjects.check()
        for test in (_first, _top_two, _last, _attribution, _evenness):
            test(totals, trials)


def _subjects(subjects: Subjects) -> Iterator[Totals]:
    """Rows and measures that are never negative, by each breakdown, of all rows and of the levels of another one."""
    measures = [c for c in subjects.measures if float(np.nanmin(c.values)) >= 0.0][:_MOST_MEASURES]
    weights = [_weights(subjects, column) for column in measures]
    for breakdown in subjects.breakdowns:
        for other in (None, *subjects.filters):
            if other is not None and not crosses(breakdown, other):
                continue
            subjects.check()
            cells = subjects.cells(breakdown, other)
            counts = cells.sums(None)
            yield from _in_parts(subjects, breakdown, other, None, counts, counts, counts)
            for place, column in enumerate(measures if other is None else measures[:_MOST_MEASURES_IN_PARTS]):
                sums = cells.sums(weights[place]), cells.sums(weights[place] ** 2)
                yield from _in_parts(subjects, breakdown, other, column.name, *sums, counts)


def _weights(subjects: Subjects, column: FrameColumn) -> Array:
    values = subjects.ordered(column.values)
    return np.nan_to_num(values) if column.nulls else values


def _in_parts(
    subjects: Subjects,
    breakdown: Breakdown,
    other: Breakdown | None,
    measure: str | None,
    totals: Array,
    squares: Array,
    counts: Array,
) -> Iterator[Totals]:
    if other is None:
        yield from _falling(breakdown, measure, totals[:, 0], squares[:, 0], counts[:, 0], 1.0, ())
        return
    for code in np.flatnonzero(other.counts):
        impact = share_of(float(other.counts[code]), subjects.rows)
        columns = totals[:, code], squares[:, code], counts[:, code]
        yield from _falling(breakdown, measure, *columns, impact, (is_level(other, int(code)),))


def _falling(
    breakdown: Breakdown,
    measure: str | None,
    totals: Array,
    squares: Array,
    counts: Array,
    impact: float,
    subspace: tuple[Condition, ...],
) -> Iterator[Totals]:
    there = np.flatnonzero(counts)
    n = int(counts.sum())
    if len(there) < 2 or n < 30 or not float(totals.sum()) > 0.0:
        return
    order = there[np.argsort(-totals[there], kind="stable")]
    yield Totals(breakdown, measure, order, totals[order], squares[order], n, impact, subspace)


def _apart(of: Totals, upper: int, lower: int) -> float:
    """p that the totals at these places differ, whichever of the levels they had been of."""
    spread = math.sqrt(float(of.squares[upper] + of.squares[lower]))
    statistic = float(of.totals[upper] - of.totals[lower]) / spread if spread > 0 else 0.0
    return min(1.0, len(of.totals) * upper_signs(statistic))


def _first(of: Totals, trials: Trials) -> None:
    if len(of.totals) < 3:
        return None
    if of.totals[0] < _STANDS_OUT * of.totals[1] or of.totals[0] <= _by_power_law(of.totals[1:]):
        return trials.fail()
    strength = 1.0 - float(of.totals[1] / of.totals[0])
    return trials.add(_trial(of, "outstanding_first", (0,), _apart(of, 0, 1), strength))


def _by_power_law(others: Array) -> float:
    """What the first would have by a power law through the totals of the others, which are of ranks 2, 3..."""
    positive = others[others > 0]
    if len(positive) < 2:
        return float(others[0])
    ranks = np.log(np.arange(2, len(positive) + 2))
    slope = float(np.polynomial.polynomial.polyfit(ranks, np.log(positive), 1)[1])
    return float(positive[0] * 2.0 ** min(max(-slope, 0.0), _STEEPEST))


def _top_two(of: Totals, trials: Trials) -> None:
    if len(of.totals) < 4:
        return None
    if of.totals[1] < _STANDS_OUT * of.totals[2] or of.totals[0] >= _STANDS_OUT * of.totals[1]:
        return trials.fail()
    strength = 1.0 - float(of.totals[2] / of.totals[1])
    return trials.add(_trial(of, "outstanding_top_two", (0, 1), _apart(of, 1, 2), strength))


def _last(of: Totals, trials: Trials) -> None:
    """The last is outstanding where it falls off from an otherwise flat end."""
    if len(of.totals) < 3:
        return None
    before, last = float(of.totals[-2]), float(of.totals[-1])
    if before <= 0.0:
        return trials.fail()
    usual = float((of.totals[0] / max(before, 1e-300)) ** (1.0 / (len(of.totals) - 2)))
    if before < max(_STANDS_OUT, usual**2) * max(last, 0.0):
        return trials.fail()
    place = len(of.totals) - 1
    return trials.add(_trial(of, "outstanding_last", (place,), _apart(of, place - 1, place), 1.0 - last / before))


def _attribution(of: Totals, trials: Trials) -> None:
    """Half of the whole or more is of one category; of rows that is a majority."""
    top = float(of.totals[0])
    if len(of.totals) < 3 and of.measure is not None:
        return None
    if of.share(0) < 0.5:
        return trials.fail()
    if of.measure is None:
        p = upper_binomial(int(top), of.n, 0.5)
        return trials.add(_trial(of, "majority", (0,), p, of.share(0)))
    statistic = (2.0 * top - of.whole) / math.sqrt(float(of.squares.sum()))
    return trials.add(_trial(of, "attribution", (0,), upper_signs(statistic), of.share(0)))


def _evenness(of: Totals, trials: Trials) -> None:
    """More even than rows that fall into the categories by chance would be, and within a tenth of the mean."""
    if len(of.totals) < 3 or of.n < _EVEN_ROWS * len(of.totals):
        return None
    mean = of.whole / len(of.totals)
    furthest = float(np.max(np.abs(of.totals - mean))) / mean
    if furthest > _EVEN:
        return trials.fail()
    apart = math.sqrt(float(((of.totals - mean) ** 2).sum()))
    if of.measure is None:
        apart += _between_counts(len(of.totals))
    dispersion = apart**2 / (float(of.squares.sum()) / len(of.totals))
    p = lower_chi_square(dispersion, len(of.totals) - 1)
    return trials.add(_trial(of, "evenness", (), p, 0.6 * (1.0 - furthest / _EVEN)))


def _between_counts(categories: int) -> float:
    """The radius of a step between counts of a given sum: equal ones come by chance now and then, which no distribution
    without steps knows. It is the covering radius of the lattice A (Conway and Sloane).
    """
    return math.sqrt((categories // 2) * (categories - categories // 2) / categories)


def _trial(of: Totals, kind: str, places: tuple[int, ...], p: float, strength: float) -> Trial:
    columns = (of.breakdown.name,) if of.measure is None else (of.measure, of.breakdown.name)
    levels = tuple(of.level(place) for place in places)
    sides = {"outstanding_last": "last", "evenness": "even", "attribution": "share", "majority": "share"}
    side = sides.get(kind, "lead")
    return Trial(
        kind,
        columns,
        p,
        min(1.0, max(0.0, strength)),
        of.impact,
        of.n,
        levels,
        (side, of.breakdown.name, *levels[:1]),
        lambda: _told(of, kind, places, p),
        of.subspace,
    )


def _told(of: Totals, kind: str, places: tuple[int, ...], p: float) -> Told:
    names = wording.listed([wording.quoted(of.level(place)) for place in places])
    rows = f"{wording.count(of.n, 'row')}, {wording.chance(p)}"
    sentence = f"{_claim(of, kind, names)} ({rows})."
    numbers = {
        "categories": Number(value=len(of.totals), unit="count"),
        "whole": Number(value=of.whole, unit="count" if of.measure is None else "value"),
    }
    for name, place in zip(("first", "second"), places, strict=False):
        numbers[name] = Number(value=float(of.totals[place]), unit="count" if of.measure is None else "value")
        numbers[f"{name}_share"] = Number(value=of.share(place), unit="share")
    title = f"{of.noun[0].upper()}{of.noun[1:]} by {of.breakdown.name}{wording.where(of.subspace)}"
    labels = [wording.shortened(of.level(place)) for place in range(len(of.totals))]
    measure = Measure(function="count") if of.measure is None else Measure(function="sum", column=of.measure)
    return Told(
        sentence,
        numbers,
        _METHODS[kind],
        Query(
            where=list(of.subspace),
            group_by=[of.breakdown.name],
            measures=[measure],
            order_by="measure",
            descending=True,
        ),
        charts.bars(title, labels, of.totals.tolist(), set(places), of.noun, of.breakdown.name),
    )


def _claim(of: Totals, kind: str, names: str) -> str:
    where, by = wording.where(of.subspace), of.breakdown.name
    top = [float(total) for total in of.totals]
    match kind:
        case "outstanding_first":
            times = wording.number(top[0] / top[1], 2) if top[1] > 0 else "many"
            return (
                f"{names} leads {by}{where} by far: its {of.noun} is {wording.number(top[0])}, "
                f"{times} times that of {wording.quoted(of.level(1))} and {wording.percent(of.share(0))} of the whole"
            )
        case "outstanding_top_two":
            both = wording.percent(min(1.0, of.share(0) + of.share(1)))
            return (
                f"{names} lead {by}{where}: together they make {both} of the {of.noun}, "
                f"and the third, {wording.quoted(of.level(2))}, has {wording.percent(of.share(2))}"
            )
        case "outstanding_last":
            return (
                f"{names} is far behind in {by}{where}: its {of.noun} is {wording.number(top[-1])}, "
                f"that of the next, {wording.quoted(of.level(len(top) - 2))}, {wording.number(top[-2])}"
            )
        case "attribution" | "majority":
            whole = "rows" if of.measure is None else of.noun
            return f"{names} in {by} accounts for {wording.percent(of.share(0))} of the {whole}{where}"
        case _:
            low, high = wording.percent(of.share(len(top) - 1)), wording.percent(of.share(0))
            each = f"between {low} and {high}" if low != high else f"about {low}"
            return (
                f"The {of.noun}{where} is spread over the {len(top)} values of {by} more evenly than chance would: "
                f"each has {each}"
            )


_SIGNS = "sum with random signs (Bentkus-Dzindzalieta bound), corrected for the number of categories"
_METHODS = {
    "outstanding_first": f"power law through the others; {_SIGNS}",
    "outstanding_top_two": _SIGNS,
    "outstanding_last": _SIGNS,
    "attribution": "share of half or more; sum with random signs",
    "majority": "share of half or more; binomial test against one half",
    "evenness": "lower tail of the chi-square test of even totals",
}
