"""What a single numeric column shows: values far out of the others, and values that hardly differ."""

from __future__ import annotations

import math

import numpy as np

from analysis.columns import Array
from analysis.frames import FrameColumn
from analysis.insights import charts, wording
from analysis.insights.findings import Condition, Number, Operator, Query
from analysis.insights.subjects import Subjects
from analysis.insights.trials import Told, Trial, Trials
from analysis.tails import outliers_above

# A standard deviation of less than this share of the mean is a low one.
LOW_VARIATION = 0.05
# Robust standard deviations from the median: nearer than this is no outlier, however short the tail.
_LEAST_DISTANCE = 3.5
# Columns whose neighbours are so alike are series: their outliers are looked for beside the trend.
_SERIES_MEMORY = 0.5


def find(subjects: Subjects, trials: Trials) -> None:
    for column in subjects.measures:
        subjects.check()
        _variation(subjects, column, trials)
        if abs(subjects.memory(column.name)) < _SERIES_MEMORY:
            _outliers(subjects, column, trials, sign=1.0)
            _outliers(subjects, column, trials, sign=-1.0)


def _outliers(subjects: Subjects, column: FrameColumn, trials: Trials, sign: float) -> None:
    values = column.values
    found = outliers_above(sign * values, seed=subjects.options.seed)
    if found is None:
        return None
    middle = float(np.nanmedian(values))
    side = values[sign * values > sign * middle]
    spread = 1.4826 * float(np.median(np.abs(side - middle)))
    limit, rows = sign * found.limit, found.rows
    distance = abs(float(values[rows[-1]]) - middle) / spread if spread > 0 else 0.0
    if distance < _LEAST_DISTANCE:
        return trials.fail()
    p = min(1.0, 2.0 * found.p)
    end = "high" if sign > 0 else "low"
    return trials.add(
        Trial(
            "outliers",
            (column.name,),
            p,
            1.0 - _LEAST_DISTANCE / (2.0 * distance),
            0.5,
            int(np.count_nonzero(~np.isnan(values))),
            (end,),
            ("outliers", column.name, end),
            lambda: _outliers_told(column, rows, limit, middle, spread, p, end),
        )
    )


def _outliers_told(
    column: FrameColumn, rows: Array, limit: float, middle: float, spread: float, p: float, end: str
) -> Told:
    values = column.values[rows]
    known = column.values[~np.isnan(column.values)]
    furthest = float(values[0])
    distance = abs(furthest - middle) / spread
    verb = "lies" if len(rows) == 1 else "lie"
    which = f"the value {wording.number(furthest, 4)}" if len(rows) == 1 else f"up to {wording.number(furthest, 4)}"
    if end == "low" and len(rows) > 1:
        which = f"down to {wording.number(furthest, 4)}"
    sentence = (
        f"{wording.count(len(rows), 'value')} of {column.name} {verb} far {'above' if end == 'high' else 'below'} the "
        f"others: {which}, {wording.number(distance, 2)} robust standard deviations from the median "
        f"{wording.number(middle)}; the {end}est of the others is {wording.number(limit, 4)} "
        f"({wording.count(len(known), 'row')}, {wording.chance(p)} beside the tail of the others)."
    )
    nearest = float(values[-1])
    operator: Operator = ">=" if end == "high" else "<="
    return Told(
        sentence,
        {
            "outliers": Number(value=len(rows), unit="count"),
            "furthest": Number(value=furthest, unit="value"),
            "limit": Number(value=limit, unit="value"),
            "median": Number(value=middle, unit="value"),
            "distance": Number(value=distance, unit="deviations"),
        },
        "gap above the tail of the other values (Student or generalised Pareto tail, shape averaged over)",
        Query(
            where=[Condition(column=column.name, operator=operator, value=nearest)],
            order_by=column.name,
            descending=end == "high",
            limit=100,
        ),
        charts.histogram(f"Values of {column.name}", known, column.name, told=[float(value) for value in values]),
    )


def _variation(subjects: Subjects, column: FrameColumn, trials: Trials) -> None:
    """The upper end of the coefficient of variation's interval has to be below the limit (McKay's approximation)."""
    values = column.values[~np.isnan(column.values)]
    if len(values) < 12:
        return None
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    variation = deviation / abs(mean) if mean else math.inf
    if variation >= LOW_VARIATION or float(values.min()) * float(values.max()) <= 0:
        return trials.fail()
    error = variation * math.sqrt((0.5 + variation**2) / len(values)) * 1.5  # 1.5: tails beyond the normal
    z = (LOW_VARIATION - variation) / error
    p = 0.5 * math.erfc(z / math.sqrt(2.0))
    return trials.add(
        Trial(
            "low_variance",
            (column.name,),
            p,
            0.5 * (1.0 - variation / LOW_VARIATION),
            len(values) / max(subjects.rows, 1),
            len(values),
            (),
            ("low_variance", column.name),
            lambda: _variation_told(column, values, mean, deviation, error),
        )
    )


def _variation_told(column: FrameColumn, values: Array, mean: float, deviation: float, error: float) -> Told:
    variation = deviation / abs(mean)
    sentence = (
        f"{column.name} hardly varies: its standard deviation is {wording.percent(variation)} of its mean "
        f"{wording.number(mean, 4)} ({wording.count(len(values), 'row')}, between "
        f"{wording.number(float(values.min()), 4)} and {wording.number(float(values.max()), 4)})."
    )
    return Told(
        sentence,
        {
            "mean": Number(value=mean, unit="value"),
            "deviation": Number(value=deviation, unit="value"),
            "variation": Number(
                value=variation, unit="ratio", low=max(0.0, variation - 1.96 * error), high=variation + 1.96 * error
            ),
        },
        f"coefficient of variation against {LOW_VARIATION:g}",
        Query(where=[Condition(column=column.name, operator="is not null")], columns=[column.name]),
        charts.histogram(f"Values of {column.name}", values, column.name),
    )
