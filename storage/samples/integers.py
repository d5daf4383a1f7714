"""Columns of whole numbers, in segments of one series each, as how far they are from what was to be expected.

Each segment is told as differences, of the order 0, 1 or 2, from a straight line: noise around a level, steps from one
number to the next, steps that go on. Everything is modulo 2^64, so nothing overflows and all numbers come back.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from storage.samples import planes
from storage.samples.columns import Values

Integers = NDArray[np.int64]

# Of each segment: the order of its differences, and the line.
_LINE = np.dtype([("base", "<i8"), ("slope", "<i8"), ("order", "u1")])
_ORDERS = np.array([0, 1, 0, 2])
# A few hundred numbers tell which order is the shortest.
_TRIED = 512


def encode(numbers: Integers, counts: Integers, level: int) -> list[bytes]:
    """`counts` are the lengths of the segments, none of them 0."""
    lines = np.zeros(len(counts), _LINE)
    rests = np.empty_like(numbers)
    for segments, places in alike(counts):
        lines[segments], rests[places] = _shortest(numbers[places])
    table = np.ascontiguousarray(lines.view(np.uint8).reshape(len(counts), _LINE.itemsize).T)
    return [planes.packed(table.ravel(), level), *planes.encode(rests, level)]


def alike(counts: Integers) -> Iterator[tuple[Integers, Integers]]:
    """Segments of the same length: which they are, and where the items of each of them are, a row each."""
    starts = np.cumsum(counts) - counts
    for count in np.unique(counts):
        segments = np.flatnonzero(counts == count)
        yield segments, starts[segments, None] + np.arange(count)


def decode(parts: list[bytes], counts: Integers) -> Integers:
    """The numbers of all segments."""
    table = np.empty(_LINE.itemsize * len(counts), np.uint8)
    table[:] = planes.unpacked(parts[0], len(table))
    lines = np.ascontiguousarray(table.reshape(_LINE.itemsize, len(counts)).T).view(_LINE).ravel()
    numbers = planes.decode(parts[1:], int(counts.sum()))
    starts = np.cumsum(counts) - counts
    order = lines["order"]
    for least in (1, 2):
        if np.any(order >= least):
            summed = _sums(numbers, starts, counts)
            numbers = summed if np.all(order >= least) else np.where(np.repeat(order >= least, counts), summed, numbers)
    numbers += np.repeat(lines["base"], counts)
    if np.any(lines["slope"]):
        places = np.arange(len(numbers)) - np.repeat(starts, counts)
        numbers += np.repeat(lines["slope"], counts) * places
    return numbers


def _shortest(segments: Integers) -> tuple[NDArray[np.void], Integers]:
    """Of segments, one a row: the lines whose differences take the least room, and these differences."""
    few = segments[:, :_TRIED]
    count = segments.shape[1]
    nothing = np.zeros(len(segments), np.int64)
    slope = np.median(np.diff(few), axis=1).astype(np.int64) if count > 1 else nothing
    first = segments[:, 0]
    middle = np.partition(segments, count // 2)[:, count // 2]
    bases, slopes = np.stack([middle, first, first, first]), np.stack([nothing, slope, slope, slope])
    rooms = [_room(_differences(few, *line)) for line in zip(bases, slopes, _ORDERS, strict=True)]
    best = np.argmin(rooms, axis=0)
    lines = np.empty(len(segments), _LINE)
    rows = np.arange(len(segments))
    lines["base"], lines["slope"], lines["order"] = bases[best, rows], slopes[best, rows], _ORDERS[best]
    rests = np.empty_like(segments)
    for order in np.unique(lines["order"]):
        chosen = lines["order"] == order
        rests[chosen] = _differences(segments[chosen], lines["base"][chosen], lines["slope"][chosen], order)
    return lines, rests


def _differences(segments: Integers, base: Integers, slope: Integers, order: int) -> Integers:
    rest = segments - base[:, None]
    if np.any(slope):
        rest -= np.arange(segments.shape[1]) * slope[:, None]
    for _ in range(order):
        rest = np.diff(rest, prepend=np.zeros((len(rest), 1), np.int64))
    return rest


def _room(rests: Integers) -> Values:
    """About how many bits the numbers of each row take."""
    room: Values = np.log2(np.abs(rests.astype(np.float64)) + 1).sum(axis=1)
    return room


def _sums(numbers: Integers, starts: Integers, counts: Integers) -> Integers:
    """Running sums that begin anew with each segment."""
    summed = np.cumsum(numbers)
    before = summed[starts] - numbers[starts]
    return summed - np.repeat(before, counts)
