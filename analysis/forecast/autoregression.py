"""Linear autoregression on the last values and on those about one and two cycles ago, fitted by ridge regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.columns import Array

_SHORT = (1, 2, 3)
# The penalty in units of the predictors' variance, a row: enough to hold near-copies of one another apart.
_PENALTY = 0.003


def lags_for(periods: Sequence[int], known: int) -> tuple[int, ...]:
    """Lags that a series of so many known values bears: at least twice as many rows as lags."""
    wanted = list(_SHORT)
    for period in periods:
        wanted += [period - 1, period, period + 1, 2 * period]
    if len(periods) > 1:
        wanted += [k * periods[0] for k in range(2, periods[-1] // periods[0])]
    lags = sorted({lag for lag in wanted if lag >= 1})
    while lags and known - lags[-1] < max(2 * len(lags) + 2, known // 3):
        lags.pop()
    return tuple(lags)


def autoregression_forecast(
    values: Array, periods: Sequence[int], horizon: int, *, difference: int = 0
) -> Array | None:
    """The next `horizon` values, fed on its own forecasts; of differences at a lag where `difference` is not 0.

    None where the history is too short.
    """
    series = values[difference:] - values[:-difference] if difference else values
    lags = lags_for(periods, len(series))
    if not lags or len(series) - lags[-1] < 10:
        return None
    centre, spread = float(series.mean()), float(series.std()) or 1.0
    scaled = (series - centre) / spread
    longest = lags[-1]
    design = np.stack([scaled[longest - lag : len(scaled) - lag] for lag in lags], axis=1)
    coefficients, intercept = _ridge(design, scaled[longest:])
    ahead = np.concatenate([scaled[-longest:], np.empty(horizon)])
    places = longest - np.array(lags)
    for step in range(horizon):
        ahead[longest + step] = intercept + coefficients @ ahead[places + step]
    made = ahead[longest:] * spread + centre
    if not difference:
        return made
    full = np.concatenate([values[-difference:], np.empty(horizon)])
    for step in range(horizon):
        full[difference + step] = made[step] + full[step]
    return full[difference:]


def _ridge(design: Array, targets: Array) -> tuple[Array, float]:
    means, mean = design.mean(axis=0), targets.mean()
    centred = design - means
    products = centred.T @ centred
    products[np.diag_indices_from(products)] += _PENALTY * len(targets)
    coefficients = np.linalg.solve(products, centred.T @ (targets - mean))
    return coefficients, float(mean - coefficients @ means)
