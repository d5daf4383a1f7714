"""All the models that a forecast is combined from, from every origin of the backtest and from the end of the series.

Each model sees only what is before its origin: seasons, profiles and parameters are found anew for each.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from analysis.forecast.adjustment import Adjusted, adjustments
from analysis.forecast.autoregression import autoregression_forecast
from analysis.forecast.naive import level_shifted, naive, naive2, seasonal_naive
from analysis.forecast.seasonal_smoothing import seasonal_smoothing_forecasts
from analysis.forecast.smoothing import DAMPED, SES, THETA, smoothing_forecasts

NAIVE, NAIVE2 = "naive", "Naive2"
# Forecasts are kept within so many ranges of the history beyond its extremes: a guard, not a model.
_MOST_RANGES = 1.0

_Rows = dict[str, list[Array]]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Forecasts by model, origin and step ahead: shape (models, origins, horizon). The last origin is the end."""

    names: tuple[str, ...]
    forecasts: Array
    benchmarks: tuple[str, ...]

    def of(self, name: str) -> Array:
        """One model's, shape (origins, horizon)."""
        return np.asarray(self.forecasts[self.names.index(name)])


def seasonal_naive_name(period: int) -> str:
    return f"seasonal naive ({period})"


def candidate_forecasts(
    values: Array, periods: Sequence[int], season: int, origins: Sequence[int], horizon: int, check: Callable[[], None]
) -> Candidates:
    """Every model from every origin (ascending; the last is len(values)).

    `periods` are at most two, ascending, with two cycles and some before the first origin. `season` is that of the
    benchmarks, 1 for none. `check` is called between steps and may raise.
    """
    rows: _Rows = {}
    _simple(rows, values, periods, season, origins, horizon)
    check()
    low = float(values.min())
    for scale in ("", "log ") if low > 0 else ("",):
        _fitted(rows, scale, np.log(values) if scale else values, periods, origins, horizon, check)
    names = tuple(name for name, made in rows.items() if len(made) == len(origins))
    spread = float(np.ptp(values)) * _MOST_RANGES
    stacked = np.array([rows[name] for name in names])
    bounded = np.clip(np.nan_to_num(stacked, nan=values[-1]), low - spread, float(values.max()) + spread)
    return Candidates(names, bounded, (NAIVE2,))


def _simple(
    rows: _Rows, values: Array, periods: Sequence[int], season: int, origins: Sequence[int], horizon: int
) -> None:
    pasts = [values[:origin] for origin in origins]
    rows[NAIVE] = [naive(past, horizon) for past in pasts]
    rows[NAIVE2] = [naive2(past, season, horizon) for past in pasts]
    for period in sorted({*periods, season} - {1}):
        rows[seasonal_naive_name(period)] = [seasonal_naive(past, period, horizon) for past in pasts]
    if periods and origins[0] >= 2 * periods[-1] + periods[0]:
        rows["shifted cycles"] = [level_shifted(past, periods, horizon) for past in pasts]


def _fitted(
    rows: _Rows,
    scale: str,
    values: Array,
    periods: Sequence[int],
    origins: Sequence[int],
    horizon: int,
    check: Callable[[], None],
) -> None:
    back: Callable[[Array], Array] = _exp if scale else _same
    adjusted: list[list[Adjusted]] = []
    for origin in origins:
        past = values[:origin]
        adjusted.append(adjustments(past, periods, horizon))
        _autoregressions(rows, scale, past, periods, horizon, back)
        check()
    flat = list(itertools.chain.from_iterable(adjusted))
    smoothed = smoothing_forecasts([each.values for each in flat], horizon)
    check()
    for place, each in enumerate(flat):
        for form in (SES, THETA, DAMPED) if not each.name else (THETA, DAMPED):
            made = back(smoothed[form][place] + each.seasonal)
            rows.setdefault(_named(scale, form, each), []).append(made)
        if each.name:
            ahead = autoregression_forecast(each.values, (), horizon)
            if ahead is not None:
                rows.setdefault(_named(scale, "autoregression", each), []).append(back(ahead + each.seasonal))
    for count in range(1, len(periods) + 1):
        name = f"{scale}seasonal smoothing ({', '.join(map(str, periods[:count]))})"
        rows[name] = list(map(back, seasonal_smoothing_forecasts(values, periods[:count], origins, horizon)))
        check()


def _autoregressions(
    rows: _Rows, scale: str, past: Array, periods: Sequence[int], horizon: int, back: Callable[[Array], Array]
) -> None:
    _add(rows, f"{scale}autoregression", autoregression_forecast(past, periods, horizon), back)
    for lag in (1, *periods):
        ahead = autoregression_forecast(past, periods, horizon, difference=lag)
        _add(rows, f"{scale}autoregression of differences ({lag})", ahead, back)


def _named(scale: str, model: str, adjusted: Adjusted) -> str:
    return f"{scale}{model}" + (f" on {adjusted.name}" if adjusted.name else "")


def _add(rows: _Rows, name: str, ahead: Array | None, back: Callable[[Array], Array]) -> None:
    """Keep a forecast; a model that some origin is too early for is missing there, and is left out in the end."""
    if ahead is not None:
        rows.setdefault(name, []).append(back(ahead))


def _same(values: Array) -> Array:
    return values


def _exp(values: Array) -> Array:
    return np.asarray(np.exp(np.minimum(values, 700.0)))
