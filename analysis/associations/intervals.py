"""Intervals of effects and the tests that go with them, for arrays of pairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analysis.columns import Array

Numbers = Array | float


def quantile(level: float) -> float:
    """Of the standard normal, two-sided."""
    from scipy.special import ndtri  # noqa: PLC0415 - loaded when an analysis runs, not when the server starts

    return float(ndtri(0.5 + level / 2))


def t_test(r: Numbers, n: Numbers) -> Array:
    """p, two-sided, of a correlation under independence: Student's t with n - 2 degrees of freedom."""
    from scipy.special import stdtr  # noqa: PLC0415

    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(r) * np.sqrt((n - 2) / (1 - r**2))
    return np.where(np.abs(r) >= 1, 0.0, 2 * stdtr(np.maximum(n - 2, 1), -t))


def skewed_test(r: Numbers, n: Numbers, skewness: Numbers) -> Array:
    """p, two-sided, of a correlation of which every permutation is as likely, by its first three moments.

    `skewness` is that of one column times that of the other. Pearson's type III distribution, as Mielke and Berry fit
    it to permutations; Student's t promises too much where both columns have long tails.
    """
    from scipy.special import gammainc, gammaincc  # noqa: PLC0415

    shape = 4 / (np.asarray(skewness) * np.sqrt(n - 1) / (n - 2)) ** 2
    distance = np.abs(r) * np.sqrt(n - 1) * np.sqrt(shape)
    return np.asarray(gammaincc(shape, shape + distance) + gammainc(shape, np.maximum(shape - distance, 0.0)))


def normal_test(z: Numbers) -> Array:
    """p, two-sided."""
    from scipy.special import ndtr  # noqa: PLC0415

    return np.asarray(2 * ndtr(-np.abs(z)))


def chi_square_test(statistic: Numbers, freedom: Numbers) -> Array:
    """p, the upper tail."""
    from scipy.special import chdtrc  # noqa: PLC0415

    return np.asarray(chdtrc(freedom, np.maximum(statistic, 0.0)))


def fisher_z(r: Numbers, standard_error: Numbers, level: float) -> tuple[Array, Array]:
    """The interval of a correlation whose inverse hyperbolic tangent has this standard error (Fisher 1921)."""
    width = quantile(level) * standard_error
    with np.errstate(divide="ignore"):
        z = np.arctanh(r)
    return np.tanh(z - width), np.tanh(z + width)


def pearson_error(_: Numbers, n: Numbers) -> Array:
    return np.asarray(1 / np.sqrt(n - 3))


def spearman_error(rho: Numbers, n: Numbers) -> Array:
    """Bonett and Wright 2000."""
    return np.asarray(np.sqrt((1 + rho**2 / 2) / (n - 3)))


def kendall_error(_: Numbers, n: Numbers) -> Array:
    """Fieller, Hartley and Pearson 1957."""
    return np.asarray(np.sqrt(0.437 / (n - 4)))


def noncentral_chi_square(statistic: float, freedom: float, level: float) -> tuple[float, float]:
    """The noncentrality parameters between which this statistic is not extreme (Steiger 2004); 0 where none is small
    enough."""
    from scipy.special import chndtr  # noqa: PLC0415

    return _inverted(lambda noncentrality: float(chndtr(statistic, freedom, noncentrality)), statistic, level)


def noncentral_f(statistic: float, numerator: float, denominator: float, level: float) -> tuple[float, float]:
    """The same of an F statistic."""
    from scipy.special import ncfdtr  # noqa: PLC0415

    return _inverted(
        lambda noncentrality: float(ncfdtr(numerator, denominator, noncentrality, statistic)),
        statistic * numerator,
        level,
    )


def _inverted(below: Callable[[float], float], scale: float, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    return _where(below, 1 - tail, scale), _where(below, tail, scale)


def _where(below: Callable[[float], float], probability: float, scale: float) -> float:
    """The noncentrality at which the distribution function, which falls with it, has this value."""
    if below(0.0) <= probability:
        return 0.0
    low, high = 0.0, max(scale, 1.0)
    while below(high) > probability and high < 1e15:
        low, high = high, 2 * high + 10
    for _ in range(60):
        middle = (low + high) / 2
        if high - low <= 1e-9 * high:
            break
        if below(middle) > probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def wider(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    """The interval around both: one of them holds near independence, the other far from it."""
    return min(first[0], second[0]), max(first[1], second[1])


def within(low: float, high: float, least: float = 0.0, most: float = 1.0) -> tuple[float, float]:
    return min(max(low, least), most), min(max(high, least), most)
