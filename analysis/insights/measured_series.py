"""Measures at even steps of time, with their seasons: of all rows, and within the levels of small breakdowns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from analysis.columns import Array, Kind
from analysis.insights import charts, wording
from analysis.insights.findings import Condition, Measure, Query
from analysis.insights.subjects import Subjects, is_level
from analysis.insights.trials import share_of
from analysis.series.decomposition import PERIODIC, decompose
from analysis.series.regular import Aggregate, RegularSeries, SeriesStatus, regularise
from analysis.series.seasonality import Seasonality, seasonal_periods
from analysis.series.steps import Step, calendar_periods, named_step
from analysis.significance import normal_scores

_LEAST_STEPS = 12
# More steps than this make no better picture; the next coarser step of the calendar is taken.
_MOST_STEPS = 2_000
_COARSER = ("minute", "hour", "day", "week", "month")
_MOST_SERIES_IN_PARTS = 24


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A measure (None: the number of rows) at even steps; `adjusted` is without the seasons."""

    regular: RegularSeries
    time: str
    measure: str | None
    n: int
    impact: float
    subspace: tuple[Condition, ...]
    counts_years: bool = False
    seasons: tuple[Seasonality, ...] = ()
    seasonal: Array | None = None

    @property
    def step(self) -> Step:
        assert self.regular.step is not None
        return self.regular.step

    @property
    def values(self) -> Array:
        return self.regular.filled if self.measure is None else self.regular.values

    @property
    def adjusted(self) -> Array:
        return self.values if self.seasonal is None else self.values - self.seasonal

    @property
    def noun(self) -> str:
        if self.measure is None:
            return "The number of rows"
        return f"The average {self.measure}" if self.regular.duplicates else self.measure

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.time,) if self.measure is None else (self.measure, self.time)

    @property
    def title(self) -> str:
        return f"{self.noun} by {self.step.unit}{wording.where(self.subspace)}"

    @property
    def step_name(self) -> str:
        return self.step.text if self.step.count > 1 else str(self.step.unit)

    @property
    def axis(self) -> str:
        return "rows" if self.measure is None else self.measure

    def at(self, place: int) -> str:
        return wording.moment(self.regular.stamps[place], str(self.step.unit))

    def value_at(self, place: int) -> str | int | None:
        """The stamp as the column holds it."""
        stamp = self.regular.stamps[place]
        plain: str | None = charts.plain(stamp)
        return int(stamp.astype("datetime64[Y]").astype(np.int64)) + 1970 if self.counts_years else plain

    def query(self, extra: list[Condition] | None = None) -> Query:
        measure = Measure(function="count") if self.measure is None else Measure(function="avg", column=self.measure)
        where = [*self.subspace, *(extra or [])]
        if self.counts_years:
            return Query(where=where, group_by=[self.time], measures=[measure], order_by=self.time)
        period = str(self.step.unit).replace("business day", "day")
        return Query(where=where, time=self.time, period=period, measures=[measure], order_by="period")


def series_of(subjects: Subjects) -> Iterator[Series]:
    """The number of rows (where steps have several) and each measure, for all rows."""
    time = subjects.time
    assert time is not None
    counts_years = time.kind is Kind.INTEGER
    stamps = subjects.ordered(time.values)
    known = ~np.isnat(stamps)
    stamps = stamps[known]
    ones = regular_of(stamps, np.ones(len(stamps)), Aggregate.COUNT)
    if ones is None:
        return
    if ones.duplicates > len(ones) or ones.bucketed:
        yield _with_seasons(Series(ones, time.name, None, len(stamps), 1.0, (), counts_years))
    for measure in subjects.measures[:40]:
        values = subjects.ordered(measure.values)[known]
        regular = regular_of(stamps, values, Aggregate.MEAN, ones.step)
        if regular is not None:
            n = int(np.count_nonzero(~np.isnan(values)))
            yield _with_seasons(
                Series(regular, time.name, measure.name, n, share_of(n, subjects.rows), (), counts_years)
            )


def series_in_parts(subjects: Subjects, wholes: Mapping[str | None, Series]) -> Iterator[Series]:
    """Measures within the levels of small breakdowns, with the seasons that they have in all rows.

    Where those go round less than three times in a part, it is left out: a piece of a season would look like a trend.
    """
    time = subjects.time
    assert time is not None
    stamps, made, counts_years = subjects.ordered(time.values), 0, time.kind is Kind.INTEGER
    for breakdown in subjects.filters[:2]:
        codes = subjects.ordered(breakdown.codes)
        for measure in subjects.measures[:6]:
            values = subjects.ordered(measure.values)
            for code in np.flatnonzero(breakdown.counts):
                if made == _MOST_SERIES_IN_PARTS:
                    return
                inside = (codes == code) & ~np.isnat(stamps)
                whole = wholes.get(measure.name)
                step = whole.step if whole is not None and whole.seasons else None
                regular = regular_of(stamps[inside], values[inside], Aggregate.MEAN, step)
                seasons = () if whole is None else whole.seasons
                least = max([2 * _LEAST_STEPS, *(3 * season.period for season in seasons)])
                if regular is None or len(regular) < least:
                    continue
                made += 1
                n = int(np.count_nonzero(inside))
                where = (is_level(breakdown, int(code)),)
                yield _adjusted(
                    Series(regular, time.name, measure.name, n, share_of(n, subjects.rows), where, counts_years),
                    seasons,
                )


def regular_of(stamps: Array, values: Array, aggregate: Aggregate, step: Step | None = None) -> RegularSeries | None:
    """At even steps, coarser ones where there were too many; None where there is no series."""
    found = regularise(stamps, values, aggregate=aggregate, step=step)
    for name in _COARSER:
        if found.status is not SeriesStatus.OK or len(found) <= _MOST_STEPS:
            break
        found = regularise(stamps, values, aggregate=aggregate, step=named_step(name))
    return found if found.status is SeriesStatus.OK and len(found) >= _LEAST_STEPS else None


def _with_seasons(series: Series) -> Series:
    # Scores, so that a few wild values make no season.
    scores, rounds = normal_scores(series.values), calendar_periods(series.step)
    found = seasonal_periods(scores, rounds, level=0.01)
    # A year of 365 steps leaves a little of one of 365.25, in which a search finds further periods.
    of_calendar = tuple(season for season in found if season.period in rounds)
    return _adjusted(series, of_calendar or found)


def _adjusted(series: Series, seasons: tuple[Seasonality, ...]) -> Series:
    if not seasons:
        return series
    periods = [season.period for season in seasons]
    whole = decompose(series.values, periods, seasonal_spans=[PERIODIC] * len(periods))
    return replace(series, seasons=seasons, seasonal=whole.seasonal)
