"""Measures that repeat themselves: each day, week, year, or every so many steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.columns import Array
from analysis.insights import charts, wording
from analysis.insights.findings import Number
from analysis.insights.measured_series import Series
from analysis.insights.trials import Told, Trial, Trials
from analysis.series.steps import calendar_periods

_LEAST_SEASON = 0.1

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


def find(series: Series, trials: Trials) -> None:
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
                lambda place=place, p=p: _told(series, place, p),  # type: ignore[misc]
                series.subspace,
            )
        )


def _told(series: Series, place: int, p: float) -> Told:
    season = series.seasons[place]
    phases = _phase_means(series, season.period)
    high, low = int(np.argmax(phases)), int(np.argmin(phases))
    round_name = _ROUNDS.get((str(series.step.unit), season.period)) if series.step.count == 1 else None
    repeat = f"every {round_name}" if round_name else f"every {season.period} steps of a {series.step_name}"
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
            series.axis,
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
