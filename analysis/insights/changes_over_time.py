"""Lasting changes of a measure, steps from which it does not come back, and single times out of line."""

from __future__ import annotations

import numpy as np

from analysis.insights import charts, wording
from analysis.insights.findings import Condition, Number
from analysis.insights.measured_series import Series
from analysis.insights.trials import Told, Trial, Trials
from analysis.series.anomalies import Anomaly, anomalies
from analysis.series.change_points import LEAST_EFFECT, ChangePoint, change_points


def find_changes(series: Series, trials: Trials) -> None:
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
    unit = "" if strongest.kind == "level" else f" each {series.step_name}"
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
            series.axis,
            rules=[series.regular.stamps[point.index] for point in told],
        ),
    )


def find_anomalies(series: Series, trials: Trials) -> None:
    found = anomalies(series.values, [season.period for season in series.seasons])
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
        charts.lines(series.title, stamps, series.values, series.axis, told=places),
    )
