"""How much of a number's spread a category explains: the correlation ratio, with the test of Kruskal and Wallis."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.associations import intervals
from analysis.columns import Array

# Rows from which the spread of the estimate is computed; the estimate itself is of all rows.
INFLUENCE_ROWS = 20_000
# A larger share is rounding: the category tells the number.
NEARLY_ALL = 1 - 1e-9
# Of a chi-square like statistic this large nobody asks whether it is 0, and its noncentral distribution takes long.
FAR = 10_000.0


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Of a column of numbers by a category's levels, over the rows that have both: counts, sums, sums of squares.

    Levels without rows are left out. Numbers may be shifted and scaled: no measure depends on it.
    """

    counts: Array
    sums: Array
    squares: Array

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    @property
    def square(self) -> float:
        return float(self.squares.sum())

    @property
    def total(self) -> float:
        """Sum of squared distances from the mean."""
        return max(self.square - float(self.sums.sum()) ** 2 / self.n, 0.0)

    @property
    def between(self) -> float:
        """Sum of squared distances of the groups' means from the mean."""
        parts = float(np.sum(self.sums**2 / self.counts))
        return min(max(parts - float(self.sums.sum()) ** 2 / self.n, 0.0), self.total)

    @property
    def varies(self) -> bool:
        """False where the numbers differ by no more than rounding."""
        return self.n > 0 and self.total > 1e-12 * self.square


def groups_of(values: Array, codes: Array, levels: int, shift: float = 0.0) -> Groups:
    """`values` float64, NaN where null; `codes` from 1 on, 0 where null."""
    valid = ~np.isnan(values) & (codes > 0)
    x, g = values[valid] - shift, codes[valid].astype(np.intp)
    counts = np.bincount(g, minlength=levels + 1)[1:]
    sums = np.bincount(g, weights=x, minlength=levels + 1)[1:]
    squares = np.bincount(g, weights=x * x, minlength=levels + 1)[1:]
    there = counts > 0
    return Groups(counts[there], sums[there], squares[there])


@dataclass(frozen=True, slots=True)
class Ratio:
    """`effect` is the square root of epsilon square (Kelley 1935), with its interval. `f_p` is of the F test."""

    effect: float
    low: float
    high: float
    eta_squared: float
    epsilon_squared: float
    omega_squared: float
    f_p: float


def correlation_ratio(groups: Groups, deviation: float, level: float) -> Ratio | None:
    """None where there are no two groups or not more rows than groups. `deviation` as `influence_deviation` tells."""
    n, k = groups.n, len(groups.counts)
    if k < 2 or n <= k or not groups.varies:
        return None
    total, between = groups.total, groups.between
    within = max(total - between, 0.0) / (n - k)
    eta2 = between / total
    explained = between - (k - 1) * within
    epsilon2, omega2 = explained / total, explained / (total + within)
    statistic = between / (k - 1) / within if within > 0 else math.inf
    effect = math.sqrt(max(epsilon2, 0.0))
    low, high = _interval(groups, effect, deviation, level) if eta2 < NEARLY_ALL else (1.0, 1.0)
    return Ratio(effect, min(low, effect), max(high, effect), eta2, epsilon2, omega2, _f_test(statistic, k - 1, n - k))


def _interval(groups: Groups, effect: float, deviation: float, level: float) -> tuple[float, float]:
    """Near no effect from a noncentral F, far from it from what single rows add; the wider of both.

    The F is Brown and Forsythe's (1974), with Mehrotra's degrees of freedom (1997): groups may be spread differently.
    """
    n, share = groups.n, groups.counts / groups.n
    variances = _variances(groups)
    parts = (1 - share) * variances
    noise, mean = float(parts.sum()), float(np.sum(share * variances))
    squares = float(np.sum(variances**2)) + mean**2 - 2 * float(np.sum(share * variances**2))
    numerator = noise**2 / squares
    denominator = noise**2 / float(np.sum(parts**2 / np.maximum(groups.counts - 1, 1)))
    f = groups.between / noise
    far = None
    if 0 < effect < 1 and numerator * f > numerator + 4 * math.sqrt(2 * numerator):
        bounds = intervals.fisher_z(effect, deviation / (2 * effect) / (1 - effect**2) / math.sqrt(n), level)
        far = float(bounds[0]), float(bounds[1])
    if far is not None and numerator * f > FAR:
        return intervals.within(*far)
    explained = [part * noise / numerator for part in intervals.noncentral_f(f, numerator, denominator, level)]
    near = math.sqrt(explained[0] / (explained[0] + n * mean)), math.sqrt(explained[1] / (explained[1] + n * mean))
    return intervals.within(*(near if far is None else intervals.wider(near, far)))


def _variances(groups: Groups) -> Array:
    """Of each group; where one has a single row, that of all groups."""
    counts = groups.counts
    within = np.maximum(groups.squares - groups.sums**2 / counts, 0.0)
    pooled = (groups.total - groups.between) / (groups.n - len(counts))
    return np.where(counts > 1, within / np.maximum(counts - 1, 1), pooled)


def _f_test(statistic: float, numerator: int, denominator: int) -> float:
    from scipy.special import fdtrc  # noqa: PLC0415 - loaded when an analysis runs, not when the server starts

    return float(fdtrc(numerator, denominator, statistic)) if math.isfinite(statistic) else 0.0


def influence_deviation(values: Array, codes: Array) -> float:
    """Standard deviation of a row's influence on eta square, whatever the distribution in the groups.

    Of some rows as `groups_of` takes them. The influence of a row in a group whose mean is d from the mean, itself e
    from its group's, is ((1 - eta2) (d^2 + 2 d e) - eta2 e^2) / variance.
    """
    valid = ~np.isnan(values) & (codes > 0)
    x, g = values[valid], codes[valid].astype(np.intp)
    if len(x) < 2:
        return 0.0
    x = x - x.mean()
    variance = float(np.mean(x**2))
    counts = np.maximum(np.bincount(g), 1)
    d = (np.bincount(g, weights=x) / counts)[g]
    e = x - d
    eta2 = float(np.mean(d**2)) / variance if variance else 0.0
    return float(np.std((1 - eta2) * (d**2 + 2 * d * e) - eta2 * e**2)) / variance if variance else 0.0


def kruskal_wallis(groups: Groups) -> tuple[float, float] | None:
    """H, corrected for ties, and p, of groups of ranks; None where no test can be made."""
    n, k = groups.n, len(groups.counts)
    if k < 2 or n <= k or not groups.varies:
        return None
    statistic = (n - 1) * groups.between / groups.total
    return statistic, float(intervals.chi_square_test(statistic, k - 1))
