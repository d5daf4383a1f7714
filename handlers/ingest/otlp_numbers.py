"""The numbers of many points, taken out of a body at once: what the loop over points leaves are their places."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handlers.gathered_samples import NANOSECONDS, Gathered, Slot

# Tags of a NumberDataPoint: start_time_unix_nano, time_unix_nano, as_double and as_int.
START, TIME, DOUBLE, INT = 0x11, 0x19, 0x21, 0x31


class NumberPlaces:
    """Of each number its series, where its time stands (a value follows it), and where its start; 0 for none."""

    __slots__ = ("slots", "starts", "times")

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self.times: list[int] = []
        self.starts: list[int] = []

    def take_out(self, body: bytes, gathered: Gathered) -> None:
        if not self.slots:
            return
        octets = np.frombuffer(body, np.uint8)
        times, starts = np.array(self.times, np.int64), np.array(self.starts, np.int64)
        at_ms = (_numbers(octets, times) // NANOSECONDS).astype(np.int64)
        began = np.where(starts > 0, _numbers(octets, starts).view(np.int64), 0)
        gathered.add_block(self.slots, at_ms, _values(octets, times), began)


def _numbers(body: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The fixed64 at each place."""
    return np.ascontiguousarray(body[places[:, None] + np.arange(8)]).view("<u8")[:, 0].astype(np.uint64)


def _values(body: NDArray[np.uint8], times: NDArray[np.int64]) -> NDArray[np.float64]:
    """The values, which stand a tag behind the times."""
    bits = _numbers(body, times + 9)
    return np.where(body[times + 8] == INT, bits.view(np.int64).astype(np.float64), bits.view(np.float64))
