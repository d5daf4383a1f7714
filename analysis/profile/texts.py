"""The profile of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from analysis.columns import Column
from analysis.profile.figures import Basis, Cases, Sketch, TextFigures
from analysis.profile.frequent_sketch import FrequentTexts
from analysis.profile.text_formats import TYPE_NAMES, format_of, types_of
from analysis.profile.text_multiset import TextMultiset
from analysis.profile.told import ProfileOptions, Told, counted, exact, lengths_of, shown

_FIELDS = tuple(TextFigures.__struct_fields__)


class TextFolding:
    """Lengths, formats, cases and types, each counted for a different value once and times how often it occurs."""

    def __init__(self) -> None:
        self.lengths: Counter[int] = Counter()
        self.cases: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.formats: FrequentTexts[str] = FrequentTexts()
        self.empty = self.blank = self.padded = self.non_ascii = 0

    def add(self, counts: Mapping[str, int], /) -> None:
        formats: Counter[str] = Counter()
        for value, count in counts.items():
            self.lengths[len(value)] += count
            self.cases[_case_of(value)] += count
            self._look_at_space(value, count)
            pattern = format_of(value)
            formats[pattern] += count
            for name in types_of(value, pattern):
                self.types[name] += count
        self.formats.add(formats)

    def merge(self, other: TextFolding, /) -> None:
        self.lengths.update(other.lengths)
        self.cases.update(other.cases)
        self.types.update(other.types)
        self.formats.merge(other.formats)
        self.empty += other.empty
        self.blank += other.blank
        self.padded += other.padded
        self.non_ascii += other.non_ascii

    def _look_at_space(self, value: str, count: int) -> None:
        if not value:
            self.empty += count
            return
        if value[0].isspace() or value[-1].isspace():
            if value.isspace():
                self.blank += count
            else:
                self.padded += count
        if not value.isascii():
            self.non_ascii += count


def _case_of(value: str) -> str:
    if value.islower():
        return "lower"
    if value.isupper():
        return "upper"
    return "mixed" if value.lower() != value.upper() else "none"


class Texts:
    """Text values, added in batches."""

    def __init__(self, budget_bytes: int | None) -> None:
        self._values: TextMultiset[str, TextFolding] = TextMultiset(budget_bytes, TextFolding)

    def add(self, column: Column) -> None:
        self._values.add(column.values.tolist())

    def merge(self, other: Texts) -> None:
        self._values.merge(other._values)

    def told(self, options: ProfileOptions) -> Told:
        total, folded = self._values.count, self._values.folded()
        distinct, distinct_basis = self._values.distinct()
        top, top_basis = self._values.top(options.top)
        formats = folded.formats.surest(options.top)
        figures = TextFigures(
            empty=folded.empty,
            blank=folded.blank,
            padded=folded.padded,
            non_ascii=folded.non_ascii,
            lengths=lengths_of(folded.lengths, options.quantiles),
            cases=Cases(**{name: folded.cases[name] for name in ("lower", "upper", "mixed", "none")}),
            formats=counted(formats, total, shown),
            types={name: folded.types[name] for name in TYPE_NAMES if folded.types[name]},
        )
        basis: dict[str, Basis] = exact(_FIELDS) | {"distinct": distinct_basis, "top": top_basis}
        if folded.formats.error:
            basis["formats"] = Sketch(sketch="misra-gries", error=folded.formats.error, unit="rows", confidence=1)
        return Told(distinct, counted(top, total, shown), basis, figures)
