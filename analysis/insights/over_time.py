"""What measures do over time: trend, seasons, change points, level shifts and single values out of line.

Every test reckons with the memory of the series (`analysis.series`), so that wandering is no trend and no change.
"""

from __future__ import annotations

import numpy as np

from analysis.insights import changes_over_time, charts, seasons, wording
from analysis.insights.findings import Number
from analysis.insights.measured_series import Series, series_in_parts, series_of
from analysis.insights.subjects import Subjects
from analysis.insights.trials import Told, Trial, Trials
from analysis.series.trend import Trend, trend_of

_LEAST_EXPLAINED = 0.1


def find(subjects: Subjects, trials: Trials) -> None:
    if subjects.time is None:
        return
    wholes: dict[str | None, Series] = {}
    for series in series_of(subjects):
        subjects.check()
        wholes[series.measure] = series
        _trend(series, trials)
        seasons.find(series, trials)
        changes_over_time.find_changes(series, trials)
        changes_over_time.find_anomalies(series, trials)
    for series in series_in_parts(subjects, wholes):
        subjects.check()
        _trend(series, trials)
        changes_over_time.find_changes(series, trials)


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
        f"{series.noun}{wording.where(series.subspace)} {verb} by {each} each {series.step_name} from "
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
        charts.lines(series.title, series.regular.stamps, series.values, series.axis, fit=fit),
    )
