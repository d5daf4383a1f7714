"""All values of a column of text or bytes: counted within a budget of memory, sketched beyond it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, Self, TypeVar

from analysis.profile import distinct_sketch
from analysis.profile.distinct_sketch import DistinctSketch, hashes_of_texts
from analysis.profile.figures import EXACT, Basis, Sketch
from analysis.profile.frequent_sketch import FrequentTexts

Value = TypeVar("Value", str, bytes)

# About what a string and its place in a dictionary take, beside its characters.
_BYTES_OF_AN_ENTRY = 150

# Counters of a sketch hold a longer value by its hash.
_LONGEST_KEPT = 1000


class Folding(Protocol[Value]):
    """Figures that add up over the values, so that they are exact whether or not the values are kept."""

    def add(self, counts: Mapping[Value, int], /) -> None: ...

    def merge(self, other: Self, /) -> None: ...


Folded = TypeVar("Folded", bound=Folding)  # type: ignore[type-arg]


class TextMultiset(Generic[Value, Folded]):
    """`new_folding` makes what adds up the figures of its own of the kind of column."""

    def __init__(self, budget_bytes: int | None, new_folding: Callable[[], Folded]) -> None:
        self._budget = budget_bytes
        self._new_folding = new_folding
        self._counts: Counter[Value] = Counter()
        self._bytes = 0
        self._sketches: _TextSketches[Value] | None = None
        self._folded = new_folding()
        self.count = 0

    def add(self, values: Sequence[Value]) -> None:
        self.count += len(values)
        self._take(Counter(values))

    def merge(self, other: TextMultiset[Value, Folded]) -> None:
        """Takes what the other has, which is used up by it."""
        self.count += other.count
        if other._sketches is None:
            self._take(other._counts)
            return
        self._spill()
        assert self._sketches is not None
        self._sketches.merge(other._sketches)
        self._folded.merge(other._folded)

    def folded(self) -> Folded:
        """The added-up figures of all values so far."""
        if self._sketches is not None:
            return self._folded
        folded = self._new_folding()
        folded.add(self._counts)
        return folded

    def distinct(self) -> tuple[int, Basis]:
        if self._sketches is None:
            return len(self._counts), EXACT
        sketch = self._sketches.distinct
        found = min(sketch.count(), self.count)
        if sketch.exact:
            return found, EXACT
        error, confidence = sketch.relative_error(), distinct_sketch.CONFIDENCE
        return found, Sketch(sketch="kmv", error=error, unit="relative", confidence=confidence)

    def top(self, limit: int) -> tuple[list[tuple[Value, int]], Basis]:
        """The most frequent, in the order of the values where they are equally frequent."""
        if self._sketches is None:
            return most_common(self._counts, limit), EXACT
        frequent = self._sketches.frequent
        return frequent.surest(limit), Sketch(sketch="misra-gries", error=frequent.error, unit="rows", confidence=1)

    def _take(self, counts: Counter[Value]) -> None:
        if self._sketches is not None:
            self._sketches.add(counts)
            self._folded.add(counts)
            return
        for value, count in counts.items():
            known = self._counts.get(value)
            if known is None:
                self._bytes += _BYTES_OF_AN_ENTRY + len(value)
            self._counts[value] = (known or 0) + count
        if self._budget is not None and self._bytes > self._budget:
            self._spill()

    def _spill(self) -> None:
        if self._sketches is None:
            self._sketches = _TextSketches()
            self._sketches.add(self._counts)
            self._folded.add(self._counts)
            self._counts, self._bytes = Counter(), 0


def most_common(counts: Mapping[Value, int], limit: int) -> list[tuple[Value, int]]:
    if len(counts) > 10 * limit:
        least = sorted(counts.values(), reverse=True)[limit - 1] if limit else 0
        counts = {value: count for value, count in counts.items() if count >= least} if limit else {}
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]


class _TextSketches(Generic[Value]):
    def __init__(self) -> None:
        self.distinct = DistinctSketch()
        self.frequent: FrequentTexts[Value] = FrequentTexts()

    def add(self, counts: Mapping[Value, int]) -> None:
        self.distinct.add(hashes_of_texts(counts))
        if any(len(value) > _LONGEST_KEPT for value in counts):
            counts = {_brief(value): count for value, count in counts.items()}
        self.frequent.add(counts)

    def merge(self, other: _TextSketches[Value]) -> None:
        self.distinct.merge(other.distinct)
        self.frequent.merge(other.frequent)


def _brief(value: Value) -> Value:
    """The beginning and a hash of a long value: as different as the values are."""
    if len(value) <= _LONGEST_KEPT:
        return value
    if isinstance(value, str):
        mark = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return value[: _LONGEST_KEPT // 2] + mark
    return value[: _LONGEST_KEPT // 2] + hashlib.blake2b(value, digest_size=8).digest()
