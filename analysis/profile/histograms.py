"""Bins for numbers: as many as Freedman and Diaconis advise, or as many as asked for."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from analysis.columns import Array, integers

Rule = Literal["freedman-diaconis", "sturges", "fixed"]

# More bins than a chart has room for say nothing more.
MAX_BINS = 100

# An integer of so many binary digits is a finite float.
_BITS_OF_A_FLOAT = 1000


def bin_count(count: int, low: Any, high: Any, lower_quartile: Any, upper_quartile: Any) -> tuple[int, Rule]:
    """How many bins to make, and by which rule. Sturges' where the middle half of the values is one value."""
    spread, span = _distances(lower_quartile, upper_quartile, low, high)
    if spread == 0:
        return min(math.ceil(math.log2(count)) + 1, MAX_BINS), "sturges"
    width = 2 * spread / count ** (1 / 3)
    ratio = span / width if width > 0 else MAX_BINS
    return max(1, math.ceil(min(ratio, MAX_BINS))), "freedman-diaconis"


def _distances(lower: Any, upper: Any, low: Any, high: Any) -> tuple[float, float]:
    """Between the quartiles and between the ends, both by one factor smaller where a float would not hold them."""
    if isinstance(low, float | np.floating):
        return float(upper) / 2 - float(lower) / 2, float(high) / 2 - float(low) / 2
    spread, span = int(upper) - int(lower), int(high) - int(low)
    shift = max(0, span.bit_length() - _BITS_OF_A_FLOAT)
    return float(spread >> shift), float(span >> shift)


def edges_between(low: Any, high: Any, bins: int) -> list[Any]:
    """`bins` + 1 edges at most, ascending. Floats: from low to high, [low, low] where they are all one.

    Integers: whole, in equal steps from low to beyond high, so that every bin is as wide as the others.
    """
    if isinstance(low, float | np.floating):
        steps = np.linspace(0.0, 1.0, bins + 1)
        edges = np.unique(np.clip(float(low) * (1 - steps) + float(high) * steps, low, high))
        edges[0], edges[-1] = low, high
        return [float(edge) for edge in edges] if len(edges) > 1 else [float(low), float(high)]
    low, high = int(low), int(high)
    width = -(-(high - low + 1) // bins)
    return [*range(low, high + 1, width), low + width * -(-(high - low + 1) // width)]


def inner(edges: list[Any]) -> Array:
    """The edges but for both ends, as an array to search with; of integers they are all values that could occur."""
    if edges and isinstance(edges[0], float):
        return np.array(edges[1:-1], dtype=np.float64)
    return integers(edges[1:-1])
