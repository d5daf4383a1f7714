"""The most frequent values of a column with too many different ones to count them all.

Counters as Misra and Gries keep them ("Finding repeated elements", 1982), joined as Agarwal and others showed
("Mergeable summaries", 2012): where there are too many, the first that has no place is subtracted from all. No count is
ever too high, and none is too low by more than the sum of what was subtracted, which is kept and told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import numpy as np

from analysis.profile.ranked import Ranked, joined, times

# Counters a column. What is left out occurs in fewer than one of a thousand rows.
COUNTERS = 1024

Value = TypeVar("Value", str, bytes)


class FrequentNumbers:
    """Counters of numbers, kept in arrays."""

    def __init__(self, counters: int = COUNTERS) -> None:
        self._counters = counters
        self._kept: Ranked = Ranked(np.empty(0), None, 0)
        self.error = 0

    def add(self, values: Ranked) -> None:
        self._join(self._cut(values))

    def merge(self, other: FrequentNumbers) -> None:
        self.error += other.error
        self._join(other._kept)

    def rescale(self, factor: int) -> None:
        kept = self._kept
        self._kept = Ranked(times(kept.values, factor), kept.counts, kept.total)

    def surest(self, limit: int) -> list[tuple[Any, int]]:
        """Values with a count that is surely larger than that of every value not told."""
        counts = self._kept.weights
        order = np.lexsort((np.arange(len(counts)), -counts))[:limit]
        return [(self._kept.values[at], int(counts[at])) for at in order if counts[at] > self.error]

    def _join(self, more: Ranked) -> None:
        if more.total:
            self._kept = self._cut(joined([self._kept, more]))

    def _cut(self, values: Ranked) -> Ranked:
        if values.distinct <= self._counters:
            return values
        counts = values.weights
        place = values.distinct - self._counters - 1
        excess = int(np.partition(counts, place)[place])
        self.error += excess
        left = counts > excess
        return Ranked(values.values[left], counts[left] - excess, int((counts[left] - excess).sum()))


class FrequentTexts(Generic[Value]):
    """Counters of texts, kept in a dictionary."""

    def __init__(self, counters: int = COUNTERS) -> None:
        self._counters = counters
        self._kept: dict[Value, int] = {}
        self.error = 0

    def add(self, counts: Mapping[Value, int]) -> None:
        self._join(self._cut(counts))

    def merge(self, other: FrequentTexts[Value]) -> None:
        self.error += other.error
        self._join(other._kept)

    def surest(self, limit: int) -> list[tuple[Value, int]]:
        """Values with a count that is surely larger than that of every value not told."""
        best = sorted(self._kept.items(), key=lambda item: (-item[1], item[0]))[:limit]
        return [(value, count) for value, count in best if count > self.error]

    def _join(self, more: Mapping[Value, int]) -> None:
        together = dict(self._kept)
        for value, count in more.items():
            together[value] = together.get(value, 0) + count
        self._kept = self._cut(together)

    def _cut(self, counts: Mapping[Value, int]) -> dict[Value, int]:
        if len(counts) <= self._counters:
            return dict(counts)
        excess = sorted(counts.values(), reverse=True)[self._counters]
        self.error += excess
        return {value: count - excess for value, count in counts.items() if count > excess}
