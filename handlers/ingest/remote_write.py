"""Prometheus' remote-write 1.0 as samples: https://prometheus.io/docs/specs/prw/remote_write_spec/

A series is known by the bytes of its labels, which stand first and are the same in each request; nearly always one
sample follows them. What is encoded otherwise is read field by field.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from handlers.gathered_samples import ENTRY_BYTES, Decoded, Gathered, Slot, Window
from handlers.ingest import wire
from handlers.prometheus_names import MetricType, family_of, slot_of, type_of

NATIVE_HISTOGRAM = "it is a native histogram, which is not kept: let the sender send classic ones"

# A sample with a time of six bytes (any of 2004 to 2109), with a value and, where that is 0, without.
_SIZE, _SIZE_OF_ZERO = 18, 9
_TIME_BYTES = 6

# The types of metric families, and their units.
Families = dict[str, tuple[MetricType, str]]


class RemoteWriteReader:
    """Reads the requests of one sender, and remembers its series and the types of its metrics.

    That takes about `size` bytes."""

    def __init__(self) -> None:
        self._slots: dict[bytes, Slot] = {}
        self._families: Families = {}
        self.size = 0

    def read(self, body: bytes, window: Window) -> Decoded:
        """Raises Malformed."""
        series: list[tuple[int, int]] = []
        known = dict(self._families)
        for number, kind, a, b in wire.fields(body, 0, len(body)):
            if kind != wire.BYTES:
                continue
            if number == 1:
                series.append((a, b))
            elif number == 3:
                family, type_and_unit = _metadata(body, a, b)
                known[family] = type_and_unit
        if known != self._families:
            # What series are called so far may be of another kind now.
            self._families, self._slots = known, {}
            self.size = sum(len(name) + ENTRY_BYTES for name in known)
        gathered = Gathered(window)
        if not self._take_quickly(body, series, gathered):
            gathered = Gathered(window)
            for a, b in series:
                self._take(body, a, b, gathered)
        return gathered.columns()

    def _take_quickly(self, body: bytes, series: Iterable[tuple[int, int]], gathered: Gathered) -> bool:
        """False if a time is not what it looked like."""
        slots: list[Slot] = []
        ends: list[int] = []
        values: list[int] = []
        known, add_slot, add_end, add_value = self._slots.get, slots.append, ends.append, values.append
        for a, b in series:
            tail = b - _SIZE
            if tail > a and body[tail : tail + 3] == b"\x12\x10\x09" and body[tail + 11] == 0x10:
                value = tail + 3
            else:
                tail, value = b - _SIZE_OF_ZERO, -1
                if tail <= a or body[tail : tail + 3] != b"\x12\x07\x10":
                    self._take(body, a, b, gathered)
                    continue
            slot = known(body[a:tail])
            if slot is None:
                self._take(body, a, b, gathered)
                continue
            add_slot(slot)
            add_end(b)
            add_value(value)
        if not slots:
            return True
        octets = np.frombuffer(body, np.uint8)
        at_ms = _times(octets, np.array(ends, np.int64))
        if at_ms is None:
            return False
        zeros = np.zeros(len(slots), np.int64)
        gathered.add_block(slots, at_ms, _values(octets, np.array(values, np.int64)), zeros)
        return True

    def _take(self, body: bytes, at: int, end: int, gathered: Gathered) -> None:
        """A TimeSeries field by field."""
        labels: list[tuple[str, str]] = []
        samples: list[tuple[int, float]] = []
        labels_end, is_plain = at, True
        for number, kind, a, b in wire.fields(body, at, end):
            if number == 1 and kind == wire.BYTES:
                labels.append(_label(body, a, b))
                is_plain = is_plain and not samples
                labels_end = b
            elif number == 2 and kind == wire.BYTES:
                samples.append(_sample(body, a, b))
            elif number == 4 and kind == wire.BYTES:
                gathered.refusals.add(NATIVE_HISTOGRAM)
            is_plain = is_plain and (number, kind) in ((1, wire.BYTES), (2, wire.BYTES))
        slot = self._slot(labels, body[at:labels_end], remembered=is_plain)
        for at_ms, value in samples:
            if gathered.admits(at_ms):
                gathered.add(slot, at_ms, value)

    def _slot(self, labels: list[tuple[str, str]], name: bytes, *, remembered: bool) -> Slot:
        slot = self._slots.get(name) if remembered else None
        if slot is None:
            metric_type, unit = _family(self._families, dict(labels).get("__name__", ""))
            slot = slot_of(labels, metric_type, unit)
            if remembered:
                self._slots[name] = slot
                self.size += len(name) + ENTRY_BYTES
        return slot


def _family(families: Families, name: str) -> tuple[MetricType, str]:
    return families.get(name) or families.get(family_of(name)) or (MetricType.UNKNOWN, "")


def _metadata(body: bytes, at: int, end: int) -> tuple[str, tuple[MetricType, str]]:
    metric_type, family, unit = 0, "", ""
    for number, kind, a, b in wire.fields(body, at, end):
        if number == 1 and kind == wire.VARINT:
            metric_type = a
        elif number == 2 and kind == wire.BYTES:
            family = wire.text(body, a, b)
        elif number == 5 and kind == wire.BYTES:
            unit = wire.text(body, a, b)
    return family, (type_of(metric_type), unit)


def _label(body: bytes, at: int, end: int) -> tuple[str, str]:
    name = value = ""
    for number, kind, a, b in wire.fields(body, at, end):
        if number == 1 and kind == wire.BYTES:
            name = wire.text(body, a, b)
        elif number == 2 and kind == wire.BYTES:
            value = wire.text(body, a, b)
    return name, value


def _sample(body: bytes, at: int, end: int) -> tuple[int, float]:
    """Time in ms and value. One with neither is of the value 0 at the time 0, as protocol buffers have it."""
    at_ms, value = 0, 0.0
    for number, kind, a, _ in wire.fields(body, at, end):
        if number == 1 and kind == wire.FIXED64:
            value = wire.double(body, a)
        elif number == 2 and kind == wire.VARINT:
            at_ms = wire.signed(a)
    return at_ms, value


def _times(octets: NDArray[np.uint8], ends: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """The numbers of six bytes that end there; None if one is not of six."""
    six = octets[ends[:, None] + np.arange(-_TIME_BYTES, 0)]
    if (six[:, :-1] < 0x80).any() or (six[:, -1] >= 0x80).any():
        return None
    parts: NDArray[np.int64] = (six & 0x7F).astype(np.int64) << (7 * np.arange(_TIME_BYTES))
    return np.asarray(parts.sum(axis=1), np.int64)


def _values(octets: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.float64]:
    """The doubles at those places, 0 for a place below 0."""
    found = np.ascontiguousarray(octets[np.maximum(places, 0)[:, None] + np.arange(8)]).view("<f8")[:, 0]
    return np.where(places >= 0, found, 0.0)
