"""The forecast of one series, from stamped rows to points with intervals, or as much of it as its history bears."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from analysis.columns import Array
from analysis.forecast.answers import (
    ForecastOptions,
    ForecastPoint,
    ForecastStatus,
    HistoryPoint,
    Interval,
    SeriesFacts,
    SeriesForecast,
)
from analysis.forecast.backtest import Tested, backtested
from analysis.forecast.origins import LEAST_VALUES, longest_horizon, plan_of
from analysis.series.decomposition import PERIODIC, decompose
from analysis.series.regular import Fill, RegularSeries, SeriesStatus, regularise
from analysis.series.seasonality import LEAST_CYCLES, Seasonality, harmonic_p_value, seasonal_periods
from analysis.series.steps import calendar_periods, named_step

Group = dict[str, str | None]

# Older values are not computed with: they cost time and say little. Long seasons get five cycles.
_MOST_VALUES, _MOST_CYCLES = 1500, 5
# Two seasons at the most are modelled together; a season of the calendar is tried even where it is not significant,
# since the backtest decides what it is worth.
_MOST_PERIODS, _PLAUSIBLE = 2, 0.3
_LARGEST = float(np.finfo(np.float64).max)


def forecast_series(
    group: Group, stamps: Array, values: Array, options: ForecastOptions, *, aware: bool, check: Callable[[], None]
) -> SeriesForecast:
    """`stamps` datetime64[us] and `values` float64, one each a row, NaT and NaN where null; in any order."""
    step = named_step(options.step) if options.step else None
    series = regularise(stamps, values, aggregate=options.aggregate, fill=options.fill, step=step, zone=options.zone)
    in_utc = aware and options.zone is None
    if series.status is not SeriesStatus.OK:
        return _without_series(group, series)
    check()
    unit = _unit(series.filled)
    series = replace(series, values=series.values / unit, filled=series.filled / unit)
    seasons = _seasons(series, options)
    filled = _refilled(series, seasons)
    used = filled[-_span(series, options) :]
    history = _history(series, filled * unit, options.history, in_utc)
    asked = options.horizon or _default_horizon(len(used), seasons)
    supported = longest_horizon(len(used))
    facts = _facts(series, len(used), in_utc)
    if not np.ptp(used) > 0:
        return _constant(group, facts, series, float(used[-1]) * unit, asked, history, in_utc)
    if not supported:
        reason = f"{len(used)} values are too few: at least {LEAST_VALUES} are needed"
        return SeriesForecast(group, ForecastStatus.INSUFFICIENT_HISTORY, reason, facts, seasons, history=history)
    horizon = min(asked, supported)
    plan = plan_of(len(used), horizon, _tried_periods(series, used, seasons, options))
    season = next((each.period for each in seasons if 2 * each.period <= plan.origins[0]), 1)
    tested = backtested(used, plan, season, options.levels, check)
    status = ForecastStatus.OK if horizon == asked else ForecastStatus.INSUFFICIENT_HISTORY
    short = f"{len(used)} values bear {horizon} steps ahead, tested from three origins; {asked} were asked for"
    return SeriesForecast(
        group,
        status,
        None if horizon == asked else short,
        facts,
        seasons,
        _points(series, tested, unit, options.levels, in_utc, floor=float(used.min()) >= 0),
        tested.widths.method,
        tested.backtest_in(unit),
        history,
    )


def _unit(values: Array) -> float:
    """The power of two at the size of the values, in which neither their differences nor squares are beyond numbers."""
    largest = float(np.max(np.abs(values), initial=0.0))
    return math.ldexp(1.0, min(1023, max(-1000, math.frexp(largest)[1]))) if largest > 0 else 1.0


def _seasons(series: RegularSeries, options: ForecastOptions) -> tuple[Seasonality, ...]:
    if options.periods is not None:
        return tuple(_given(series.values, period) for period in sorted(set(options.periods)))
    assert series.step is not None
    return seasonal_periods(series.values, calendar_periods(series.step))


def _given(values: Array, period: int) -> Seasonality:
    """A period that was asked for, with what the tests say of it."""
    found = seasonal_periods(values, (period,), search=False, level=1.0)
    return found[0] if found else Seasonality(period, 0.0, 0.0, 1.0)


def _refilled(series: RegularSeries, seasons: tuple[Seasonality, ...]) -> Array:
    """Gaps filled along the season, too, where there is one, instead of straight through it."""
    periods = [season.period for season in seasons if 2 * season.period <= len(series)]
    if series.fill is not Fill.INTERPOLATE or not series.gaps or not periods:
        return series.filled
    parts = decompose(series.values, periods, seasonal_spans=[PERIODIC] * len(periods))
    return np.where(np.isnan(series.values), parts.trend + parts.seasonal, series.values)


def _span(series: RegularSeries, options: ForecastOptions) -> int:
    """How many of the last values are computed with."""
    assert series.step is not None
    periods = options.periods or calendar_periods(series.step)
    fitting = [period for period in periods if LEAST_CYCLES * period <= len(series)]
    return max(_MOST_VALUES, min(3 * _MOST_VALUES, _MOST_CYCLES * max(fitting, default=0)))


def _tried_periods(
    series: RegularSeries, used: Array, seasons: tuple[Seasonality, ...], options: ForecastOptions
) -> tuple[int, ...]:
    assert series.step is not None
    found = {season.period: season.p_value for season in seasons}
    if options.periods is None:
        for period in calendar_periods(series.step):
            if period not in found and 2 * period <= len(used):
                p_value = harmonic_p_value(used, period, list(found))
                found |= {period: p_value} if p_value < _PLAUSIBLE else {}
    return tuple(sorted(sorted(found, key=found.__getitem__)[:_MOST_PERIODS]))


def _default_horizon(values: int, seasons: tuple[Seasonality, ...]) -> int:
    return seasons[0].period if seasons else max(1, min(30, values // 8))


def _without_series(group: Group, series: RegularSeries) -> SeriesForecast:
    reasons = {
        SeriesStatus.EMPTY: (ForecastStatus.EMPTY, "no row has both a time and a value"),
        SeriesStatus.TOO_FEW: (ForecastStatus.INSUFFICIENT_HISTORY, "fewer than three different times"),
        SeriesStatus.IRREGULAR: (
            ForecastStatus.IRREGULAR,
            "the times follow no step, and no step of the calendar has enough of them; give a step",
        ),
    }
    status, reason = reasons[series.status]
    return SeriesForecast(group, status, reason, SeriesFacts(series.rows, series.nulls, aggregate=series.aggregate))


def _constant(
    group: Group,
    facts: SeriesFacts,
    series: RegularSeries,
    value: float,
    asked: int,
    history: tuple[HistoryPoint, ...],
    in_utc: bool,
) -> SeriesForecast:
    """Without variation there is no telling how far the future may be: a value, and no interval."""
    reason = f"all {facts.used} values are the same, so nothing tells how far the next may be from them"
    if facts.used < LEAST_VALUES:
        return SeriesForecast(group, ForecastStatus.INSUFFICIENT_HISTORY, reason, facts, history=history)
    points = tuple(ForecastPoint(stamp, value) for stamp in _texts(series.next_stamps(asked), in_utc))
    return SeriesForecast(group, ForecastStatus.CONSTANT, reason, facts, points=points, history=history)


def _points(
    series: RegularSeries, tested: Tested, unit: float, levels: tuple[float, ...], in_utc: bool, *, floor: bool
) -> tuple[ForecastPoint, ...]:
    stamps = _texts(series.next_stamps(len(tested.forecast)), in_utc)
    lows = tested.forecast - tested.widths.widths
    lows = _times(np.maximum(lows, 0.0) if floor else lows, unit)
    highs = _times(tested.forecast + tested.widths.widths, unit)
    middles = _times(tested.forecast, unit)
    return tuple(
        ForecastPoint(
            stamp,
            float(middles[ahead]),
            tuple(
                Interval(level, float(lows[place, ahead]), float(highs[place, ahead]))
                for place, level in enumerate(levels)
            ),
        )
        for ahead, stamp in enumerate(stamps)
    )


def _times(values: Array, unit: float) -> Array:
    """The values in the series' own unit, the largest number where they are beyond it."""
    most = _LARGEST / unit
    return np.clip(values, -most, most) * unit


def _facts(series: RegularSeries, used: int, in_utc: bool) -> SeriesFacts:
    assert series.step is not None
    start, end = _texts(series.stamps[[0, -1]], in_utc)
    return SeriesFacts(
        series.rows,
        series.nulls,
        series.step.text,
        start,
        end,
        len(series),
        used,
        series.aggregate,
        series.duplicates,
        series.gaps,
        series.fill,
        series.moved,
        series.left_out,
        series.bucketed,
        series.incomplete_last,
        series.daylight_saving,
        series.incomplete_first,
    )


def _history(series: RegularSeries, filled: Array, most: int, in_utc: bool) -> tuple[HistoryPoint, ...]:
    if most < 1:
        return ()
    gaps = np.isnan(series.values[-most:]).tolist()
    rows = zip(_texts(series.stamps[-most:], in_utc), filled[-most:].tolist(), gaps, strict=True)
    return tuple(HistoryPoint(stamp, value, gap) for stamp, value, gap in rows)


def _texts(stamps: Array, in_utc: bool) -> list[str]:
    whole = not (stamps.astype(np.int64) % 1_000_000).any()
    texts = np.datetime_as_string(stamps, unit="s" if whole else "us").tolist()
    return [f"{text}Z" for text in texts] if in_utc else texts
