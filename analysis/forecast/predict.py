"""Forecasts of a column of a frame over time, for one series or for many at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from analysis.forecast.answers import (
    MOST_HORIZON,
    MOST_LEVELS,
    ForecastOptions,
    Forecasts,
    ForecastStatus,
    SeriesFacts,
    SeriesForecast,
)
from analysis.forecast.one_series import Group, forecast_series
from analysis.forecast.text_times import with_time
from analysis.frames import Frame, FrameColumn, Role
from analysis.series.regular import Aggregate, known_zone
from analysis.series.steps import named_step
from analysis.time_budget import TimeBudget

METHOD = (
    "combination of naive, smoothing, theta, autoregressive and MSTL models, weighted by a rolling-origin backtest; "
    "split-conformal intervals"
)


def forecast(
    frame: Frame,
    options: ForecastOptions,
    tell: Callable[[float, str], None],
    check: Callable[[], None],
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Forecasts:
    """The forecast of each group, the largest first. Never raises for bad data or options: see the statuses.

    `tell` hears the share that is done, from 0 to 1, and of what; `check` is called between steps and may raise.
    """
    frame = with_time(frame, options.time)
    problem = _problem(frame, options)
    if problem is not None:
        return _answer(frame, options, (), 0, problem)
    stamps = frame.column(options.time)
    values = _values(frame, options)
    groups = list(_groups(frame, options.group_by))
    budget = TimeBudget(math.inf if options.budget_seconds is None else options.budget_seconds, check, clock)
    made: list[SeriesForecast] = []
    for place, group in enumerate(groups[: options.most_groups]):
        tell(place / len(groups), group.text)
        if budget.spent():
            facts = SeriesFacts(len(group.rows), 0)
            reason = "the time for this answer was used up by larger groups"
            made.append(SeriesForecast(group.key, ForecastStatus.OUT_OF_TIME, reason, facts))
            continue
        rows = group.rows
        made.append(
            forecast_series(group.key, stamps.values[rows], values[rows], options, aware=stamps.aware, check=check)
        )
    tell(1.0, "done")
    return _answer(frame, options, tuple(made), len(groups), None)


_Problem = tuple[ForecastStatus, str]


def _problem(frame: Frame, options: ForecastOptions) -> _Problem | None:
    """What is wrong with the request, if anything is."""
    names = [options.time, *options.group_by, *([options.target] if options.target is not None else [])]
    for name in names:
        if name not in frame.names:
            return ForecastStatus.NO_SUCH_COLUMN, f"there is no column {name!r}"
    if frame.column(options.time).role is not Role.TIME:
        return (
            ForecastStatus.NOT_A_TIME,
            f"column {options.time!r} holds no dates or times, nor texts such as 2024-12-31",
        )
    counts = options.aggregate is Aggregate.COUNT
    if options.target is None and not counts:
        return ForecastStatus.INVALID_OPTION, "name a target, or count rows with aggregate=count"
    if options.target is not None and not counts and frame.column(options.target).role is not Role.NUMERIC:
        return ForecastStatus.NOT_NUMERIC, f"column {options.target!r} holds no numbers; its rows can be counted"
    return _invalid(options)


def _invalid(options: ForecastOptions) -> _Problem | None:
    problems = (
        (options.horizon is not None and not 1 <= options.horizon <= MOST_HORIZON, f"horizon: 1 to {MOST_HORIZON}"),
        (len(options.levels) > MOST_LEVELS, f"levels: at most {MOST_LEVELS}"),
        (not all(0 < level < 1 for level in options.levels), "levels: between 0 and 1, like 0.95"),
        (any(period < 2 for period in options.periods or ()), "periods: whole numbers of steps, at least 2"),
        (options.most_groups < 1, "most_groups: at least 1"),
        (
            options.step is not None and named_step(options.step) is None,
            f"step: {options.step!r} is none; steps are named like hour, 15 minutes, day, week, month, quarter",
        ),
        (
            options.zone is not None and not known_zone(options.zone),
            f"zone: {options.zone!r} is none; zones are named like Europe/Berlin",
        ),
    )
    return next(((ForecastStatus.INVALID_OPTION, text) for wrong, text in problems if wrong), None)


def _values(frame: Frame, options: ForecastOptions) -> Array:
    """The target's numbers; where rows are counted, 1 for each that has a value, NaN for the others."""
    if options.target is None:
        return np.ones(frame.rows)
    column = frame.column(options.target)
    if options.aggregate is Aggregate.COUNT:
        return np.where(column.present, 1.0, np.nan)
    return column.values


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The rows of one group: their places in the frame."""

    key: Group
    rows: Array

    @property
    def text(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.key.items()) or "the series"


def _groups(frame: Frame, names: tuple[str, ...]) -> Iterator[_Rows]:
    """The largest first, and in the order of the values where they are as large."""
    if not names or not frame.rows:
        yield _Rows({}, np.arange(frame.rows))
        return
    coded = [_codes(frame.column(name)) for name in names]
    combined = coded[0][0]
    for codes, _ in coded[1:]:
        # Numbered anew after each column, so that no product of many columns is beyond whole numbers.
        dense = np.unique(combined, return_inverse=True)[1]
        combined = dense * (int(codes.max()) + 2) + codes + 1
    _, firsts, places, counts = np.unique(combined, return_index=True, return_inverse=True, return_counts=True)
    by_group = np.split(np.argsort(places, kind="stable"), np.cumsum(counts)[:-1])
    for group in np.argsort(-counts, kind="stable").tolist():
        texts = [labels(int(codes[firsts[group]])) for codes, labels in coded]
        yield _Rows(dict(zip(names, texts, strict=True)), by_group[group])


def _codes(column: FrameColumn) -> tuple[Array, Callable[[int], str | None]]:
    """A number for each value of the column, -1 for null, and what each stands for."""
    if column.role is Role.CATEGORY:
        levels = column.levels if column.levels is not None else np.empty(0, dtype=object)
        return column.values.astype(np.int64), lambda code: str(levels[code]) if code >= 0 else None
    present = column.present
    source = column.exact if column.exact is not None else column.values
    found, places = np.unique(source[present], return_inverse=True)
    codes = np.full(len(column), -1, dtype=np.int64)
    codes[present] = places
    return codes, lambda code: _label(found[code]) if code >= 0 else None


def _label(value: np.generic) -> str:
    if isinstance(value, np.floating):
        return f"{float(value):.15g}"
    return str(value)


def _answer(
    frame: Frame, options: ForecastOptions, series: tuple[SeriesForecast, ...], groups: int, problem: _Problem | None
) -> Forecasts:
    status, reason = problem or _overall(series)
    done = sum(each.status is not ForecastStatus.OUT_OF_TIME for each in series)
    return Forecasts(
        status,
        reason,
        METHOD,
        options.target,
        options.time,
        options.horizon,
        options.levels,
        groups,
        done,
        frame.rows,
        frame.total_rows,
        frame.is_sample,
        options.seed,
        series,
        _notes(frame, options, series, groups),
    )


def _overall(series: tuple[SeriesForecast, ...]) -> _Problem | tuple[ForecastStatus, None]:
    """OK where any series is; else what the first one is."""
    if any(each.status is ForecastStatus.OK for each in series):
        return ForecastStatus.OK, None
    first = series[0]
    return first.status, first.reason or ""


def _notes(frame: Frame, options: ForecastOptions, series: tuple[SeriesForecast, ...], groups: int) -> tuple[str, ...]:
    notes = []
    if frame.is_sample and options.aggregate in (Aggregate.SUM, Aggregate.COUNT):
        notes.append(f"sums and counts are those of the {frame.rows} rows sampled of {frame.total_rows}")
    if groups > options.most_groups:
        notes.append(f"of {groups} groups the {options.most_groups} largest were looked at")
    late = sum(each.status is ForecastStatus.OUT_OF_TIME for each in series)
    if late:
        notes.append(f"{late} groups were not computed within {options.budget_seconds:g} seconds")
    if options.zone is not None:
        notes.append(f"times are those of clocks in {options.zone}")
    return tuple(notes)
