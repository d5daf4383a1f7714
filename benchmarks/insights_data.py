"""Tables with nothing in them, and tables with one fact planted at a chosen strength."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.columns import column_of
from analysis.frames import Frame, frame_of
from analysis.insights.options import InsightOptions
from analysis.profile.accumulator import profile_table
from analysis.profile.figures import TableProfile

Generator = np.random.Generator
Array = np.ndarray[Any, np.dtype[Any]]
START = np.datetime64("2023-01-01")
NOW = datetime.datetime(2025, 1, 1)  # noqa: DTZ001 - as the tables' stamps
DAYS = 400
ROWS = 1_200


@dataclass(frozen=True)
class Planted:
    """`columns` are those of the fact: an insight that names none of them is a false one."""

    frame: Frame
    columns: frozenset[str]
    options: InsightOptions = field(default_factory=lambda: InsightOptions(now=NOW, seconds=120))


def _memory(rng: Generator, rows: int, alpha: float) -> Array:
    values = rng.standard_normal(rows + 100)
    for place in range(1, len(values)):
        values[place] += alpha * values[place - 1]
    return values[100:]


SHAPES: dict[str, Callable[[Generator, int], Array]] = {
    "normal": lambda rng, rows: rng.standard_normal(rows) + 3,
    "Student, 3 degrees": lambda rng, rows: rng.standard_t(3, rows),
    "Cauchy": lambda rng, rows: rng.standard_cauchy(rows),
    "log-normal": lambda rng, rows: rng.lognormal(1.0, 1.0, rows),
    "counts": lambda rng, rows: rng.poisson(4, rows),
    "whole numbers": lambda rng, rows: rng.integers(0, 100_000, rows),
    "uniform": lambda rng, rows: rng.random(rows),
    "random walks": lambda rng, rows: np.cumsum(rng.standard_normal(rows)),
    "heavy random walks": lambda rng, rows: np.cumsum(rng.standard_t(3, rows)),
    "autoregressive, 0.5": lambda rng, rows: _memory(rng, rows, 0.5),
    "autoregressive, 0.9": lambda rng, rows: _memory(rng, rows, 0.9),
}
SERIES = frozenset({"random walks", "heavy random walks", "autoregressive, 0.5", "autoregressive, 0.9"})


def nothing(shape: str, rng: Generator) -> Frame:
    """Six unrelated columns of that shape, two with nulls at random, two unrelated categories and a time column.

    Shapes with memory have a row a day; the others have their rows at random moments.
    """
    rows = DAYS if shape in SERIES else ROWS
    columns: dict[str, Any] = {"when": days(rng, rows, one_each=shape in SERIES)}
    for number in range(6):
        values = np.asarray(SHAPES[shape](rng, rows))
        columns[f"x{number}"] = with_nulls(rng, values) if number < 2 else values
    columns["four"] = levels(rng, rows, 4)
    columns["seven"] = levels(rng, rows, 7)
    return frame_of(columns)


def days(rng: Generator, rows: int, *, one_each: bool) -> Array:
    if one_each:
        return START + np.arange(rows).astype("timedelta64[D]")
    return START + rng.integers(0, DAYS * 24, rows).astype("timedelta64[h]")


def with_nulls(rng: Generator, values: Array, share: float = 0.05) -> Array:
    made = values.astype(np.float64)
    made[rng.random(len(made)) < share] = np.nan
    return np.ma.masked_invalid(made)


def levels(rng: Generator, rows: int, number: int, shares: Array | None = None) -> Array:
    return np.array([f"level {place}" for place in range(number)], dtype=object)[rng.choice(number, rows, p=shares)]


def noise(rng: Generator, rows: int) -> dict[str, Any]:
    """What stands beside a planted fact."""
    return {
        "n1": rng.lognormal(1.0, 1.0, rows),
        "n2": rng.standard_normal(rows) + 2,
        "n3": rng.standard_t(3, rows),
        "c1": levels(rng, rows, 5),
    }


def _table(rng: Generator, planted: dict[str, Any], **options: Any) -> Planted:
    rows = len(next(iter(planted.values())))
    frame = frame_of({**planted, **noise(rng, rows)})
    return Planted(frame, frozenset(planted) - {"when"}, InsightOptions(now=NOW, seconds=120, **options))


def _shares(first: list[float], number: int) -> Array:
    rest = (1.0 - sum(first)) / (number - len(first))
    return np.array([*first, *[rest] * (number - len(first))])


# By strength 0 (weak), 1 and 2 (strong)


def first(rng: Generator, strength: int) -> Planted:
    return _table(rng, {"by": levels(rng, ROWS, 6, _shares([(0.26, 0.32, 0.42)[strength]], 6))})


def top_two(rng: Generator, strength: int) -> Planted:
    share = (0.23, 0.28, 0.35)[strength]
    return _table(rng, {"by": levels(rng, ROWS, 6, _shares([share, share * 0.95], 6))})


def last(rng: Generator, strength: int) -> Planted:
    return _table(rng, {"by": levels(rng, ROWS, 6, _shares([(0.1, 0.07, 0.03)[strength]], 6))})


def majority(rng: Generator, strength: int) -> Planted:
    return _table(rng, {"by": levels(rng, ROWS, 4, _shares([(0.56, 0.65, 0.8)[strength]], 4))})


def attribution(rng: Generator, strength: int) -> Planted:
    by = levels(rng, ROWS, 4)
    factor = (4.5, 6.0, 12.0)[strength]
    return _table(rng, {"amount": rng.lognormal(1.0, 0.6, ROWS) * np.where(by == "level 1", factor, 1.0), "by": by})


def evenness(rng: Generator, strength: int) -> Planted:
    by = np.array([f"level {row % 6}" for row in range(ROWS)], dtype=object)
    wrong = rng.random(ROWS) < (0.3, 0.1, 0.0)[strength]
    by[wrong] = levels(rng, int(wrong.sum()), 6)
    return _table(rng, {"by": by})


def category_top(rng: Generator, strength: int) -> Planted:
    by = levels(rng, ROWS, 7)
    shift = np.where(by == "level 3", (0.4, 0.8, 2.0)[strength], 0.0)
    return _table(rng, {"value": rng.standard_normal(ROWS) + 10 + shift, "by": by})


def category_bottom(rng: Generator, strength: int) -> Planted:
    by = levels(rng, ROWS, 7)
    return _table(
        rng,
        {"value": rng.lognormal(2.0, 0.5, ROWS) * np.where(by == "level 3", (0.8, 0.6, 0.3)[strength], 1), "by": by},
    )


def correlation(rng: Generator, strength: int) -> Planted:
    r = (0.15, 0.3, 0.7)[strength]
    one = rng.standard_normal(ROWS)
    return _table(rng, {"a": one, "b": np.exp(r * one + (1 - r * r) ** 0.5 * rng.standard_normal(ROWS))})


def low_variance(rng: Generator, strength: int) -> Planted:
    return _table(rng, {"value": 100.0 + (4.0, 2.0, 0.5)[strength] * rng.standard_normal(ROWS)})


def outliers(rng: Generator, strength: int) -> Planted:
    values = rng.standard_normal(ROWS) * 5 + 50
    values[rng.choice(ROWS, 4, replace=False)] = 50 + 5 * (7, 10, 25)[strength] * (1 + 0.1 * rng.random(4))
    return _table(rng, {"value": values})


def _daily(rng: Generator, values: Array, name: str = "value") -> Planted:
    return _table(rng, {"when": days(rng, len(values), one_each=True), name: values})


def trend(rng: Generator, strength: int) -> Planted:
    return _daily(rng, np.linspace(0, (1.3, 2.5, 6.0)[strength], DAYS) + _memory(rng, DAYS, 0.3))


def seasonality(rng: Generator, strength: int) -> Planted:
    wave = np.sin(2 * np.pi * np.arange(DAYS) / 7)
    return _daily(rng, (0.6, 1.0, 3.0)[strength] * wave + _memory(rng, DAYS, 0.3))


def change_point(rng: Generator, strength: int) -> Planted:
    step = np.where(np.arange(DAYS) >= 150, (1.0, 2.0, 4.0)[strength], 0.0)
    return _daily(rng, step + _memory(rng, DAYS, 0.3))


def spike(rng: Generator, strength: int) -> Planted:
    values = _memory(rng, DAYS, 0.3)
    values[rng.choice(np.arange(20, DAYS - 20), 2, replace=False)] += (7, 10, 20)[strength]
    return _daily(rng, values)


def level_shift(rng: Generator, strength: int) -> Planted:
    step = np.where(np.arange(DAYS) >= 250, (8.0, 12.0, 25.0)[strength], 0.0)
    return _daily(rng, step + np.cumsum(rng.standard_normal(DAYS)))


def steady_share(rng: Generator, strength: int) -> Planted:
    """A row for every day and region; the whole moves with the season of the week and wanders."""
    whole = np.exp(0.05 * np.cumsum(rng.standard_normal(120)) + 0.3 * rng.standard_normal(120)) * 100
    spread = (0.09, 0.05, 0.01)[strength]
    shares = np.array([0.3, 0.5, 0.2]) * (1 + spread * rng.standard_normal((120, 3)))
    when = np.repeat(START + np.arange(120).astype("timedelta64[D]"), 3)
    by = np.tile(np.array(["level 0", "level 1", "level 2"], dtype=object), 120)
    return _table(rng, {"when": when, "amount": (whole[:, None] * shares).ravel(), "by": by})


def row_outliers(rng: Generator, strength: int) -> Planted:
    """Each value is within its column's tail, all of them at once are not."""
    size = (2.6, 3.2, 4.5)[strength]
    values = rng.standard_normal((ROWS, 6))
    values[rng.choice(ROWS, 3, replace=False)] = size * rng.choice([-1, 1], (3, 6)) * (1 + 0.05 * rng.random((3, 6)))
    return _table(rng, {f"v{number}": values[:, number] for number in range(6)})


