"""Tables of two categories: Cramer's V, Theil's U and the mutual information, with tests and intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.associations import intervals
from analysis.columns import Array

# Cochran's rule for the chi-square distribution of a table: at least 80 % of the cells expect 5, and none less than 1.
EXPECTED, SHARE, LEAST = 5.0, 0.8, 1.0
# The likelihood ratio comes near that distribution more slowly.
LEAST_OF_LIKELIHOOD = 20.0
# With fewer permutations as extreme as what was found, their counted share says too little of the tail.
COUNTED = 10


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Counts, (r, c), of the rows that have both; levels that none of these has are left out."""

    counts: Array

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    @property
    def shape(self) -> tuple[int, int]:
        return self.counts.shape[0], self.counts.shape[1]

    @property
    def freedom(self) -> int:
        return (self.shape[0] - 1) * (self.shape[1] - 1)

    @property
    def is_constant(self) -> bool:
        return min(self.shape) < 2

    def expected(self) -> Array:
        """Counts under independence."""
        return np.asarray(np.outer(self.counts.sum(axis=1), self.counts.sum(axis=0)) / self.n)

    def is_filled(self, least: float = LEAST) -> bool:
        expected = self.expected()
        return bool(np.mean(expected >= EXPECTED) >= SHARE and expected.min() >= least)


def table_of(a: Array, b: Array, levels_a: int, levels_b: int) -> Table:
    """Of codes from 1 on, 0 where null."""
    width = levels_b + 1
    joint = np.bincount(a.astype(np.intp) * width + b, minlength=(levels_a + 1) * width)
    counts = joint.reshape(levels_a + 1, width)[1:, 1:]
    return Table(counts[counts.any(axis=1)][:, counts.any(axis=0)])


