"""The profiles of booleans and of bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from analysis.columns import Column
from analysis.profile.figures import BinaryFigures, BooleanFigures
from analysis.profile.text_multiset import TextMultiset
from analysis.profile.told import ProfileOptions, Told, counted, exact, lengths_of


class Booleans:
    """Boolean values, added in batches."""

    def __init__(self) -> None:
        self._true = self._false = 0

    def add(self, column: Column) -> None:
        true = int(np.count_nonzero(column.values))
        self._true += true
        self._false += len(column.values) - true

    def merge(self, other: Booleans) -> None:
        self._true += other._true
        self._false += other._false

    def told(self, options: ProfileOptions) -> Told:
        counts = [(value, count) for value, count in ((True, self._true), (False, self._false)) if count]
        top = sorted(counts, key=lambda item: -item[1])[: options.top]
        return Told(
            distinct=len(counts),
            top=counted(top, self._true + self._false, bool),
            basis=exact(("distinct", "top", *BooleanFigures.__struct_fields__)),
            section=BooleanFigures(true=self._true, false=self._false),
        )


class BinaryFolding:
    def __init__(self) -> None:
        self.lengths: Counter[int] = Counter()

    def add(self, counts: Mapping[bytes, int], /) -> None:
        for value, count in counts.items():
            self.lengths[len(value)] += count

    def merge(self, other: BinaryFolding, /) -> None:
        self.lengths.update(other.lengths)


class Binaries:
    """Bytes, added in batches. The values themselves are never told."""

    def __init__(self, budget_bytes: int | None) -> None:
        self._values: TextMultiset[bytes, BinaryFolding] = TextMultiset(budget_bytes, BinaryFolding)

    def add(self, column: Column) -> None:
        self._values.add(column.values.tolist())

    def merge(self, other: Binaries) -> None:
        self._values.merge(other._values)

    def told(self, options: ProfileOptions) -> Told:
        lengths = self._values.folded().lengths
        distinct, distinct_basis = self._values.distinct()
        figures = BinaryFigures(empty=lengths[0], lengths=lengths_of(lengths, options.quantiles))
        basis = exact(BinaryFigures.__struct_fields__) | {"distinct": distinct_basis} | exact(("top",))
        return Told(distinct, [], basis, figures)
