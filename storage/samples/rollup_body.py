"""How buckets are written down.

What is largest, smallest and last in a bucket is near to each other, so it is told by how far it is apart; and so is
the sum from as many times the smallest. Sums and increases of decimals are rounded to their decimals: what they would
be had the decimals been added instead of the floats nearest to them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storage.samples import floats, integers
from storage.samples.columns import Values
from storage.samples.floats import BITS, POWERS
from storage.samples.integers import Integers
from storage.samples.rollup import Rollup

# What adding floats may add, relative to the sum; others have more decimals than the smallest has.
_NOISE = 2.0**-44

Parts = list[list[bytes]]


def encode(rollup: Rollup, counts: Integers, level: int) -> Parts:
    """`counts` are how many buckets the series have, none of them 0."""
    whole = (rollup.start_ms, rollup.count, rollup.observed_ms, rollup.gaps.astype(np.int64))
    parts = [integers.encode(column, counts, level) for column in whole]
    lowest = floats.as_numbers(rollup.min, counts)
    parts += [*floats.encode_exceptions(rollup.min, lowest, level), integers.encode(lowest.numbers, counts, level)]
    powers = _powers(lowest.forms, counts)
    total = _rounded(rollup.sum, powers)
    for values, times in ((rollup.max, None), (rollup.last, None), (total, rollup.count)):
        column = floats.as_numbers(values, counts)
        base = _base(lowest.numbers, lowest.forms, column.forms, counts, times)
        parts += floats.encode_exceptions(values, column, level)
        parts.append(integers.encode(column.numbers - base, counts, level))
    return parts + floats.encode(_rounded(rollup.increase, powers), counts, level)


def decode(parts: Parts, counts: Integers) -> Rollup:
    """The buckets of all series."""
    start_ms, count, observed_ms, gaps = (integers.decode(part, counts) for part in parts[:4])
    forms = floats.forms_of(parts[4:7])
    lowest = integers.decode(parts[7], counts)
    columns: list[Values] = [floats.as_values(parts[4:7], lowest, counts)]
    for place, times in ((8, None), (12, None), (16, count)):
        about = parts[place : place + 3]
        base = _base(lowest, forms, floats.forms_of(about), counts, times)
        columns.append(floats.as_values(about, integers.decode(parts[place + 3], counts) + base, counts))
    smallest, largest, last, total = columns
    increase = floats.decode(parts[20:24], counts)
    return Rollup(start_ms, count, total, smallest, largest, last, increase, observed_ms, gaps.astype(np.uint8))


def _base(
    lowest: Integers, of_lowest: NDArray[np.uint8], forms: NDArray[np.uint8], counts: Integers, times: Integers | None
) -> Integers:
    """What the numbers of a column are told from: the smallest ones, where they are numbers of the same kind."""
    related = of_lowest == forms
    if times is not None:
        related &= forms != BITS
        lowest = lowest * times
    base: Integers = np.where(np.repeat(related, counts), lowest, 0)
    return base


def _powers(forms: NDArray[np.uint8], counts: Integers) -> Values:
    """Of each bucket the power of ten that its values are whole numbers over; NaN where they are not."""
    return np.repeat([np.nan if form == BITS else POWERS[form] for form in forms], counts)


def _rounded(values: Values, powers: Values) -> Values:
    with np.errstate(invalid="ignore", over="ignore"):
        rounded = np.rint(values * powers) / powers
        noise = np.abs(rounded - values) <= np.abs(values) * _NOISE
    result: Values = np.where(noise, rounded, values)
    return result