def null_together(rng: Generator, strength: int) -> Planted:
    null = rng.random(ROWS) < 0.1
    other = null ^ (rng.random(ROWS) < (0.02, 0.008, 0.0)[strength])
    one, two = rng.standard_normal(ROWS), rng.standard_normal(ROWS)
    one[null], two[other] = np.nan, np.nan
    return _table(rng, {"a": np.ma.masked_invalid(one), "b": np.ma.masked_invalid(two)})


def null_depends(rng: Generator, strength: int) -> Planted:
    by = levels(rng, ROWS, 5)
    share = np.where(by == "level 2", 0.05 + (0.17, 0.25, 0.6)[strength], 0.05)
    values = rng.standard_normal(ROWS)
    values[rng.random(ROWS) < share] = np.nan
    return _table(rng, {"value": np.ma.masked_invalid(values), "by": by})


def _profile(columns: dict[str, Any]) -> TableProfile:
    return profile_table([column_of(name, values) for name, values in columns.items()])


def drift(rng: Generator, strength: int) -> Planted:
    before = {"value": rng.lognormal(2.0, 0.5, 2000)} | noise(rng, 2000)
    now = rng.lognormal(2.0 + (0.17, 0.3, 0.8)[strength], 0.5, ROWS)
    return _table(rng, {"value": now}, reference=_profile(before))