def chi_square(counts: Array) -> Array:
    """Pearson's statistic of tables (..., r, c), without Yates' correction."""
    rows, columns = counts.sum(axis=-1, keepdims=True), counts.sum(axis=-2, keepdims=True)
    n = rows.sum(axis=-2, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        cells = np.where(counts > 0, counts / rows * counts / columns, 0.0)
    return np.asarray(n[..., 0, 0] * (cells.sum(axis=(-2, -1)) - 1))


def information(counts: Array) -> Array:
    """Mutual information of tables (..., r, c) in nats, as counted: not corrected."""
    return (
        _entropy(counts.sum(axis=-1)) + _entropy(counts.sum(axis=-2)) - _entropy(counts.reshape(*counts.shape[:-2], -1))
    )


def _entropy(counts: Array) -> Array:
    n = counts.sum(axis=-1, keepdims=True)
    shares = counts / n
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(counts > 0, shares * np.log(shares), 0.0)
    return np.asarray(-terms.sum(axis=-1))


@dataclass(frozen=True, slots=True)
class Effect:
    value: float
    low: float
    high: float


def cramers_v(table: Table, level: float) -> Effect | None:
    """Corrected for bias (Bergsma 2013); None where the correction leaves nothing to compare with."""
    n, (r, c) = table.n, table.shape
    phi2 = float(chi_square(table.counts)) / n
    unbiased = max(0.0, phi2 - table.freedom / (n - 1))
    side = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    if side <= 0:
        return None
    value = min(math.sqrt(unbiased / side), 1.0)
    bounds = intervals.noncentral_chi_square(phi2 * n, table.freedom, level)
    near = tuple(math.sqrt(bound / n / (min(r, c) - 1)) for bound in bounds)
    deviation = _phi2_deviation(table) / (2 * value * side) / math.sqrt(n) if value else math.inf
    return _effect(value, (near[0], near[1]), deviation, phi2 * n, table.freedom, level)


def _effect(
    value: float, near: tuple[float, float], deviation: float, statistic: float, freedom: float, level: float
) -> Effect:
    """Near independence the statistic is noncentral chi-square; far from it the measure is normal. The wider holds."""
    interval = near
    if 0 < value < 1 and statistic > freedom + 4 * math.sqrt(2 * freedom):
        far = intervals.fisher_z(value, deviation / (1 - value**2), level)
        interval = intervals.wider(near, (float(far[0]), float(far[1])))
    elif value >= 1:
        interval = (min(near[0], 1.0), 1.0)
    low, high = intervals.within(*interval)
    return Effect(value, min(low, value), max(high, value))


def _phi2_deviation(table: Table) -> float:
    """Standard deviation of a row's influence on phi square (Bishop, Fienberg and Holland 1975, 11.3)."""
    p = table.counts / table.n
    rows, columns = p.sum(axis=1, keepdims=True), p.sum(axis=0, keepdims=True)
    squares = p**2 / rows / columns
    influence = 2 * p / rows / columns - squares.sum(axis=1, keepdims=True) / rows - squares.sum(axis=0) / columns
    return _deviation(p, influence)


def _deviation(p: Array, influence: Array) -> float:
    return math.sqrt(max(float((p * influence**2).sum() - (p * influence).sum() ** 2), 0.0))


def theils_u(table: Table, level: float) -> Effect:
    """How much of the uncertainty of the columns' category the rows' category takes away, from 0 to 1.

    The entropies are corrected for bias (Miller and Madow 1955).
    """
    n, columns = table.n, table.counts.sum(axis=0)
    entropy = float(_entropy(columns)) + (len(columns) - 1) / (2 * n)
    value = min(max(corrected_information(table), 0.0) / entropy, 1.0)
    statistic = 2 * n * float(information(table.counts))
    near = [bound / (2 * n) / entropy for bound in intervals.noncentral_chi_square(statistic, table.freedom, level)]
    p = table.counts / n
    influence = (_lift(p) + value * np.log(p.sum(axis=0))) / entropy
    deviation = _deviation(p, influence) / math.sqrt(n)
    return _effect(value, (near[0], near[1]), deviation, statistic, table.freedom, level)


def corrected_information(table: Table) -> float:
    """Mutual information in nats after Miller and Madow; may be a little below 0."""
    r, c = table.shape
    cells = int(np.count_nonzero(table.counts))
    return float(information(table.counts)) + (r + c - cells - 1) / (2 * table.n)


def information_as_correlation(table: Table, level: float) -> Effect:
    """sqrt(1 - exp(-2 I)): what |r| is where both are normal with this mutual information."""
    n = table.n
    found = max(corrected_information(table), 0.0)
    value = _as_correlation(found)
    statistic = 2 * n * float(information(table.counts))
    bounds = intervals.noncentral_chi_square(statistic, table.freedom, level)
    near = (_as_correlation(bounds[0] / (2 * n)), _as_correlation(bounds[1] / (2 * n)))
    p = table.counts / n
    deviation = _deviation(p, _lift(p)) * math.exp(-2 * found) / value / math.sqrt(n) if value else math.inf
    return _effect(value, near, deviation, statistic, table.freedom, level)


def _as_correlation(nats: float) -> float:
    return math.sqrt(-math.expm1(-2 * nats))


def _lift(p: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.where(p > 0, np.log(p / p.sum(axis=1, keepdims=True) / p.sum(axis=0)), 0.0)


def likelihood_ratio(counts: Array) -> Array:
    """The G statistic of tables (..., r, c)."""
    return np.asarray(2 * counts.sum(axis=(-2, -1)) * information(counts))


def independence(
    table: Table, statistic: Callable[[Array], Array], permutations: int, random: np.random.Generator
) -> tuple[float, str]:
    """p, and the test it is of. `statistic` is `chi_square` or `likelihood_ratio`."""
    found = float(statistic(table.counts))
    if table.is_filled(LEAST if statistic is chi_square else LEAST_OF_LIKELIHOOD):
        return float(intervals.chi_square_test(found, table.freedom)), "chi-square"
    if table.shape == (2, 2):
        return _fisher(table), "Fisher's exact"
    return _permuted(table, statistic, found, permutations, random), f"{permutations} permutations"


def _permuted(
    table: Table, statistic: Callable[[Array], Array], found: float, permutations: int, random: np.random.Generator
) -> float:
    """Tables with the same margins are what permuting one of the columns gives (Patefield 1981).

    The tail beyond what was permuted is that of the gamma distribution with their mean and variance.
    """
    from scipy.special import gammaincc  # noqa: PLC0415
    from scipy.stats import random_table  # noqa: PLC0415

    margins = random_table(table.counts.sum(axis=1), table.counts.sum(axis=0))
    null = statistic(margins.rvs(permutations, random_state=random))
    extreme = int(np.count_nonzero(null >= found - 1e-9 * abs(found)))
    counted = (1 + extreme) / (1 + permutations)
    mean, variance = float(null.mean()), float(null.var(ddof=1))
    if extreme >= COUNTED or variance <= 0 or mean <= 0:
        return counted
    return min(counted, float(gammaincc(mean**2 / variance, found * mean / variance)))


def _fisher(table: Table) -> float:
    """Fisher's exact test of a 2 by 2 table: every table with these margins that is no likelier."""
    from scipy.special import gammaln  # noqa: PLC0415

    (a, b), (c, d) = table.counts.tolist()
    first, second, column = a + b, c + d, a + c
    values = np.arange(max(0, column - second), min(first, column) + 1)
    logs = -(
        gammaln(values + 1)
        + gammaln(first - values + 1)
        + gammaln(column - values + 1)
        + gammaln(second - column + values + 1)
    )
    chances = np.exp(logs - logs.max())
    here = chances[a - values[0]]
    return float(min(chances[chances <= here * (1 + 1e-7)].sum() / chances.sum(), 1.0))
