"""The rolling-origin backtest of one series: the combination, its scores beside every model's, and its intervals.

Tashman, "Out-of-sample tests of forecasting accuracy" (2000).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from analysis.columns import Array
from analysis.forecast.accuracy import absolute_scale, mean_absolute_error, owa, pinball, smape
from analysis.forecast.answers import Backtest, Coverage, ModelScore
from analysis.forecast.candidates import NAIVE, NAIVE2, Candidates, candidate_forecasts, seasonal_naive_name
from analysis.forecast.combination import Combination, combine
from analysis.forecast.intervals import LEAST_ERRORS, Widths, conformal_widths, model_widths, phases_of
from analysis.forecast.origins import Plan


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """The forecast from the end of a series, shape (horizon,), with how far each interval reaches, and the backtest."""

    forecast: Array
    widths: Widths
    backtest: Backtest

    def backtest_in(self, unit: float) -> Backtest:
        """The backtest of the values times `unit`: of its figures only the pinball loss has one."""
        coverage = tuple(
            replace(each, pinball=min(each.pinball * unit, sys.float_info.max)) for each in self.backtest.coverage
        )
        return replace(self.backtest, coverage=coverage)


def backtested(values: Array, plan: Plan, season: int, levels: tuple[float, ...], check: Callable[[], None]) -> Tested:
    """`values` are finite and not all the same. `season` is that of the benchmarks, 1 for none."""
    origins = plan.origins
    candidates = candidate_forecasts(values, plan.periods, season, [*origins, len(values)], plan.horizon, check)
    actual = np.array([values[origin : origin + plan.horizon] for origin in origins])
    combination = combine(candidates.forecasts, actual, candidates.of(NAIVE2)[:-1])
    forecasts = _bounded_below(combination.forecasts, values)
    errors = actual - forecasts[:-1]
    widths = _widths(errors, origins, values, season, levels, len(origins))
    scored = _Scores(candidates, actual, absolute_scale(values[: origins[0]], season))
    best = scored.of(f"combination ({combination.how})", forecasts[:-1], 1.0)
    models = _models(scored, candidates, combination, season)
    naive_name = seasonal_naive_name(season) if season > 1 else NAIVE
    rival = next(model for model in models if model.model == naive_name)
    backtest = Backtest(
        len(origins),
        plan.stride,
        plan.horizon,
        season,
        best,
        models,
        _coverages(errors, values, plan, season, levels),
        None if best.owa is None or rival.owa is None else best.owa < rival.owa,
    )
    return Tested(forecasts[-1], widths, backtest)


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    candidates: Candidates
    actual: Array
    scale: float

    def of(self, name: str, forecasts: Array, weight: float) -> ModelScore:
        benchmark = self.candidates.of(NAIVE2)[:-1]
        smapes = [float(smape(made, self.actual).mean()) for made in (forecasts, benchmark)]
        errors = [float(mean_absolute_error(made, self.actual).mean()) for made in (forecasts, benchmark)]
        mase = errors[0] / self.scale if self.scale > 0 else None
        return ModelScore(name, weight, mase, smapes[0], owa(smapes[0], errors[0], smapes[1], errors[1]))


def _models(scored: _Scores, candidates: Candidates, combination: Combination, season: int) -> tuple[ModelScore, ...]:
    """What has a weight, and the benchmarks; by OWA."""
    benchmarks = {NAIVE, NAIVE2, seasonal_naive_name(season)}
    made = [
        scored.of(name, candidates.of(name)[:-1], float(weight))
        for name, weight in zip(candidates.names, combination.weights, strict=True)
        if weight > 0 or name in benchmarks
    ]
    return tuple(sorted(made, key=lambda score: (score.owa is None, score.owa or 0.0, score.smape, score.model)))


def _widths(
    errors: Array, origins: tuple[int, ...], values: Array, season: int, levels: tuple[float, ...], tested: int
) -> Widths:
    """How far intervals after the last of `values` reach, from errors at these origins of `tested` in all."""
    horizon = errors.shape[1]
    if errors.size >= LEAST_ERRORS:
        return conformal_widths(errors, levels, phases_of(season, origins, len(values), horizon), tested)
    return model_widths(_deseasoned(values, season), horizon, levels)


def _deseasoned(values: Array, season: int) -> Array:
    """The values less the mean of their phase, where there is more than one cycle."""
    if season < 2 or len(values) < 2 * season:
        return values
    phases = np.arange(len(values)) % season
    return np.asarray(values - (np.bincount(phases, values) / np.bincount(phases))[phases])


def _coverages(
    errors: Array, values: Array, plan: Plan, season: int, levels: tuple[float, ...]
) -> tuple[Coverage, ...]:
    """What intervals made without an origin would have covered there."""
    made = []
    for origin, judges in zip(plan.origins, plan.others(), strict=True):
        elsewhere = tuple(plan.origins[judge] for judge in judges)
        made.append(_widths(errors[list(judges)], elsewhere, values[:origin], season, levels, len(plan.origins)).widths)
    widths = np.stack(made, axis=1)  # levels, origins, horizon
    return tuple(
        Coverage(
            level,
            float(np.mean(np.abs(errors) <= width)),
            pinball(-width, width, errors, level),
            int(errors.size),
        )
        for level, width in zip(levels, widths, strict=True)
    )


def _bounded_below(forecasts: Array, values: Array) -> Array:
    """What was never negative is not forecast to be."""
    return np.maximum(forecasts, 0.0) if values.min() >= 0 else forecasts