def null_drift(rng: Generator, strength: int) -> Planted:
    before = {"value": with_nulls(rng, rng.standard_normal(2000), 0.02)} | noise(rng, 2000)
    now = with_nulls(rng, rng.standard_normal(ROWS), 0.02 + (0.06, 0.1, 0.3)[strength])
    return _table(rng, {"value": now}, reference=_profile(before))


def likely_key(rng: Generator, strength: int) -> Planted:
    keys: list[Any] = [
        rng.permutation(ROWS) + 10_000,
        rng.choice(100_000, ROWS, replace=False),
        [f"AB-{number:06d}" for number in rng.permutation(ROWS)],
    ]
    return _table(rng, {"ref": keys[strength] if strength != 1 else rng.choice(40_000, ROWS, replace=False)})


def broken_key(rng: Generator, strength: int) -> Planted:
    keys = [f"AB-{number:06d}" for number in range(ROWS)]
    for _ in range((1, 3, 10)[strength]):
        keys[int(rng.integers(0, ROWS))] = keys[0]
    return _table(rng, {"customer_id": keys})


def null_stand_in(rng: Generator, strength: int) -> Planted:
    values = levels(rng, ROWS, 5)
    values[rng.choice(ROWS, (1, 10, 100)[strength], replace=False)] = ("N/A", "unknown", "-")[strength]
    return _table(rng, {"text": values})


