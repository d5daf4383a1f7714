"""Columns as codes of their different values, which all tests of relationships count with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.columns import Array, Kind
from analysis.frames import EXACT_FLOAT, Frame, FrameColumn, Role
from analysis.profile.distinct_sketch import hashes_of_numbers, hashes_of_texts
from analysis.relationships.findings import ColumnName, ColumnStatus
from analysis.relationships.sketches import ColumnSketch, ValueClass, least_hashes

_DAY = np.int64(86_400_000_000)  # microseconds


@dataclass(frozen=True, eq=False)
class CodedColumn:
    """`codes` has a row each: the number of its value among the different ones, -1 where null.

    `values` holds the different values, rising (int64 or float64; str in no order), `counts` how often each occurs.
    """

    name: ColumnName
    value_class: ValueClass
    codes: Array
    values: Array
    counts: Array
    sampled: bool

    @property
    def rows(self) -> int:
        return len(self.codes)

    @property
    def distinct(self) -> int:
        return len(self.values)

    @cached_property
    def present(self) -> int:
        return int(self.counts.sum())

    @property
    def nulls(self) -> int:
        return self.rows - self.present

    @property
    def unique(self) -> bool:
        """Every row has a value, and no value occurs twice."""
        return self.distinct == self.rows > 1

    @property
    def hashes(self) -> Array:
        """A 64-bit hash of each different value, equal in every dataset and process.

        Those of numbers are made anew each time, which is quicker than the memory of all is worth.
        """
        return self._text_hashes if self.values.dtype == object else hashes_of_numbers(self.values)

    @cached_property
    def _text_hashes(self) -> Array:
        return hashes_of_texts(self.values)

    @cached_property
    def sorted_hashes(self) -> Array:
        return np.sort(self.hashes)

    @cached_property
    def sketch(self) -> ColumnSketch:
        ordered = self.values.dtype != object and len(self.values) > 0
        return ColumnSketch(
            self.name.dataset,
            self.name.column,
            self.value_class,
            self.rows,
            self.nulls,
            self.distinct,
            least_hashes(self.hashes),
            float(self.values[0]) if ordered else None,
            float(self.values[-1]) if ordered else None,
            _density(self.values) if self.values.dtype == np.int64 else 1.0,
            self.sampled,
        )


def coded_columns(dataset: str, frame: Frame, most: int) -> tuple[list[CodedColumn], dict[str, ColumnStatus], int]:
    """The first `most` columns that can be compared, the status of every one looked at, and how many were left out."""
    coded: list[CodedColumn] = []
    statuses: dict[str, ColumnStatus] = {}
    left_out = 0
    for column in frame.columns:
        if column.role is Role.OTHER:
            statuses[column.name] = ColumnStatus.NOT_COMPARABLE
        elif len(coded) >= most:
            left_out += 1
        else:
            made = coded_column(dataset, column, sampled=frame.is_sample)
            statuses[column.name] = _status(made)
            coded.append(made)
    return coded, statuses, left_out


def sketches_of(dataset: str, frame: Frame) -> tuple[ColumnSketch, ...]:
    """A sketch of every column that can be compared, to be stored with the dataset's profile."""
    return tuple(
        coded_column(dataset, column, sampled=frame.is_sample).sketch
        for column in frame.columns
        if column.role is not Role.OTHER
    )


def _density(values: Array) -> float:
    """Of rising whole numbers, in the shortest stretch that has half of them: outliers do not make them sparse.

    Possible is what lies a multiple of the greatest common divisor of all differences away.
    """
    if len(values) < 2:
        return 1.0
    unsigned = values.view(np.uint64)
    step = float(np.gcd.reduce(unsigned[1:] - unsigned[:-1]))
    half = (len(values) + 1) // 2
    stretch = float((unsigned[half:] - unsigned[: len(values) - half]).min())
    return min(1.0, half / (stretch / step))


def _status(column: CodedColumn) -> ColumnStatus:
    if column.distinct == 0:
        return ColumnStatus.EMPTY
    return ColumnStatus.CONSTANT if column.distinct == 1 and not column.nulls else ColumnStatus.OK


def coded_column(dataset: str, column: FrameColumn, *, sampled: bool) -> CodedColumn:
    name = ColumnName(dataset, column.name)
    if column.role is Role.CATEGORY:
        assert column.levels is not None
        codes, used, counts = _used_levels(column.values, len(column.levels))
        value_class = ValueClass.BOOLEAN if column.kind is Kind.BOOLEAN else ValueClass.TEXT
        return CodedColumn(name, value_class, codes, column.levels[used], counts, sampled)
    value_class, numbers = _numbers(column)
    codes, values, counts = _coded(numbers, column.present)
    return CodedColumn(name, value_class, codes, values, counts, sampled)


def _numbers(column: FrameColumn) -> tuple[ValueClass, Array]:
    """int64 where whole; what stands at a null is of no meaning."""
    if column.role is Role.TIME:
        moments = np.where(column.present, column.values.astype(np.int64), 0)
        whole_days = not (moments % _DAY).any()
        return (ValueClass.DAY, moments // _DAY) if whole_days else (ValueClass.MOMENT, moments)
    if column.exact is not None:
        return ValueClass.WHOLE, column.exact
    numbers = np.where(column.present, column.values, 0.0)
    if (np.abs(numbers) < EXACT_FLOAT).all() and (numbers == np.floor(numbers)).all():
        return ValueClass.WHOLE, numbers.astype(np.int64)
    return ValueClass.FRACTION, numbers + 0.0  # the two zeros are one value


def _coded(numbers: Array, present: Array) -> tuple[Array, Array, Array]:
    codes = np.full(len(numbers), -1, dtype=np.int32)
    if not present.any():
        return codes, numbers[:0], np.empty(0, dtype=np.int64)
    here = numbers[present]
    if here.dtype == np.int64 and 0 <= (span := int(here.max()) - int(here.min())) <= 4 * len(here):
        found, used, counts = _used_levels((here - here.min()).astype(np.int32), span + 1)
        codes[present] = found
        return codes, here.min() + used, counts
    values, inverse, counts = np.unique(here, return_inverse=True, return_counts=True)
    codes[present] = inverse
    return codes, values, counts


def _used_levels(codes: Array, levels: int) -> tuple[Array, Array, Array]:
    """The codes without gaps, the levels that occur, and how often."""
    counts = np.bincount(codes[codes >= 0], minlength=levels)
    used = np.flatnonzero(counts)
    if len(used) == levels:
        return codes, used, counts
    renumbered = np.full(levels + 1, -1, dtype=np.int32)  # the last one is where -1 points to
    renumbered[used] = np.arange(len(used), dtype=np.int32)
    return renumbered[codes], used, counts[used]
