"""All values of a column of numbers or times: kept whole within a budget of memory, sketched beyond it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np

from analysis.columns import Array
from analysis.profile import distinct_sketch, histograms, quantile_sketch
from analysis.profile.distinct_sketch import DistinctSketch, hashes_of_decimals, hashes_of_numbers
from analysis.profile.figures import EXACT, Basis, Sketch
from analysis.profile.frequent_sketch import FrequentNumbers
from analysis.profile.moments import Moments, combined, moments_of, plain
from analysis.profile.quantile_sketch import QuantileSketch
from analysis.profile.ranked import Ranked, at_quantiles, below, concatenated, joined, most_frequent, ranked, times

# Python's own integers take an object each beside the pointer to it.
_BYTES_OF_AN_OBJECT = 40


class Bins(NamedTuple):
    rule: Literal["freedman-diaconis", "sturges", "fixed"]
    edges: list[Any]
    counts: list[int]


class Multiset:
    """Values may be int64, Python ints or float64 without NaN and infinities.

    Within `budget_bytes` (None: without a bound) every figure is exact, and the same in whatever order parts are
    merged. For a moment it takes twice as much, when it counts equal values. Few different values stay exact however
    many rows there are. Beyond the budget count, sum, least, greatest and moments stay exact, and the others come from
    sketches with their errors.
    """

    def __init__(self, budget_bytes: int | None = None, seed: int = 0, *, decimal: bool = False) -> None:
        self._budget = budget_bytes
        self._seed = seed
        self._scale = 0 if decimal else None
        self._parts: list[Ranked] = []
        self._loose: list[Array] = []
        self._bytes = 0
        self._sketches: _Sketches | None = None

    def add(self, values: Array, *, own: bool = False) -> None:
        """`own` says that the array is the multiset's from now on, which spares a copy."""
        if not len(values):
            return
        values = values if own else values.copy()
        if self._sketches is not None:
            values.sort()
            self._sketches.add(ranked(values))
            return
        self._loose.append(values)
        self._bytes += _bytes_of(values)
        self._keep_within_budget()

    def merge(self, other: Multiset) -> None:
        """Takes what the other has, which is used up by it."""
        if other._sketches is not None:
            self._spill()
            assert self._sketches is not None
            self._sketches.merge(other._sketches)
        elif self._sketches is not None:
            self._sketches.add(other._whole())
        else:
            self._loose += other._loose
            self._parts += other._parts
            self._bytes += other._bytes
            self._keep_within_budget()

    def rescale(self, digits: int) -> None:
        """All values so far were times 10**digits: decimals that turned out to be finer."""
        assert self._scale is not None
        self._scale += digits
        factor = 10**digits
        if self._sketches is not None:
            self._sketches.rescale(self._scale, factor)
        self._parts = [Ranked(times(part.values, factor), part.counts, part.total) for part in self._parts]
        self._loose = [times(values, factor) for values in self._loose]

    @property
    def exact(self) -> bool:
        return self._sketches is None

    @property
    def count(self) -> int:
        return self._whole().total if self._sketches is None else self._sketches.moments.count

    def distinct(self) -> tuple[int, Basis]:
        if self._sketches is None:
            return self._whole().distinct, EXACT
        return self._sketches.distinct_values()

    def quantiles(self, shares: Sequence[float]) -> tuple[list[Any], Basis]:
        if self._sketches is None:
            return at_quantiles(self._whole(), shares), EXACT
        return at_quantiles(self._sketches.quantiles.ranked(), shares), self._sketches.ranks_basis(len(shares))

    def top(self, limit: int) -> tuple[list[tuple[Any, int]], Basis]:
        if self._sketches is None:
            return most_frequent(self._whole(), limit), EXACT
        frequent = self._sketches.frequent
        return frequent.surest(limit), Sketch(sketch="misra-gries", error=frequent.error, unit="rows", confidence=1)

    def moments(self) -> Moments:
        return moments_of(self._whole()) if self._sketches is None else self._sketches.moments

    def bounds(self) -> tuple[Any, Any] | None:
        """The least and the greatest value; None of none."""
        if self._sketches is not None:
            return self._sketches.bounds
        whole = self._whole()
        return (whole.values[0], whole.values[-1]) if whole.total else None

    def histogram(self, bins: int | None) -> tuple[Bins | None, Basis]:
        """`bins` of equal width, or as many as the rule of Freedman and Diaconis gives."""
        bounds = self.bounds()
        if bounds is None:
            return None, EXACT
        rule: Literal["freedman-diaconis", "sturges", "fixed"] = "fixed"
        if bins is None:
            (lower, upper), _ = self.quantiles([0.25, 0.75])
            bins, rule = histograms.bin_count(self.count, *bounds, lower, upper)
        edges = histograms.edges_between(*bounds, bins)
        source = self._whole() if self._sketches is None else self._sketches.quantiles.ranked()
        sums = [0, *below(source, histograms.inner(edges)), source.total]
        basis = EXACT if self._sketches is None else self._sketches.ranks_basis(2 * len(edges))
        return Bins(rule, edges, [after - before for before, after in pairwise(sums)]), basis

    def _whole(self) -> Ranked:
        if self._loose:
            together = self._loose[0] if len(self._loose) == 1 else concatenated(self._loose)
            self._loose = []
            together.sort()
            self._parts.append(ranked(together))
        if len(self._parts) != 1:
            self._parts = [joined(self._parts)] if self._parts else [Ranked(np.empty(0), None, 0)]
        self._bytes = _bytes_of(self._parts[0].values) + self._parts[0].distinct * 8
        return self._parts[0]

    def _keep_within_budget(self) -> None:
        if self._budget is None or self._bytes <= self._budget:
            return
        self._whole()
        # Half full with different values alone, it would have to count them again at every other batch.
        if self._bytes > self._budget / 2:
            self._spill()

    def _spill(self) -> None:
        if self._sketches is None:
            whole = self._whole()
            self._parts, self._bytes = [], 0
            self._sketches = _Sketches(self._seed, self._scale)
            self._sketches.add(whole)


