"""What is taken of samples that are to be appended: those of times that are kept, of series that there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.samples.columns import SampleColumns, SeriesKey, Times, Values

UNKNOWN = -1
# So many more objects than series are remembered, before all are forgotten that were brought once.
_OBJECTS = 1000


class KnownSeries:
    """The numbers of a source's series as this node knows them, as long as none was forgotten.

    Whoever brings the same series again mostly brings the same objects, and is spared comparing what is in them.
    """

    def __init__(self, forgotten: int = 0, numbers: dict[SeriesKey, int] | None = None) -> None:
        self.forgotten = forgotten
        self.numbers = numbers or {}
        self._of_objects: dict[int, int] = {}
        # An object's identity is its own only as long as it is there.
        self._objects: list[SeriesKey] = []

    def find(self, keys: Sequence[SeriesKey]) -> NDArray[np.int64]:
        """The numbers, -1 where they are not known."""
        found = list(map(self._of_objects.get, map(id, keys)))
        if None in found:
            found = [self._look_up(key) if number is None else number for key, number in zip(keys, found, strict=True)]
        return np.array(found, np.int64)

    def _look_up(self, key: SeriesKey) -> int:
        number = self.numbers.get(key, UNKNOWN)
        if number != UNKNOWN:
            if len(self._objects) > 2 * len(self.numbers) + _OBJECTS:
                self._objects.clear()
                self._of_objects.clear()
            self._objects.append(key)
            self._of_objects[id(key)] = number
        return number


@dataclass(slots=True)
class Part:
    """The samples of one request whose times are taken, and the numbers of its keys, -1 where they are not known.

    `strangers` are series that are not known and have samples, with the first and last times of these.
    """

    keys: Sequence[SeriesKey]
    numbers: NDArray[np.int64]
    index: NDArray[np.int32]
    at_ms: Times
    value: Values
    refused_times: int
    strangers: dict[SeriesKey, tuple[int, int]]


def admitted(columns: SampleColumns, known: KnownSeries, oldest: int, newest: int) -> Part:
    """The samples from `oldest` to `newest`."""
    at_ms = columns.at_ms
    fits = (at_ms >= oldest) & (at_ms <= newest)
    refused = len(fits) - int(np.count_nonzero(fits))
    index, value = columns.index, columns.value
    if refused:
        index, at_ms, value = index[fits], at_ms[fits], value[fits]
    part = Part(columns.keys, known.find(columns.keys), index, at_ms, value, refused, {})
    strange = np.flatnonzero(part.numbers == UNKNOWN)
    if len(strange):
        part.strangers = _spans(part, strange.tolist())
    return part


def _spans(part: Part, strange: list[int]) -> dict[SeriesKey, tuple[int, int]]:
    """The first and last times of the series at these places, of those that have samples."""
    first = np.full(len(part.keys), np.iinfo(np.int64).max)
    last = np.full(len(part.keys), np.iinfo(np.int64).min)
    np.minimum.at(first, part.index, part.at_ms)
    np.maximum.at(last, part.index, part.at_ms)
    return {part.keys[place]: (int(first[place]), int(last[place])) for place in strange if first[place] <= last[place]}
