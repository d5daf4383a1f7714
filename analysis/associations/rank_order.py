"""Measures of two columns' order beyond Spearman's: Kendall's tau-b and Chatterjee's xi, on rows that have both."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.associations import intervals
from analysis.columns import Array

# xi of one subsample says little of how xi varies; of many, each is short.
SUBSAMPLES, SHORTEST = 20, 20


@dataclass(frozen=True, slots=True)
class Ordered:
    """A coefficient, its interval and p under independence."""

    value: float
    low: float
    high: float
    p: float


def kendall(x: Array, y: Array, level: float) -> Ordered | None:
    """tau-b, O(n log n) (Knight 1966), from codes; p exact for few rows without ties. None where either is constant."""
    from scipy.stats import kendalltau  # noqa: PLC0415 - two seconds to import, and only this method needs it

    with np.errstate(divide="ignore", invalid="ignore"):
        found = kendalltau(x, y)
    tau, p = float(found.statistic), float(found.pvalue)
    if not math.isfinite(tau):
        return None
    n = len(x)
    # No rows in between tell +-1 from a little less: half a discordant pair is allowed for.
    inner = np.float64(np.clip(tau, -1 + 2 / (n * (n - 1)), 1 - 2 / (n * (n - 1))))
    error = max(float(intervals.kendall_error(inner, n)), _error_by_p(tau, p))
    low, high = intervals.fisher_z(inner, error, level)
    return Ordered(tau, min(float(low), tau), max(float(high), tau), p)


def _error_by_p(tau: float, p: float) -> float:
    """The standard error that made this p of tau: ties make it larger than the formula for the interval allows for."""
    from scipy.special import ndtri  # noqa: PLC0415

    return abs(tau / float(ndtri(p / 2))) if 1e-300 < p < 1 else 0.0


def xi(x: Array, y: Array, level: float, random: np.random.Generator) -> Ordered | None:
    """How far y is a function of x, monotone or not (Chatterjee 2021), of codes; ties of x in an order of chance.

    The interval comes from disjoint subsamples, since a bootstrap of xi fails; below 400 rows it has the greatest
    spread that independence would give, doubled. None where y is constant.
    """
    shuffled = random.permutation(len(x))
    x, y = x[shuffled], y[shuffled]
    value = coefficient(x, y)
    if value is None:
        return None
    p = float(intervals.normal_test(value / null_deviation(y))) / 2 if value > 0 else 1.0
    error = _error(x, y)
    width = intervals.quantile(level) * error
    return Ordered(value, max(value - width, -0.5), min(value + width, 1.0), p)


def coefficient(x: Array, y: Array) -> float | None:
    """xi of y on x; rows with equal x stay in their order."""
    n = len(x)
    upto = np.cumsum(np.bincount(y))
    below = np.concatenate([[0], upto[:-1]])
    rank, above = upto[y], n - below[y]  # how many y are at most, and at least, this one
    spread = 2.0 * float(np.sum(above * (n - above)))
    if spread == 0:
        return None
    along = rank[np.argsort(x, kind="stable")]
    return 1 - n * float(np.sum(np.abs(np.diff(along)))) / spread


def null_deviation(y: Array) -> float:
    """Of xi under independence, for any ties of y (Chatterjee 2021, theorem 2.2)."""
    n = len(y)
    upto = np.cumsum(np.bincount(y))
    below = np.concatenate([[0], upto[:-1]])
    rank, above = upto[y], n - below[y]
    u = np.sort(rank).astype(np.float64)
    v = np.cumsum(u)
    i = np.arange(1, n + 1)
    a = float(np.sum((2 * n - 2 * i + 1) * u**2)) / n**4
    b = float(np.sum((v + (n - i) * u) ** 2)) / n**5
    c = float(np.sum((2 * n - 2 * i + 1) * u)) / n**3
    d = float(np.sum(above * (n - above.astype(np.float64)))) / n**3
    return math.sqrt(max(a - 2 * b + c**2, 0.0)) / d / math.sqrt(n)


def _error(x: Array, y: Array) -> float:
    n = len(x)
    if n < SUBSAMPLES * SHORTEST:
        return 2 * null_deviation(y)
    length = n // SUBSAMPLES
    parts = [
        coefficient(x[start : start + length], y[start : start + length])
        for start in range(0, length * SUBSAMPLES, length)
    ]
    varying = np.array([part for part in parts if part is not None])
    if len(varying) < 2:
        return 2 * null_deviation(y)
    # Student's t with as many degrees of freedom is a tenth wider than the normal.
    return float(varying.std(ddof=1)) / math.sqrt(len(varying)) * 1.1