def _bytes_of(values: Array) -> int:
    return values.nbytes + (len(values) * _BYTES_OF_AN_OBJECT if values.dtype == object else 0)


class _Sketches:
    """What is left of values that were too many."""

    def __init__(self, seed: int, scale: int | None) -> None:
        self._scale = scale
        self.quantiles = QuantileSketch(seed)
        self.frequent = FrequentNumbers()
        self.distinct = DistinctSketch()
        self.moments = Moments()
        self.bounds: tuple[Any, Any] | None = None

    def add(self, values: Ranked) -> None:
        if not values.total:
            return
        self.quantiles.add(values)
        self.frequent.add(values)
        different, scale = values.values, self._scale
        self.distinct.add(hashes_of_numbers(different) if scale is None else hashes_of_decimals(different, scale))
        self.moments = combined(self.moments, plain(moments_of(values)))
        self._widen(values.values[0], values.values[-1])

    def merge(self, other: _Sketches) -> None:
        self.quantiles.merge(other.quantiles)
        self.frequent.merge(other.frequent)
        self.distinct.merge(other.distinct)
        self.moments = combined(self.moments, other.moments)
        if other.bounds is not None:
            self._widen(*other.bounds)

    def rescale(self, scale: int, factor: int) -> None:
        self._scale = scale
        self.quantiles.rescale(factor)
        self.frequent.rescale(factor)
        self.moments = self.moments.times(factor)
        if self.bounds is not None:
            self.bounds = (int(self.bounds[0]) * factor, int(self.bounds[1]) * factor)

    def distinct_values(self) -> tuple[int, Basis]:
        found = min(self.distinct.count(), self.moments.count)
        if self.distinct.exact:
            return found, EXACT
        error, confidence = self.distinct.relative_error(), distinct_sketch.CONFIDENCE
        return found, Sketch(sketch="kmv", error=error, unit="relative", confidence=confidence)

    def ranks_basis(self, ranks: int) -> Basis:
        error, confidence = self.quantiles.error(ranks), quantile_sketch.CONFIDENCE
        return Sketch(sketch="kll", error=error, unit="rank share", confidence=confidence)

    def _widen(self, low: Any, high: Any) -> None:
        if self.bounds is None:
            self.bounds = (low, high)
        else:
            self.bounds = (min(self.bounds[0], low), max(self.bounds[1], high))
