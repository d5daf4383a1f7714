"""Suspicious numbers and dates: sentinels that stand for null, dates in the future, digits that people made up."""

from __future__ import annotations

import datetime
import math

import numpy as np

from analysis.columns import Array, Kind
from analysis.frames import FrameColumn, Role
from analysis.insights import charts, wording
from analysis.insights.findings import Condition, Number, Query, Value
from analysis.insights.subjects import Subjects
from analysis.insights.trials import Told, Trial, Trials, share_of
from analysis.significance import upper_chi_square

_SENTINELS = (-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, -999999.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0,
              9999999.0, 99999999.0, 1e9 - 1, 2147483647.0, -2147483648.0, 1e20, -1e20, 1e30, -1e30)  # fmt: skip
_SENTINEL_DAYS = ("0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1901-01-01", "1970-01-01",
                  "2099-12-31", "2999-12-31", "9999-12-31", "2262-04-11")  # fmt: skip
_LEAST_ROWS = 3
_LEAST_DIGITS = 300
# Last digits 0 and 5 make a fifth by chance; the share that heaping begins with.
_HEAPED = 0.3
# Nigrini's mean absolute deviation of first digits that do not conform.
_NOT_BENFORD = 0.015
# Orders of magnitude that one standard deviation of the logarithm has to span for Benford's law to hold within 0.2 %.
_BENFORD_SPREAD = 0.6


def find(subjects: Subjects, trials: Trials) -> None:
    for column in subjects.frame.columns:
        subjects.check()
        if column.role is Role.NUMERIC:
            _sentinels(subjects, column, trials)
            if any(column is measure for measure in subjects.measures):
                _heaping(subjects, column, trials)
                _benford(subjects, column, trials)
        elif column.role is Role.TIME:
            _sentinel_days(subjects, column, trials)
            _future(subjects, column, trials)


def _sentinels(subjects: Subjects, column: FrameColumn, trials: Trials) -> None:
    """A stand-in repeats, and lies apart from the other values: it is not merely one of them."""
    known = column.values[~np.isnan(column.values)]
    if len(known) < 20:
        return
    for value in _SENTINELS:
        rows = int(np.count_nonzero(known == value))
        if rows < _LEAST_ROWS or rows > len(known) / 2:
            continue
        rest = known[known != value]
        low, high = float(rest.min()), float(rest.max())
        spread = float(np.quantile(rest, 0.75) - np.quantile(rest, 0.25)) or float(np.std(rest))
        distance = max(low - value, value - high)
        if distance <= 0 or distance < 0.5 * spread:
            continue
        if value == -1.0 and low < 0:
            continue
        sentence = (
            f"{value:,.15g} in {column.name} probably stands for null: {wording.count(rows, 'row')} have it, and the "
            f"others lie between {wording.number(low)} and {wording.number(high)} "
            f"({wording.count(len(known), 'row')})."
        )
        told = Told(
            sentence,
            {
                "rows": Number(value=rows, unit="count"),
                "value": Number(value=value, unit="value"),
                "mean": Number(value=float(known.mean()), unit="value"),
                "mean_without": Number(value=float(rest.mean()), unit="value"),
            },
            "repeated value of a list of stand-ins, apart from the others",
            Query(where=[Condition(column=column.name, operator="=", value=value)], limit=100),
            charts.histogram(f"Values of {column.name}", known, column.name, told=[value]),
        )
        trials.add(_fact(subjects, "sentinel", column, rows, 0.9, told, f"{value:g}"))
        return


def _fact(
    subjects: Subjects, kind: str, column: FrameColumn, rows: int, strength: float, told: Told, *which: str
) -> Trial:
    impact = max(0.5, share_of(rows, subjects.rows))
    return Trial(kind, (column.name,), None, strength, impact, subjects.rows, which, (kind, column.name), lambda: told)


def _sentinel_days(subjects: Subjects, column: FrameColumn, trials: Trials) -> None:
    known = column.values[column.present]
    if len(known) < 20:
        return
    days = known.astype("datetime64[D]")
    for text in _SENTINEL_DAYS:
        day = np.datetime64(text)
        rows = int(np.count_nonzero(days == day))
        rest = days[days != day]
        if rows < _LEAST_ROWS or not len(rest) or rest.min() <= day <= rest.max():
            continue
        gap = abs(int(((rest.min() if day < rest.min() else rest.max()) - day).astype(np.int64)))
        if gap < 365:
            continue
        start = datetime.date.fromisoformat(str(day))
        sentence = (
            f"{day} in {column.name} probably stands for null: {wording.count(rows, 'row')} have it, and the others "
            f"lie between {rest.min()} and {rest.max()} ({wording.count(len(known), 'row')})."
        )
        conditions = [Condition(column=column.name, operator=">=", value=start.isoformat())]
        if start < datetime.date.max:
            next_day = (start + datetime.timedelta(days=1)).isoformat()
            conditions.append(Condition(column=column.name, operator="<", value=next_day))
        told = Told(
            sentence,
            {"rows": Number(value=rows, unit="count"), "value": Number(value=str(day), unit="time")},
            "repeated value of a list of stand-ins, a year or more apart from the others",
            Query(where=conditions, limit=100),
            charts.bars(f"Rows by {column.name}", [str(day), "others"], [rows, len(rest)], {0}, "rows", column.name),
        )
        trials.add(_fact(subjects, "sentinel", column, rows, 0.9, told, str(day)))
        return


