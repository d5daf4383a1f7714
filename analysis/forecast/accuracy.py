"""Measures of forecasts against what came: MASE, sMAPE, OWA, pinball loss.

Hyndman & Koehler, "Another look at measures of forecast accuracy" (2006); the M4 competition's conventions for sMAPE
(in percent, 0 to 200) and OWA (the mean of both relative to Naive2, below 1 is better).
"""

from __future__ import annotations

import numpy as np

from analysis.columns import Array


def absolute_scale(values: Array, period: int) -> float:
    """The mean absolute error of the (seasonal) naive method within the series: the unit of MASE. 0 of a constant."""
    lag = period if len(values) > period else 1
    return float(np.mean(np.abs(values[lag:] - values[:-lag]))) if len(values) > 1 else 0.0


def smape(forecasts: Array, actual: Array) -> Array:
    """Percent, over the last axis; a pair of zeros is no error."""
    sizes = np.abs(forecasts) + np.abs(actual)
    errors = np.abs(forecasts - actual)
    return np.asarray(np.mean(np.divide(200 * errors, sizes, out=np.zeros_like(errors), where=sizes > 0), axis=-1))


def mean_absolute_error(forecasts: Array, actual: Array) -> Array:
    """Over the last axis."""
    return np.asarray(np.mean(np.abs(forecasts - actual), axis=-1))


def relative(figure: float, benchmark: float) -> float | None:
    """A figure in units of a benchmark's; None where the benchmark made no error and this one did."""
    if benchmark > 0:
        return figure / benchmark
    return 1.0 if figure == 0 else None


def owa(smape_figure: float, mae: float, smape_naive2: float, mae_naive2: float) -> float | None:
    """The overall weighted average: half the relative sMAPE, half the relative MASE (its scale cancels)."""
    parts = relative(smape_figure, smape_naive2), relative(mae, mae_naive2)
    return None if parts[0] is None or parts[1] is None else (parts[0] + parts[1]) / 2


def pinball(low: Array, high: Array, actual: Array, level: float) -> float:
    """The mean pinball loss of both ends of a central interval, in the values' unit: lower is better."""
    tail = (1 - level) / 2
    losses = [_pinball(actual - end, quantile) for end, quantile in ((low, tail), (high, 1 - tail))]
    return float(np.mean(losses))


def _pinball(above: Array, quantile: float) -> float:
    return float(np.mean(np.maximum(quantile * above, (quantile - 1) * above)))
