"""The memory of a series: how much of a value the next one keeps, and what is left when that is taken out.

Tests that take a series' values for independent find trends, steps and relations in what merely wanders. Here is what
the tests of this package use instead: autoregressions chosen by BIC, a bound on how persistent the noise may be, and
the variance in the long run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.columns import Array

# Standard errors between the estimated persistence and the one that tests reckon with.
_CAUTION = 1.5


def stationary_below(count: int) -> float:
    """What Dickey and Fuller's statistic about a line goes below in three of a thousand random walks (by simulation of
    18 to 300 values), of which a third then have a trend with p below 0.0001.

    Series that stay above are taken for random walks: these would give the smallest p-values otherwise.
    """
    return -4.3 - 10.0 / count


@dataclass(frozen=True, slots=True)
class Persistence:
    """`alpha` is the sum of the autoregressive coefficients (0 white noise, 1 random walk), `upper` the largest that
    the values admit, at most 1, `error` the standard error of alpha and `innovation` the variance of the surprises."""

    alpha: float
    error: float
    upper: float
    innovation: float
    lags: int

    @property
    def unit_root_statistic(self) -> float:
        """Dickey and Fuller's: far below 0 where the series returns to its level."""
        return (self.alpha - 1.0) / self.error if self.error > 0 else -math.inf


def persistence(residuals: Array, terms: int = 2) -> Persistence | None:
    """Of residuals about a fit of `terms` parameters; None of fewer than 12 values or of a perfect fit.

    An augmented Dickey-Fuller regression whose lags BIC chooses. Least squares makes the persistence too small by about
    (terms + 2 alpha) / n; the bound makes up for that.
    """
    count = len(residuals)
    if count < 12 or float(np.ptp(residuals)) == 0.0:
        return None
    most = min(int(4 * (count / 100) ** 0.25) + 1, count // 8)
    rho, error, variance, lags = _dickey_fuller(residuals, most)
    alpha = 1.0 + rho
    bias = (terms + 2.0 * max(alpha, 0.0)) / count
    upper = min(1.0, max(0.0, alpha) + bias + _CAUTION * error) if rho < stationary_below(count) * error else 1.0
    return Persistence(alpha, error, upper, variance, lags)


def _dickey_fuller(residuals: Array, most: int) -> tuple[float, float, float, int]:
    """Rho, its error, the variance of the surprises and the number of lags, on the rows that every number of lags has.

    One orthogonal triangle holds the squares left by all the nested regressions.
    """
    steps = np.diff(residuals)
    target = steps[most:]
    lagged = [steps[most - lag : len(steps) - lag] for lag in range(1, most + 1)]
    triangle: Array = np.asarray(np.linalg.qr(np.column_stack([residuals[most:-1], *lagged, target]), mode="r"))
    rows = len(target)
    left = np.cumsum(triangle[::-1, -1] ** 2)[::-1]  # left[k]: squares that k terms leave
    terms = np.arange(1, most + 2)
    squares = np.maximum(left[1 : most + 2], 1e-300)
    best = int(np.argmin(rows * np.log(squares / rows) + terms * math.log(rows)))
    count = best + 1
    corner = triangle[:count, :count]
    solved = np.linalg.pinv(corner)
    variance = float(squares[best]) / max(rows - count, 1)
    rho = float(solved[0] @ triangle[:count, -1])
    return rho, math.sqrt(variance * float(solved[0] @ solved[0])), variance, best


def long_run_variance(residuals: Array) -> float:
    """Newey and West's with a Bartlett kernel, never below the plain variance (which segments of few values have)."""
    count = len(residuals)
    centred = residuals - residuals.mean()
    plain = float(centred @ centred) / count
    total = plain
    bandwidth = int(4 * (count / 100) ** (2 / 9))
    for lag in range(1, min(bandwidth, count - 1) + 1):
        covariance = float(centred[lag:] @ centred[:-lag]) / count
        total += 2.0 * (1.0 - lag / (bandwidth + 1)) * covariance
    return max(total, plain)


def whitened(values: Array, most_lags: int = 8) -> Array:
    """What an autoregression of the values (mean 0, NaN taken as 0) does not foresee; as long, the first ones as 0.

    Yule-Walker by Levinson and Durbin, the number of lags by BIC.
    """
    filled = np.nan_to_num(values)
    count = len(filled)
    most = min(most_lags, count // 10)
    coefficients = _yule_walker(filled, most)
    if not len(coefficients):
        return filled
    surprise = filled.copy()
    for lag, coefficient in enumerate(coefficients, start=1):
        surprise[lag:] -= coefficient * filled[:-lag]
    surprise[: len(coefficients)] = 0.0
    return surprise


def _yule_walker(values: Array, most: int) -> Array:
    count = len(values)
    variance = float(values @ values) / max(count, 1)
    if variance <= 0 or most < 1:
        return np.zeros(0)
    covariances = np.array([float(values[lag:] @ values[: count - lag]) / count for lag in range(most + 1)])
    best, best_criterion = np.zeros(0), 0.0
    coefficients = np.zeros(0)
    error = covariances[0]
    for order in range(1, most + 1):
        reflection = (covariances[order] - coefficients @ covariances[order - 1 : 0 : -1]) / error
        coefficients = np.r_[coefficients - reflection * coefficients[::-1], reflection]
        error *= max(1.0 - reflection**2, 1e-12)
        criterion = count * math.log(error / covariances[0]) + order * math.log(count)
        if criterion < best_criterion:
            best, best_criterion = coefficients, criterion
    return best


def coupling(one: Array, other: Array) -> float:
    """The correlation of two whitened series over its standard error, which makes no assumption on their variances.

    Two series that are lively at the same times by chance would seem related to the usual test.
    """
    products = one * other
    spread = math.sqrt(float(products @ products))
    return float(products.sum()) / spread if spread > 0 else 0.0


def lag_one(values: Array) -> float:
    """The correlation of neighbours, of values with mean about 0; NaN is taken as 0."""
    filled = np.nan_to_num(values)
    power = float(filled @ filled)
    return float(filled[1:] @ filled[:-1]) / power if power > 0 and len(filled) > 2 else 0.0


def despiked(values: Array, reach: int = 3, limit: float = 4.0) -> Array:
    """The values, single ones that stand far out of their neighbours put back to these' median.

    What lasts, a step or a slope, stays. `limit` is in robust standard deviations of the distance to that median.
    """
    if len(values) < 2 * reach + 1:
        return values
    padded = np.pad(values, reach, mode="reflect")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), axis=1)
    distance = values - middle
    spread = robust_deviation(distance)
    return np.where(np.abs(distance) > limit * spread, middle, values) if spread > 0 else values


def robust_deviation(values: Array) -> float:
    """1.4826 times the median distance from the median: a normal distribution's standard deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values)))) if len(values) else 0.0