def _future(subjects: Subjects, column: FrameColumn, trials: Trials) -> None:
    """Some, not most, rows are of the future: plans are, records are not."""
    if subjects.options.now is None:
        return
    now = np.datetime64(subjects.options.now.replace(tzinfo=None), "us") + np.timedelta64(1, "D")
    known = column.values[column.present]
    late = known[
        (known > now) & ~np.isin(known.astype("datetime64[D]"), np.array(_SENTINEL_DAYS, dtype="datetime64[D]"))
    ]
    if not len(late) or len(late) > 0.2 * len(known):
        return
    furthest = str(late.max().astype("datetime64[D]"))
    verb = "is" if len(late) == 1 else "are"
    sentence = (
        f"{wording.count(len(late), 'date')} in {column.name} {verb} in the future, up to {furthest} "
        f"({wording.percent(len(late) / len(known))} of {wording.count(len(known), 'row')})."
    )
    value: Value = str(now.astype("datetime64[s]"))
    told = Told(
        sentence,
        {"rows": Number(value=len(late), unit="count"), "furthest": Number(value=furthest, unit="time")},
        "comparison with the time of the analysis",
        Query(where=[Condition(column=column.name, operator=">", value=value)], order_by=column.name, limit=100),
        charts.bars(
            f"Rows by {column.name}", ["future", "past"], [len(late), len(known) - len(late)], {0}, "rows", column.name
        ),
    )
    trials.add(_fact(subjects, "future_dates", column, len(late), 0.7, told))


# Digits


def _heaping(subjects: Subjects, column: FrameColumn, trials: Trials) -> None:
    """Whole numbers that end in 0 or 5 too often were rounded by people."""
    known = column.values[~np.isnan(column.values)]
    if column.kind is not Kind.INTEGER or len(known) < _LEAST_DIGITS:
        return None
    middle = known[(known >= np.quantile(known, 0.1)) & (known <= np.quantile(known, 0.9))]
    steps = np.abs(np.diff(column.values))
    if not len(middle) or float(np.ptp(middle)) < 50 or float(np.nanmedian(steps)) < 5:
        return None  # too narrow for every last digit, or a walk of small steps
    digits = np.bincount((np.abs(known) % 10).astype(np.int64), minlength=10)
    share = float(digits[0] + digits[5]) / len(known)
    if share < _HEAPED or len(np.flatnonzero(digits)) < 5:
        return trials.fail()
    expected = len(known) / 10.0
    p = upper_chi_square(float(((digits - expected) ** 2 / expected).sum()), 9)
    sentence = (
        f"{wording.percent(share)} of the values of {column.name} end in 0 or 5, where a fifth would by chance: "
        f"many were probably rounded or estimated ({wording.count(len(known), 'row')}, {wording.chance(p)})."
    )
    return trials.add(_digits(subjects, "digit_heaping", column, digits, 0, share, p, sentence, "last digit"))


def _benford(subjects: Subjects, column: FrameColumn, trials: Trials) -> None:
    """Only of positive values that span several orders of magnitude evenly: elsewhere the law does not hold anyway."""
    known = column.values[~np.isnan(column.values)]
    if len(known) < _LEAST_DIGITS or float(known.min()) <= 0.0:
        return None
    logs = np.log10(known)
    low, middle, high = np.quantile(logs, [0.1587, 0.5, 0.8413])
    if high - low < 2.0 * _BENFORD_SPREAD or abs(high + low - 2.0 * middle) > 0.25 * (high - low):
        return None
    digits = np.bincount((10.0 ** (logs - np.floor(logs)) + 1e-9).astype(np.int64), minlength=10)[1:10]
    expected = np.log10(1.0 + 1.0 / np.arange(1, 10))
    deviation = float(np.mean(np.abs(digits / len(known) - expected)))
    if deviation < _NOT_BENFORD:
        return trials.fail()
    p = upper_chi_square(float(((digits - len(known) * expected) ** 2 / (len(known) * expected)).sum()), 8)
    sentence = (
        f"The first digits of {column.name} do not follow Benford's law, as amounts over several orders of magnitude "
        f"do: they are off by {wording.number(deviation * 100, 2)} percentage points on average "
        f"({wording.count(len(known), 'row')}, {wording.chance(p)})."
    )
    return trials.add(_digits(subjects, "not_benford", column, digits, 1, deviation, p, sentence, "first digit"))


def _digits(
    subjects: Subjects,
    kind: str,
    column: FrameColumn,
    digits: Array,
    start: int,
    figure: float,
    p: float,
    sentence: str,
    axis: str,
) -> Trial:
    shares = (digits / digits.sum()).tolist()
    told = Told(
        sentence,
        {
            "share" if kind == "digit_heaping" else "deviation": Number(value=figure, unit="share"),
            "rows": Number(value=int(digits.sum()), unit="count"),
        },
        f"chi-square test of the {axis}s",
        Query(where=[Condition(column=column.name, operator="is not null")], columns=[column.name]),
        charts.bars(
            f"{axis.capitalize()}s of {column.name}",
            [str(start + place) for place in range(len(shares))],
            shares,
            {0, 5} if kind == "digit_heaping" else set(),
            "share of rows",
            axis,
        ),
    )
    strength = min(1.0, figure if kind == "digit_heaping" else 10.0 * figure)
    n = int(digits.sum())
    return Trial(
        kind, (column.name,), p, strength if math.isfinite(strength) else 0.0, share_of(n, subjects.rows), n, (),
        (kind, column.name), lambda: told,
    )  # fmt: skip
