"""Columns of float64, in segments of one series each, exact to the bit.

Most measurements are decimals: a whole number over a power of ten, rounded to the nearest float. Where that division
gives the very float back, the whole number is stored, and what is no such decimal beside it. Other series are stored as
the whole numbers that their bits are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from storage.samples import integers, planes
from storage.samples.columns import Values
from storage.samples.integers import Integers

POWERS = tuple(10.0**n for n in range(11))
BITS = 255
# Beyond, not every whole number is a float.
_LARGEST = 2.0**53
# So many of those tried first must be decimals.
_TRIED = 64
# One exception in so many costs less than doing without decimals.
_EXCEPTIONS = 12


class Numbers(NamedTuple):
    """A column as whole numbers: the form of each segment, and where they do not give their values back."""

    forms: NDArray[np.uint8]
    numbers: Integers
    exceptions: Integers = np.empty(0, np.int64)


def as_numbers(values: Values, counts: Integers) -> Numbers:
    """`counts` are the lengths of the segments, none of them 0."""
    numbers = np.empty(len(values), np.int64)
    forms = np.empty(len(counts), np.uint8)
    restored = np.empty(len(values), np.bool_)
    for segments, places in integers.alike(counts):
        forms[segments], numbers[places], restored[places] = _as_numbers(values[places])
    return Numbers(forms, numbers, np.flatnonzero(~restored))


def encode(values: Values, counts: Integers, level: int) -> list[list[bytes]]:
    """`counts` are the lengths of the segments, none of them 0."""
    column = as_numbers(values, counts)
    return [*encode_exceptions(values, column, level), integers.encode(column.numbers, counts, level)]


def decode(parts: list[list[bytes]], counts: Integers) -> Values:
    """The values of all segments."""
    return as_values(parts[:3], integers.decode(parts[3], counts), counts)


def encode_exceptions(values: Values, column: Numbers, level: int) -> list[list[bytes]]:
    """What has to be known of a column beside its numbers: three parts."""
    head = [column.forms.tobytes(), len(column.exceptions).to_bytes(4, "little")]
    places = planes.encode(np.diff(column.exceptions, prepend=0), level)
    return [head, places, planes.encode(values[column.exceptions].view(np.int64), level)]


def forms_of(parts: list[list[bytes]]) -> NDArray[np.uint8]:
    """The form of each segment."""
    return np.frombuffer(parts[0][0], np.uint8)


def as_values(parts: list[list[bytes]], numbers: Integers, counts: Integers) -> Values:
    """The values that these numbers stand for."""
    head, places, others = parts
    forms = forms_of(parts)
    if np.all(forms == BITS):
        values = numbers.view(np.float64)
    else:
        powers = np.array([1.0 if form == BITS else POWERS[form] for form in forms])
        values = numbers.astype(np.float64)
        if np.any(powers != 1.0):
            values /= np.repeat(powers, counts)
        if np.any(forms == BITS):
            values = np.where(np.repeat(forms == BITS, counts), numbers.view(np.float64), values)
    if count := int.from_bytes(head[1], "little"):
        values[np.cumsum(planes.decode(places, count))] = planes.decode(others, count).view(np.float64)
    return values


def _as_numbers(segments: Values) -> tuple[NDArray[np.uint8], Integers, NDArray[np.bool_]]:
    """Of segments, one a row: their forms, their numbers, and which of these give their values back."""
    known = ~np.isnan(segments)
    forms = np.full(len(segments), BITS, np.uint8)
    numbers, exact = segments.view(np.int64).copy(), known.copy()
    pending = np.arange(len(segments))
    for form, power in enumerate(POWERS):
        few = segments[pending, :_TRIED]
        tried = pending[_are_decimals(_decimals(few, power)[1], known[pending, :_TRIED])]
        if not len(tried):
            continue
        as_decimals, restored = _decimals(segments[tried], power)
        fits = _are_decimals(restored, known[tried])
        found = tried[fits]
        forms[found], numbers[found], exact[found] = form, as_decimals[fits], restored[fits]
        pending = np.setdiff1d(pending, found)
        if not len(pending):
            break
    return forms, _filled(numbers, exact), exact


def _are_decimals(exact: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which rows have hardly an exception. A marker is none."""
    fits: NDArray[np.bool_] = np.count_nonzero(known & ~exact, axis=1) * _EXCEPTIONS <= exact.shape[1]
    return fits


def _decimals(values: Values, power: float) -> tuple[Integers, NDArray[np.bool_]]:
    """The nearest whole numbers over the power, and which of them give their values back."""
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = np.rint(values * power)
    scaled[~(np.abs(scaled) < _LARGEST)] = 0
    numbers = scaled.astype(np.int64)
    return numbers, (numbers / power).view(np.int64) == values.view(np.int64)


def _filled(numbers: Integers, known: NDArray[np.bool_]) -> Integers:
    """The numbers, where they are not known those before them, or the first one after: such that take no room."""
    if np.all(known):
        return numbers
    places = np.maximum.accumulate(np.where(known, np.arange(numbers.shape[1]), -1), axis=1)
    places = np.where(places >= 0, places, np.argmax(known, axis=1)[:, None])
    filled: Integers = np.take_along_axis(numbers, places, axis=1)
    return filled
