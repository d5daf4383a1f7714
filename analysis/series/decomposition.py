"""Trend, seasons and remainder of a series: STL and MSTL.

Cleveland, Cleveland, McRae & Terpenning, "STL: a seasonal-trend decomposition procedure based on loess" (1990);
Bandara, Hyndman & Bergmeir, "MSTL: a seasonal-trend decomposition algorithm for time series with multiple seasonal
patterns" (2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array
from analysis.series.loess import smoothed

_INNER_ROUNDS = 2
_MSTL_ROUNDS = 2
_ROBUST_ROUNDS = 3
# As long as a whole series: the season is the same in all cycles.
PERIODIC = 0


@dataclass(frozen=True, slots=True, eq=False)
class Decomposition:
    """values = trend + sum of seasons + remainder, where there are values; `remainder` is NaN in gaps.

    `seasons` has one array for each of `periods`, in ascending order; all arrays are as long as the series. `weights`
    are the robustness weights (all 1 unless robust): near 0 where a value is an outlier.
    """

    periods: tuple[int, ...]
    trend: Array
    seasons: tuple[Array, ...]
    remainder: Array
    weights: Array

    @property
    def seasonal(self) -> Array:
        """All seasons together."""
        return np.asarray(sum(self.seasons, np.zeros_like(self.trend)))

    def seasonal_strength(self, place: int) -> float:
        """0 to 1: how much of the variation about the trend that season explains (Wang, Smith & Hyndman 2006)."""
        return _strength(self.remainder, self.remainder + self.seasons[place])

    @property
    def trend_strength(self) -> float:
        """0 to 1: how much of the variation of the seasonally adjusted series the trend explains."""
        return _strength(self.remainder, self.remainder + self.trend)

    def next_seasonal(self, horizon: int) -> Array:
        """The seasons of the next `horizon` steps: the last cycle of each again."""
        ahead = np.arange(horizon)
        cycles = zip(self.periods, self.seasons, strict=True)
        return np.asarray(sum((season[-period:][ahead % period] for period, season in cycles), np.zeros(horizon)))


def decompose(
    values: Array, periods: Sequence[int] = (), *, robust: bool = False, seasonal_spans: Sequence[int] | None = None
) -> Decomposition:
    """MSTL of `values` (float64; NaN is a gap and is bridged), STL with one period, a smooth trend with none.

    Periods of which there are fewer than two whole cycles are left out. `seasonal_spans` says for each period over how
    many cycles a season may drift (odd; PERIODIC: it does not); 11, 15, 19... unless given. With `robust`, outliers
    pull at nothing. Raises ValueError for a series without any value.
    """
    known = np.isfinite(values)
    if not known.any():
        raise ValueError("there is no value to decompose")
    spans = dict(zip(sorted(periods), seasonal_spans or (), strict=False))
    kept = tuple(sorted({period for period in periods if period >= 2 and 2 * period <= len(values)}))
    chosen = [spans.get(period, 7 + 4 * (place + 1)) for place, period in enumerate(kept)]
    scale = float(np.max(np.abs(values[known]))) or 1.0
    y = np.where(known, values, 0.0) / scale
    weights = known.astype(np.float64)
    trend, seasons = _components(y, weights, kept, chosen, all_known=bool(known.all()))
    for _ in range(_ROBUST_ROUNDS if robust else 0):
        weights = known * _bisquare(y - trend - sum(seasons), known)
        trend, seasons = _components(y, weights, kept, chosen, all_known=False)
    remainder = np.where(known, y - trend - sum(seasons), np.nan) * scale
    scaled = tuple(season * scale for season in seasons)
    return Decomposition(kept, trend * scale, scaled, remainder, np.where(known, weights, 1.0))


def _components(
    y: Array, weights: Array, periods: tuple[int, ...], spans: list[int], *, all_known: bool
) -> tuple[Array, list[Array]]:
    given = None if all_known else weights
    if not periods:
        return _trend(y, given, _odd(max(7, len(y) // 4))), []
    seasons = [np.zeros_like(y) for _ in periods]
    trend = np.zeros_like(y)
    for _ in range(_MSTL_ROUNDS if len(periods) > 1 else 1):
        for place, (period, span) in enumerate(zip(periods, spans, strict=True)):
            others = sum((season for number, season in enumerate(seasons) if number != place), np.zeros_like(y))
            trend, seasons[place] = _stl(y - others, given, period, span)
    return trend, seasons


def _stl(y: Array, weights: Array | None, period: int, span: int) -> tuple[Array, Array]:
    trend, season = np.zeros_like(y), np.zeros_like(y)
    drift = span if span != PERIODIC else 10 * len(y)
    trend_span = _odd(math.ceil(1.5 * period / (1 - 1.5 / drift)))
    for _ in range(_INNER_ROUNDS):
        cycles = _cycle_smoothed(y - trend, weights, period, span)
        season = cycles[period : period + len(y)] - _low_pass(cycles, period)
        trend = _trend(y - season, weights, trend_span)
    return trend, season


def _trend(y: Array, weights: Array | None, span: int) -> Array:
    return smoothed(y[:, None], span, None if weights is None else weights[:, None])[:, 0]


def _cycle_smoothed(y: Array, weights: Array | None, period: int, span: int) -> Array:
    """Each phase smoothed over the cycles, one cycle before the first and one after the last included."""
    n = len(y)
    cycles = math.ceil(n / period)
    padded, given = np.zeros(cycles * period), np.zeros(cycles * period)
    padded[:n], given[:n] = y, 1.0 if weights is None else weights
    table, mask = padded.reshape(cycles, period), given.reshape(cycles, period)
    if span == PERIODIC:
        sums, counts = (table * mask).sum(axis=0), mask.sum(axis=0)
        means = np.where(counts > 0, sums / np.maximum(counts, 1e-300), 0.0)
        return np.tile(means, cycles + 2)[: n + 2 * period]
    if weights is not None:
        made = smoothed(table, span, mask, beyond=1)
        return made.reshape(-1)[: n + 2 * period]
    full = n - (cycles - 1) * period  # phases that the last cycle still has; the others end a cycle earlier
    made = np.zeros((cycles + 2, period))
    made[:, :full] = smoothed(table[:, :full], span, beyond=1)
    if full < period:
        made[:-1, full:] = smoothed(table[:-1, full:], span, beyond=1)
    return made.reshape(-1)[: n + 2 * period]


def _low_pass(cycles: Array, period: int) -> Array:
    """What of the seasons is slower than their period: moving averages of period, period and 3, then loess."""
    averaged = _moving_average(_moving_average(_moving_average(cycles, period), period), 3)
    return smoothed(averaged[:, None], _odd(period))[:, 0]


def _moving_average(values: Array, width: int) -> Array:
    sums = np.cumsum(np.concatenate([[0.0], values]))
    return np.asarray((sums[width:] - sums[:-width]) / width)


def _odd(number: int) -> int:
    return number | 1


def _bisquare(remainder: Array, known: Array) -> Array:
    """Robustness weights: 1 at no remainder, 0 beyond six times the median absolute one."""
    sizes = np.abs(remainder)
    reach = 6 * float(np.median(sizes[known]))
    if reach <= 1e-12:
        return np.where(sizes > 1e-9, 0.0, 1.0)
    return np.asarray(np.clip(1 - np.minimum(sizes / reach, 1) ** 2, 1e-6, 1) ** 2)


def _strength(remainder: Array, both: Array) -> float:
    known = np.isfinite(remainder)
    spread = float(np.var(both[known]))
    return max(0.0, 1 - float(np.var(remainder[known])) / spread) if spread > 0 else 0.0
