"""Mean, deviation, skewness and kurtosis of many numbers: two passes where all are at hand, mergeable where not.

The merging formulas are those of Pebay, "Formulas for robust, one-pass parallel computation of covariances and
arbitrary-order statistical moments" (2008).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from analysis.columns import INT64_MAX, Array
from analysis.profile.ranked import Ranked

# Small enough that the powers of a block stay in the processor's cache.
_BLOCK = 16_384

# That many values of 32 bits sum up to less than 63 bits.
_MOST_IN_HALVES = 2**31 - 1

# Between these the fourth power of a number neither overflows nor vanishes.
_LARGE, _SMALL = 1e70, 1e-70


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums of powers of the distances from the mean. `total` is exact for integers (a Python int)."""

    count: int = 0
    total: int | float = 0
    mean: float = 0.0
    m2: float = 0.0
    m3: float = 0.0
    m4: float = 0.0
    unit: float = 1.0
    """The m's are of values divided by this power of two; mean and total are not."""

    def times(self, factor: int) -> Moments:
        """Of the same values times that factor."""
        f = float(factor)
        return Moments(
            self.count, self.total * factor, self.mean * f, self.m2 * f**2, self.m3 * f**3, self.m4 * f**4, self.unit
        )

    def std(self) -> float | None:
        """The sample's standard deviation; None of fewer than two."""
        return _finite(math.sqrt(self.m2 / (self.count - 1)) * self.unit) if self.count > 1 else None

    def skewness(self) -> float | None:
        return _finite(math.sqrt(self.count) * self.m3 / self.m2**1.5) if self.m2 > 0 and self.m2**1.5 > 0 else None

    def kurtosis(self) -> float | None:
        return _finite(self.count * self.m4 / self.m2**2 - 3) if self.m2 > 0 and self.m2**2 > 0 else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def moments_of(of: Ranked) -> Moments:
    """Of exact figures: `of.values` float64, int64 or Python ints."""
    if of.total == 0:
        return Moments()
    if of.values.dtype.kind == "f":
        return _of_floats(of)
    total = integer_sum(of)
    center = round(Fraction(total, of.total))
    rest = float(Fraction(total, of.total) - center)
    return _about(_distances(of.values, center), of, rest, total, _as_float(Fraction(total, of.total)))


def _of_floats(of: Ranked) -> Moments:
    unit = power_of_two_near(max(abs(float(of.values[0])), abs(float(of.values[-1]))))
    values = of.values if unit == 1.0 else of.values / unit
    total = float(np.sum(values) if of.counts is None else np.sum(values * of.counts))
    mean = total / of.total
    with np.errstate(over="ignore"):
        return _about(values, of, mean, float(np.float64(total) * unit), mean * unit, unit)


def power_of_two_near(largest: float) -> float:
    """What to divide by so that fourth powers stay numbers; 1 for all usual sizes."""
    if largest == 0 or _SMALL < largest < _LARGE:
        return 1.0
    return math.ldexp(1.0, max(min(math.frexp(largest)[1], 1000), -1000))


def _about(
    values: Array, of: Ranked, center: float, total: int | float, mean: float | None, unit: float = 1.0
) -> Moments:
    """Powers of the distances from `center`, which is the mean or as near to it as a float gets."""
    m1 = m2 = m3 = m4 = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(values), _BLOCK):
            distances = values[start : start + _BLOCK] - center
            squares = distances * distances
            if of.counts is None:
                weighted, weighted_squares = distances, squares
            else:
                counts = of.counts[start : start + _BLOCK]
                weighted, weighted_squares = distances * counts, squares * counts
            m1 += float(weighted.sum())
            m2 += float(weighted_squares.sum())
            m3 += float((weighted_squares * distances).sum())
            m4 += float((weighted_squares * squares).sum())
    m2 = max(m2 - m1 * m1 / of.total, 0.0) if math.isfinite(m2) else m2
    if len(of.values) == 1:
        m2 = m3 = m4 = 0.0
    return Moments(of.total, total, math.nan if mean is None else mean, m2, m3, m4, unit)


def _distances(values: Array, center: int) -> Array:
    """Distances of integers from one of about their middle, as floats; taken before anything is rounded."""
    if values.dtype != object and max(int(values[-1]) - center, center - int(values[0])) <= INT64_MAX:
        return (values - np.int64(center)).astype(np.float64)
    return np.array([_as_float(int(value) - center) for value in values], dtype=np.float64)


def _as_float(value: int | Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def integer_sum(of: Ranked) -> int:
    """Exact, however large."""
    if of.total == 0:
        return 0
    largest = max(abs(int(of.values[0])), abs(int(of.values[-1])))
    if of.values.dtype == object:
        return sum(int(value) * int(count) for value, count in zip(of.values, of.weights, strict=True))
    if largest * of.total <= INT64_MAX:
        return int(np.sum(of.values) if of.counts is None else np.sum(of.values * of.counts))
    # In halves of 32 bits, whose sums stay below 64.
    total, weights = 0, of.weights
    for start in range(0, len(of.values), _BLOCK):
        values, counts = of.values[start : start + _BLOCK], weights[start : start + _BLOCK]
        if int(counts.sum()) > _MOST_IN_HALVES:
            total += sum(int(value) * int(count) for value, count in zip(values, counts, strict=True))
        else:
            total += (int(np.sum((values >> 32) * counts)) << 32) + int(np.sum((values & 0xFFFFFFFF) * counts))
    return total


def combined(one: Moments, other: Moments) -> Moments:
    """The moments of both together."""
    if one.count == 0 or other.count == 0:
        return other if one.count == 0 else one
    count, delta = one.count + other.count, other.mean - one.mean
    share, rest = other.count / count, one.count / count
    m2 = one.m2 + other.m2 + delta**2 * one.count * share
    m3 = one.m3 + other.m3 + delta**3 * one.count * share * (rest - share)
    m3 += 3 * delta * (rest * other.m2 - share * one.m2)
    m4 = one.m4 + other.m4 + delta**4 * one.count * share * (rest**2 - rest * share + share**2)
    m4 += 6 * delta**2 * (rest**2 * other.m2 + share**2 * one.m2) + 4 * delta * (rest * other.m3 - share * one.m3)
    return Moments(count, one.total + other.total, one.mean + delta * share, m2, m3, m4)


def plain(moments: Moments) -> Moments:
    """The same with unit 1, as `combined` takes it; figures beyond a float become infinite and are told as unknown."""
    unit = np.float64(moments.unit)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled: list[Any] = [moments.m2 * unit**2, moments.m3 * unit**3, moments.m4 * unit**4]
    return Moments(moments.count, moments.total, moments.mean, *map(float, scaled))
