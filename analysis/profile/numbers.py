"""The profile of numbers: whole, decimal and floating."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from analysis.columns import Array, Column, Kind
from analysis.profile.figures import Histogram, NumberFigures, Scalar
from analysis.profile.moments import Moments
from analysis.profile.multiset import Multiset
from analysis.profile.ranked import times
from analysis.profile.told import (
    OrderSeen,
    ProfileOptions,
    Told,
    counted,
    decimal_text,
    exact,
    finite,
    number_scalar,
    quantile_list,
)

_FIELDS = tuple(NumberFigures.__struct_fields__)
_BEYOND = "a figure is beyond what a 64-bit float holds, and left out"


class Numbers:
    """Values of one numeric kind, added in batches. Decimals of different scales are brought to the finest."""

    def __init__(self, kind: Kind, budget_bytes: int | None, seed: int) -> None:
        self._kind = kind
        self._values = Multiset(budget_bytes, seed, decimal=kind is Kind.DECIMAL)
        self._order = OrderSeen()
        self._scale = 0
        self._nan = self._plus = self._minus = self._zeros = self._negatives = 0
        self._whole = True

    def add(self, column: Column) -> None:
        self._nan += column.nan
        self._plus += column.positive_infinity
        self._minus += column.negative_infinity
        values, own = column.values, False
        if self._kind is Kind.FLOAT:
            values, own = self._without_special(values)
            self._whole = self._whole and _all_whole(values)
        elif column.scale > self._scale:
            self._rescale(column.scale)
        elif column.scale < self._scale:
            values, own = times(values, 10 ** (self._scale - column.scale)), True
        self._zeros += int(np.count_nonzero(values == 0))
        self._negatives += int(np.count_nonzero(values < 0))
        self._order.add(values)
        self._values.add(values, own=own)

    def merge(self, other: Numbers) -> None:
        finest = max(self._scale, other._scale)
        self._rescale(finest)
        other._rescale(finest)
        self._order.merge(other._order)
        self._values.merge(other._values)
        self._nan += other._nan
        self._plus += other._plus
        self._minus += other._minus
        self._zeros += other._zeros
        self._negatives += other._negatives
        self._whole = self._whole and other._whole

    def told(self, options: ProfileOptions) -> Told:
        values, special = self._values, self._nan + self._plus + self._minus
        distinct, distinct_basis = values.distinct()
        top, top_basis = values.top(options.top)
        quantiles, quantiles_basis = values.quantiles(options.quantiles)
        bins, bins_basis = values.histogram(options.bins)
        moments, bounds = values.moments(), values.bounds()
        figures = NumberFigures(
            nan=self._nan,
            positive_infinity=self._plus,
            negative_infinity=self._minus,
            zeros=self._zeros,
            negatives=self._negatives,
            whole=(self._whole if self._kind is Kind.FLOAT else self._scale == 0) if moments.count else None,
            min=None if bounds is None else self._scalar(bounds[0]),
            max=None if bounds is None else self._scalar(bounds[1]),
            **self._from_moments(moments),
            quantiles=quantile_list(options.quantiles, quantiles, self._scalar),
            histogram=bins and Histogram(rule=bins.rule, edges=list(map(self._edge, bins.edges)), counts=bins.counts),
            order=self._order.order(),
        )
        basis = exact(_FIELDS) | {"distinct": distinct_basis, "top": top_basis}
        basis |= {"quantiles": quantiles_basis, "histogram": bins_basis}
        kinds_of_special = (self._nan > 0) + (self._plus > 0) + (self._minus > 0)
        return Told(
            distinct=distinct + kinds_of_special,
            top=counted(top, moments.count + special, self._scalar),
            basis=basis,
            section=figures,
            notes=[_BEYOND] if moments.count and (figures.mean is None or figures.sum is None) else [],
        )

    def _scalar(self, value: Any) -> Scalar:
        return number_scalar(value, self._kind, self._scale)

    def _edge(self, value: Any) -> Scalar:
        return float(value) + 0.0 if self._kind is Kind.FLOAT else self._scalar(value)

    def _from_moments(self, moments: Moments) -> dict[str, Any]:
        if not moments.count:
            return dict.fromkeys(("mean", "std", "skewness", "kurtosis", "sum"))
        power = 10**self._scale
        std = moments.std()
        return {
            "mean": finite(moments.mean) if self._kind is Kind.FLOAT else _ratio(moments, power),
            "std": finite(std if std is None or power == 1 else _divided(std, power)),
            "skewness": moments.skewness(),
            "kurtosis": moments.kurtosis(),
            "sum": self._sum(moments),
        }

    def _sum(self, moments: Moments) -> Scalar | None:
        if self._kind is Kind.FLOAT:
            return finite(float(moments.total))
        if self._kind is Kind.DECIMAL:
            return decimal_text(int(moments.total), self._scale)
        return self._scalar(moments.total)

    def _without_special(self, values: Array) -> tuple[Array, bool]:
        """Finite values only, and whether they are a new array; the others are counted."""
        usual = np.isfinite(values)
        if usual.all():
            return values, False
        self._nan += int(np.isnan(values).sum())
        self._plus += int(np.count_nonzero(values == math.inf))
        self._minus += int(np.count_nonzero(values == -math.inf))
        return values[usual], True

    def _rescale(self, scale: int) -> None:
        if scale > self._scale:
            digits = scale - self._scale
            self._values.rescale(digits)
            self._order.rescale(10**digits)
            self._scale = scale


def _ratio(moments: Moments, power: int) -> float | None:
    try:
        return float(Fraction(int(moments.total), moments.count * power))
    except OverflowError:
        return None


def _divided(value: float, power: int) -> float:
    return math.exp(math.log(value) - math.log(power)) if power > 2**1000 and value > 0 else value / power


def _all_whole(values: Array) -> bool:
    return bool(np.all(np.floor(values[:1000]) == values[:1000])) and bool(np.all(np.floor(values) == values))
