"""How buckets are written down.

What is largest, smallest and last in a bucket is near to each other, the sum near to as many times the middle, and a
counter's increase mostly that from one last value to the next: so each is told by how far it is from that. Sums and
increases of decimals are rounded to their decimals: what they would be had the decimals been added instead of the
floats nearest to them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storage.samples import floats, integers
from storage.samples.columns import Values
from storage.samples.floats import BITS, POWERS, Numbers
from storage.samples.integers import Integers
from storage.samples.rollup import Rollup

# What adding floats may add, relative to as many of the largest. Sums further away have more decimals than that.
_NOISE = 2.0**-50
# Where noise comes near to the last decimal, nothing can be told from it.
_CLEAR = 0.01

# The order in which columns are written; each is expected from those before it.
_ORDER = ("min", "max", "last", "sum", "increase")
_SUMS = ("sum", "increase")
# Parts before them; and parts of each: three about its form, one of its numbers.
_WHOLE = 5
_COLUMN = 4

Parts = list[list[bytes]]


@np.errstate(invalid="ignore", over="ignore")
def encode(rollup: Rollup, counts: Integers, level: int) -> Parts:
    """`counts` are how many buckets the series have, none of them 0."""
    whole = (rollup.start_ms, rollup.count, rollup.observed_ms, rollup.gaps.astype(np.int64))
    starts = np.cumsum(counts) - counts
    rises = np.logical_or.reduceat(rollup.increase != 0, starts)
    from_ends = rollup.last - rollup.min, rollup.max - rollup.last
    sinks = np.less(*(np.add.reduceat(np.nan_to_num(end), starts) for end in from_ends))
    parts = [integers.encode(column, counts, level) for column in whole]
    parts.append([rises.tobytes(), sinks.tobytes()])
    largest: Values = np.fmax(np.abs(rollup.min), np.abs(rollup.max)) * _NOISE
    noise = largest * (rollup.count + 1)
    expected = _Expected(rollup.count, rises, sinks, counts)
    for name in _ORDER:
        values = getattr(rollup, name)
        if name in _SUMS:
            values = _rounded(values, np.repeat(_powers(expected.columns["min"].forms), counts), noise)
        column = floats.as_numbers(values, counts)
        parts += floats.encode_exceptions(values, column, level)
        parts.append(integers.encode(column.numbers - expected.of(name, column.forms), counts, level))
        expected.columns[name] = column
    return parts


def decode(parts: Parts, counts: Integers) -> Rollup:
    """The buckets of all series."""
    start_ms, count, observed_ms, gaps = (integers.decode(part, counts) for part in parts[:4])
    rises, sinks = (np.frombuffer(flags, np.bool_) for flags in parts[4])
    expected = _Expected(count, rises, sinks, counts)
    values: dict[str, Values] = {}
    for place, name in enumerate(_ORDER):
        begin = _WHOLE + place * _COLUMN
        about, rest = parts[begin : begin + _COLUMN - 1], parts[begin + _COLUMN - 1]
        forms = floats.forms_of(about)
        numbers = integers.decode(rest, counts) + expected.of(name, forms)
        expected.columns[name] = Numbers(forms, numbers)
        values[name] = floats.as_values(about, numbers, counts)
    return Rollup(start_ms=start_ms, count=count, observed_ms=observed_ms, gaps=gaps.astype(np.uint8), **values)


class _Expected:
    """What the numbers of a column are told from, in segments whose other columns are numbers of the same form.

    `rises` are the segments of counters, `sinks` those whose buckets mostly end near their smallest value.
    """

    def __init__(self, count: Integers, rises: NDArray[np.bool_], sinks: NDArray[np.bool_], counts: Integers) -> None:
        self._count = count
        self._sinks = sinks
        self._rises = rises
        self._counts = counts
        self.columns: dict[str, Numbers] = {}

    def of(self, name: str, forms: NDArray[np.uint8]) -> Integers:
        """What a column of these forms is expected to be."""
        if name == "min":
            return np.zeros(len(self._count), np.int64)
        smallest = self.columns["min"]
        if name == "max":
            return self._where(forms == smallest.forms, smallest.numbers)
        largest = self.columns["max"]
        if name == "last":
            near = np.where(np.repeat(self._sinks, self._counts), smallest.numbers, largest.numbers)
            return self._where((forms == smallest.forms) & (forms == largest.forms), near)
        decimal = (forms != BITS) & (forms == smallest.forms) & (forms == largest.forms)
        if name == "sum":
            return self._where(decimal, (smallest.numbers + largest.numbers) * self._count >> 1)
        return self._where(decimal & self._rises & (forms == self.columns["last"].forms), self._steps())

    def _steps(self) -> Integers:
        """From one last value to the next; 0 from the one before the first of a segment."""
        steps: Integers = np.diff(self.columns["last"].numbers, prepend=np.int64(0))
        steps[np.cumsum(self._counts) - self._counts] = 0
        return steps

    def _where(self, segments: NDArray[np.bool_], numbers: Integers) -> Integers:
        expected: Integers = np.where(np.repeat(segments, self._counts), numbers, 0)
        return expected


def _powers(forms: NDArray[np.uint8]) -> Values:
    """Of each segment the power of ten that its values are whole numbers over; NaN where they are not."""
    return np.array([np.nan if form == BITS else POWERS[form] for form in forms])


def _rounded(values: Values, powers: Values, noise: Values) -> Values:
    rounded = np.rint(values * powers) / powers
    is_noise = (np.abs(rounded - values) <= noise) & (noise * powers < _CLEAR)
    result: Values = np.where(is_noise, rounded, values)
    return result
