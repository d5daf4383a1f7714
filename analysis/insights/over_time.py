"""What measures do over time: trend, seasons, change points, level shifts and single values out of line.

Rows are brought to even steps first: means of a measure, and how many rows each step has. Every test reckons with the
memory of the series (`analysis.series`), so that wandering is no trend and no change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.columns import Array, Kind
from analysis.insights import charts, wording
from analysis.insights.findings import Condition, Measure, Number, Query
from analysis.insights.subjects import Subjects, is_level
from analysis.insights.trials import Told, Trial, Trials, share_of
from analysis.series.anomalies import Anomalies, Anomaly, anomalies
from analysis.series.change_points import LEAST_EFFECT, ChangePoint, change_points
from analysis.series.decomposition import PERIODIC, decompose
from analysis.series.regular import Aggregate, RegularSeries, SeriesStatus, interpolated, regularise
from analysis.series.seasonality import Seasonality, seasonal_periods
from analysis.series.steps import Step, calendar_periods, named_step
from analysis.series.trend import Trend, trend_of
from analysis.significance import normal_scores

_LEAST_STEPS = 12
# More steps than this make no better picture; the next coarser step of the calendar is taken.
_MOST_STEPS = 2_000
_LEAST_EXPLAINED = 0.1
_LEAST_SEASON = 0.1
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


def find(subjects: Subjects, trials: Trials) -> None:
    if subjects.time is None:
        return
    longest: dict[str | None, int] = {}
    for series in series_of(subjects):
        subjects.check()
        longest[series.measure] = max((season.period for season in series.seasons), default=0)
        _trend(series, trials)
        _season(series, trials)
        _changes(series, trials)
        _anomalies(series, anomalies(series.values, [s.period for s in series.seasons]), trials)
    for series in _in_parts(subjects):
        subjects.check()
        if len(series.values) < 3 * longest.get(series.measure, 0):
            continue  # of less than three rounds of a season, a part of one would be told as a trend
        _trend(series, trials)
        _changes(series, trials)


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


def _in_parts(subjects: Subjects) -> Iterator[Series]:
    """Measures within the levels of small breakdowns."""
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
                regular = regular_of(stamps[inside], values[inside], Aggregate.MEAN)
                if regular is None or len(regular) < 2 * _LEAST_STEPS:
                    continue
                made += 1
                n = int(np.count_nonzero(inside))
                where = (is_level(breakdown, int(code)),)
                yield _with_seasons(
                    Series(regular, time.name, measure.name, n, share_of(n, subjects.rows), where, counts_years),
                    search=False,
                )


def regular_of(stamps: Array, values: Array, aggregate: Aggregate, step: Step | None = None) -> RegularSeries | None:
    """At even steps, coarser ones where there were too many; None where there is no series."""
    found = regularise(stamps, values, aggregate=aggregate, step=step)
    for name in _COARSER:
        if found.status is not SeriesStatus.OK or len(found) <= _MOST_STEPS:
            break
        found = regularise(stamps, values, aggregate=aggregate, step=named_step(name))
    return found if found.status is SeriesStatus.OK and len(found) >= _LEAST_STEPS else None


def _with_seasons(series: Series, *, search: bool = True) -> Series:
    # Scores, so that a few wild values make no season.
    scores = normal_scores(series.values)
    seasons = seasonal_periods(scores, calendar_periods(series.step), search=search, level=0.01)
    seasonal = None
    if seasons:
        periods = [season.period for season in seasons]
        seasonal = decompose(
            interpolated(series.values), periods, robust=False, seasonal_spans=[PERIODIC] * len(periods)
        ).seasonal
    return replace(series, seasons=seasons, seasonal=seasonal)


# Trend


def _trend(series: Series, trials: Trials) -> None:
    trend = trend_of(series.adjusted)
    if trend is None:
        return None
    if trend.explained < _LEAST_EXPLAINED:
        return trials.fail()
    direction = "up" if trend.slope > 0 else "down"
    return trials.add(
        Trial(
            "trend",
            series.columns,
            trend.p,
            trend.explained,
            series.impact,
            series.n,
            (direction,),
            ("trend", *series.columns, direction),
            lambda: _trend_told(series, trend),
            series.subspace,
        )
    )


def _trend_told(series: Series, trend: Trend) -> Told:
    count = len(series.values)
    at = np.arange(count, dtype=np.float64)
    fit = np.nanmean(series.adjusted) + trend.slope * (at - at.mean())
    total, reach = trend.slope * (count - 1), 1.96 * trend.error * (count - 1)
    verb = "rises" if trend.slope > 0 else "falls"
    each = f"{wording.number(abs(trend.slope), 2)} (± {wording.number(1.96 * trend.error, 2)})"
    sentence = (
        f"{series.noun}{wording.where(series.subspace)} {verb} by {each} each {_step_name(series)} from "
        f"{series.at(0)} to {series.at(count - 1)}, from about {wording.number(float(fit[0]))} to "
        f"{wording.number(float(fit[-1]))}; a straight line explains "
        f"{wording.percent(max(trend.explained, 0.0))} of the variation "
        f"({wording.count(series.n, 'row')} in {wording.count(count, 'step')}, {wording.chance(trend.p)})."
    )
    numbers = {
        "slope": Number(
            value=trend.slope, unit="value", low=trend.slope - 1.96 * trend.error, high=trend.slope + 1.96 * trend.error
        ),
        "change": Number(value=total, unit="value", low=total - reach, high=total + reach),
        "explained": Number(value=trend.explained, unit="share"),
        "persistence": Number(value=trend.persistence, unit="ratio"),
        "steps": Number(value=count, unit="count"),
    }
    return Told(
        sentence,
        numbers,
        "generalised least squares in noise as persistent as the values admit",
        series.query(),
        charts.lines(series.title, series.regular.stamps, series.values, _axis(series), fit=fit),
    )


def _step_name(series: Series) -> str:
    return series.step.text if series.step.count > 1 else str(series.step.unit)


def _axis(series: Series) -> str:
    return "rows" if series.measure is None else series.measure


# Seasons

_ROUNDS = {
    ("hour", 24): "day",
    ("hour", 168): "week",
    ("day", 7): "week",
    ("business day", 5): "week",
    ("month", 12): "year",
    ("week", 52): "year",
    ("day", 365): "year",
    ("minute", 60): "hour",
    ("minute", 1440): "day",
}


def _season(series: Series, trials: Trials) -> None:
    candidates = calendar_periods(series.step)
    trials.fail(max(len(candidates), 1) - min(len(series.seasons), max(len(candidates), 1)))
    for place, season in enumerate(series.seasons):
        tries = max(len(candidates), 1) if season.period in candidates else 100
        p = min(1.0, season.p_value * tries)
        if season.strength < _LEAST_SEASON:
            trials.fail()
            continue
        trials.add(
            Trial(
                "seasonality",
                series.columns,
                p,
                season.strength,
                series.impact,
                series.n,
                (str(season.period),),
                ("seasonality", *series.columns, str(season.period)),
                lambda place=place, p=p: _season_told(series, place, p),  # type: ignore[misc]
                series.subspace,
            )
        )


def _season_told(series: Series, place: int, p: float) -> Told:
    season = series.seasons[place]
    phases = _phase_means(series, season.period)
    high, low = int(np.argmax(phases)), int(np.argmin(phases))
    round_name = _ROUNDS.get((str(series.step.unit), season.period)) if series.step.count == 1 else None
    repeat = f"every {round_name}" if round_name else f"every {season.period} steps of a {_step_name(series)}"
    unit, stamps = str(series.step.unit), series.regular.stamps
    top, bottom = (_phase(stamps[at], round_name, unit, at) for at in (high, low))
    sentence = (
        f"{series.noun}{wording.where(series.subspace)} repeats itself {repeat}: highest at "
        f"{top} and lowest at {bottom}, "
        f"{wording.number(float(phases[high] - phases[low]))} apart; the season explains "
        f"{wording.percent(min(1.0, season.strength))} of the variation about the trend "
        f"({wording.count(series.n, 'row')} in {wording.count(len(series.values) // season.period, 'cycle')}, "
        f"{wording.chance(p)})."
    )
    return Told(
        sentence,
        {
            "period": Number(value=season.period, unit="steps"),
            "strength": Number(value=season.strength, unit="share"),
            "amplitude": Number(value=float(phases[high] - phases[low]), unit="value"),
            "cycles": Number(value=len(series.values) // season.period, unit="count"),
        },
        "harmonics of the periodogram beside their neighbours, corrected for the periods tried",
        series.query(),
        charts.lines(
            series.title,
            series.regular.stamps[-4 * season.period :],
            series.values[-4 * season.period :],
            _axis(series),
        ),
    )


def _phase_means(series: Series, period: int) -> Array:
    seasonal = series.seasonal if series.seasonal is not None else np.zeros(len(series.values))
    phases = np.arange(len(seasonal)) % period
    return np.asarray(np.bincount(phases, seasonal, period) / np.bincount(phases, minlength=period))


_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip


def _phase(stamp: Any, round_name: str | None, unit: str, place: int) -> str:
    """The place in the cycle as people call it."""
    moment = stamp.astype("datetime64[s]").item()
    match round_name, unit:
        case "day", "hour" | "minute":
            return f"{moment:%H:%M}"
        case "week", "hour":
            return f"{_WEEKDAYS[moment.weekday()]} {moment:%H:%M}"
        case "week", _:
            return _WEEKDAYS[moment.weekday()]
        case "year", "month":
            return _MONTHS[moment.month - 1]
        case "year", _:
            return f"{moment.day} {_MONTHS[moment.month - 1]}"
        case _:
            return f"step {place + 1}"


# Changes and anomalies


def _changes(series: Series, trials: Trials) -> None:
    found = change_points(series.adjusted)
    told = [point for point in found.points if point.p < 0.05 and point.effect >= LEAST_EFFECT]
    if found.status in ("too_few", "constant"):
        return None
    if not told:
        return trials.fail()
    strongest = min(told, key=lambda point: point.p)
    return trials.add(
        Trial(
            "change_point",
            series.columns,
            found.p,
            1.0 - 1.0 / (1.0 + strongest.effect),
            series.impact,
            series.n,
            (strongest.kind, series.at(strongest.index)),
            ("step", *series.columns, _about(series, strongest.index)),
            lambda: _changes_told(series, told, strongest),
            series.subspace,
        )
    )


def _about(series: Series, place: int) -> str:
    """Places a twentieth of the series apart are one."""
    return str(round(20 * place / max(len(series.values), 1)))


def _changes_told(series: Series, told: list[ChangePoint], strongest: ChangePoint) -> Told:
    what = "level" if strongest.kind == "level" else "slope"
    unit = "" if strongest.kind == "level" else f" each {_step_name(series)}"
    others = [point for point in told if point is not strongest]
    also = f" It also changes at {wording.listed([series.at(point.index) for point in others])}." if others else ""
    sentence = (
        f"{series.noun}{wording.where(series.subspace)} changes its {what} at {series.at(strongest.index)}: from "
        f"{wording.number(strongest.before)} to {wording.number(strongest.after)}{unit}, "
        f"{wording.number(strongest.effect, 2)} standard deviations of the rest ({wording.count(series.n, 'row')} in "
        f"{wording.count(len(series.values), 'step')}, {wording.chance(strongest.p)}).{also}"
    )
    numbers = {
        "at": Number(value=charts.plain(series.regular.stamps[strongest.index]), unit="time"),
        "before": Number(value=strongest.before, unit="value"),
        "after": Number(value=strongest.after, unit="value"),
        "effect": Number(value=strongest.effect, unit="deviations"),
        "changes": Number(value=len(told), unit="count"),
    }
    return Told(
        sentence,
        numbers,
        "PELT with squared errors and a kink search; tested beside a line in persistent noise, corrected for the place",
        series.query(),
        charts.lines(
            series.title,
            series.regular.stamps,
            series.values,
            _axis(series),
            rules=[series.regular.stamps[point.index] for point in told],
        ),
    )


def _anomalies(series: Series, found: Anomalies, trials: Trials) -> None:
    if found.status != "ok":
        return
    for kind, points, p in (
        ("time_series_outliers", found.spikes, found.spikes_p),
        ("level_shift", found.shifts, found.shifts_p),
    ):
        if not points:
            trials.fail()
            continue
        first = points[0]
        fact = "step" if kind == "level_shift" else "spike"
        trials.add(
            Trial(
                kind,
                series.columns,
                p,
                1.0 - 2.0 / abs(first.z),
                series.impact,
                series.n,
                (series.at(first.index),),
                (fact, *series.columns, _about(series, first.index)),
                lambda kind=kind, points=points, p=p: _anomalies_told(series, kind, points, p),  # type: ignore[misc]
                series.subspace,
            )
        )


def _anomalies_told(series: Series, kind: str, points: tuple[Anomaly, ...], p: float) -> Told:
    first, at = points[0], series.at(points[0].index)
    steps = wording.count(len(series.values), "step")
    if kind == "level_shift":
        claim = (
            f"{series.noun} steps {'up' if first.z > 0 else 'down'} at {at} and stays: from about "
            f"{wording.number(first.expected)} to about {wording.number(first.value)}"
        )
    else:
        more = f" and {wording.count(len(points) - 1, 'other step')}" if len(points) > 1 else ""
        verb = "stand" if more else "stands"
        claim = (
            f"{series.noun} at {at}{more} {verb} out of trend and season: {wording.number(first.value)} where "
            f"{wording.number(first.expected)} was to be expected"
        )
    sentence = (
        f"{claim}, {wording.number(abs(first.z), 2)} robust standard deviations "
        f"({wording.count(series.n, 'row')} in {steps}, {wording.chance(p)})."
    )
    numbers = {
        "at": Number(value=charts.plain(series.regular.stamps[first.index]), unit="time"),
        "value": Number(value=first.value, unit="value"),
        "expected": Number(value=first.expected, unit="value"),
        "z": Number(value=first.z, unit="deviations"),
        "steps": Number(value=len(points), unit="count"),
    }
    stamps = series.regular.stamps
    places = np.array(sorted(point.index for point in points))
    last = min(int(places[-1]) + 1, len(stamps) - 1)
    extra = [
        Condition(column=series.time, operator=">=", value=series.value_at(int(places[0]))),
        Condition(column=series.time, operator="<=", value=series.value_at(last)),
    ]
    return Told(
        sentence,
        numbers,
        "robust residuals beside the tail of the others, corrected for the length",
        series.query(extra),
        charts.lines(series.title, stamps, series.values, _axis(series), told=places),
    )