def spelling(rng: Generator, strength: int) -> Planted:
    values = levels(rng, ROWS, 5)
    chosen = rng.choice(ROWS, (3, 20, 100)[strength], replace=False)
    values[chosen] = [(text.upper(), f" {text} ", text.title())[strength] for text in values[chosen]]
    return _table(rng, {"text": values})


def numbers_as_text(rng: Generator, strength: int) -> Planted:
    values = np.array([str(number) for number in rng.integers(0, 500, ROWS)], dtype=object)
    values[rng.choice(ROWS, (60, 10, 0)[strength], replace=False)] = "see note"
    return _table(rng, {"text": values})


def sentinel(rng: Generator, strength: int) -> Planted:
    values = rng.normal(50, 10, ROWS)
    values[rng.choice(ROWS, (4, 20, 200)[strength], replace=False)] = (-999, 9999, -1)[strength]
    return _table(rng, {"value": values})


def future(rng: Generator, strength: int) -> Planted:
    stamps = days(rng, ROWS, one_each=False).astype("datetime64[us]")
    stamps[rng.choice(ROWS, (1, 5, 50)[strength], replace=False)] = np.datetime64("2031-05-01")
    frame = frame_of({"when": stamps, **noise(rng, ROWS)})
    return Planted(frame, frozenset({"when"}))


def heaping(rng: Generator, strength: int) -> Planted:
    values = rng.integers(100, 2_000, ROWS)
    rounded = rng.random(ROWS) < (0.18, 0.3, 0.7)[strength]
    values[rounded] = values[rounded] // 10 * 10
    return _table(rng, {"value": values})


def not_benford(rng: Generator, strength: int) -> Planted:
    values = rng.lognormal(6.0, 2.0, ROWS)
    forged = rng.random(ROWS) < (0.15, 0.3, 0.8)[strength]
    scale = 10.0 ** np.floor(np.log10(values))
    return _table(rng, {"value": np.where(forged, scale * rng.uniform(5.0, 10.0, ROWS), values)})


PLANTS: dict[str, Callable[[Generator, int], Planted]] = {
    "outstanding_first": first,
    "outstanding_top_two": top_two,
    "outstanding_last": last,
    "majority": majority,
    "attribution": attribution,
    "evenness": evenness,
    "category_outlier_top": category_top,
    "category_outlier_bottom": category_bottom,
    "correlation": correlation,
    "low_variance": low_variance,
    "outliers": outliers,
    "trend": trend,
    "seasonality": seasonality,
    "change_point": change_point,
    "time_series_outliers": spike,
    "level_shift": level_shift,
    "steady_share": steady_share,
    "row_outliers": row_outliers,
    "null_together": null_together,
    "null_depends": null_depends,
    "drift": drift,
    "null_drift": null_drift,
    "likely_key": likely_key,
    "broken_key": broken_key,
    "null_stand_in": null_stand_in,
    "spelling_variants": spelling,
    "numbers_as_text": numbers_as_text,
    "sentinel": sentinel,
    "future_dates": future,
    "digit_heaping": heaping,
    "not_benford": not_benford,
}
