"""The messages of OTLP's data points, read field by field, in whatever order they were written."""

from __future__ import annotations

from handlers.gathered_samples import GAP
from handlers.ingest import wire
from handlers.ingest.otlp_labels import key_value
from handlers.ingest.otlp_points import NO_RECORDED_VALUE, Buckets, Measured, Point
from handlers.ingest.wire import Malformed

# A list of counts may be as long as a body, and each of its bytes would become an object.
_MOST_COUNT_BYTES = 200_000


class _Fields:
    """What all points have, put together field by field; their attributes have the number `attributes`."""

    def __init__(self, data: bytes, attributes: int, flags: int) -> None:
        self._data = data
        self._attributes = attributes
        self._flags = flags
        self._start = self._time = self._flag_bits = 0
        self._spans: list[tuple[int, int]] = []

    def take(self, number: int, kind: int, a: int, b: int) -> bool:
        """Whether it is one of those."""
        if number == self._attributes and kind == wire.BYTES:
            self._spans.append((a, b))
        elif number == 2 and kind == wire.FIXED64:
            self._start = wire.fixed64(self._data, a)
        elif number == 3 and kind == wire.FIXED64:
            self._time = wire.fixed64(self._data, a)
        elif number == self._flags and kind == wire.VARINT:
            self._flag_bits = a
        else:
            return False
        return True

    def point(self, *, has_value: bool = True) -> Point:
        attributes = [key_value(self._data, a, b) for a, b in self._spans]
        flags = self._flag_bits if has_value else NO_RECORDED_VALUE
        # As signed as the other way to read them takes it: nothing begins after the year 2262.
        start = wire.signed(self._start)
        return Point(tuple(attributes), attributes, start, self._time, flags)


def number_point(data: bytes, at: int, end: int) -> tuple[Point, float]:
    """A NumberDataPoint. Raises Malformed, as all here."""
    common, value, has_value = _Fields(data, 7, 8), GAP, False
    for number, kind, a, b in wire.fields(data, at, end):
        if common.take(number, kind, a, b):
            continue
        if number == 4 and kind == wire.FIXED64:
            value, has_value = wire.double(data, a), True
        elif number == 6 and kind == wire.FIXED64:
            value, has_value = float(wire.sfixed64(data, a)), True
    return common.point(has_value=has_value), value


def histogram_point(data: bytes, at: int, end: int) -> tuple[Point, Measured, list[int], list[float]]:
    """A HistogramDataPoint: the counts of its buckets, and the bounds between them."""
    common, count, total = _Fields(data, 9, 10), 0, None
    counts: list[int] = []
    bounds: list[float] = []
    for number, kind, a, b in wire.fields(data, at, end):
        if common.take(number, kind, a, b):
            continue
        match number, kind:
            case 4, wire.FIXED64:
                count = wire.fixed64(data, a)
            case 5, wire.FIXED64:
                total = wire.double(data, a)
            case 6, wire.BYTES:
                counts += wire.packed_fixed64(data, a, b)
            case 6, wire.FIXED64:
                counts.append(wire.fixed64(data, a))
            case 7, wire.BYTES:
                bounds += wire.packed_doubles(data, a, b)
            case 7, wire.FIXED64:
                bounds.append(wire.double(data, a))
    return common.point(), Measured(count, total), counts, bounds


def exponential_point(
    data: bytes, at: int, end: int
) -> tuple[Point, Measured, int, tuple[float, int], Buckets, Buckets]:
    """An ExponentialHistogramDataPoint: scale, zero threshold and count, positive and negative buckets."""
    common, count, total, scale, zeros, threshold = _Fields(data, 1, 10), 0, None, 0, 0, 0.0
    positive = negative = Buckets(0, ())
    for number, kind, a, b in wire.fields(data, at, end):
        if common.take(number, kind, a, b):
            continue
        match number, kind:
            case 4, wire.FIXED64:
                count = wire.fixed64(data, a)
            case 5, wire.FIXED64:
                total = wire.double(data, a)
            case 6, wire.VARINT:
                scale = wire.zigzag(a)
            case 7, wire.FIXED64:
                zeros = wire.fixed64(data, a)
            case 8, wire.BYTES:
                positive = _buckets(data, a, b)
            case 9, wire.BYTES:
                negative = _buckets(data, a, b)
            case 14, wire.FIXED64:
                threshold = wire.double(data, a)
    return common.point(), Measured(count, total), scale, (threshold, zeros), positive, negative


def _buckets(data: bytes, at: int, end: int) -> Buckets:
    offset = 0
    counts: list[int] = []
    for number, kind, a, b in wire.fields(data, at, end):
        if number == 1 and kind == wire.VARINT:
            offset = wire.zigzag(a)
        elif number == 2 and kind == wire.BYTES:
            if b - a > _MOST_COUNT_BYTES:
                raise Malformed("an exponential histogram has more buckets than any number needs")
            counts += wire.packed_varints(data, a, b)
        elif number == 2 and kind == wire.VARINT:
            counts.append(a)
    return Buckets(offset, counts)


def summary_point(data: bytes, at: int, end: int) -> tuple[Point, Measured, list[tuple[float, float]]]:
    """A SummaryDataPoint: quantiles with their values."""
    common, count, total = _Fields(data, 7, 8), 0, None
    quantiles: list[tuple[float, float]] = []
    for number, kind, a, b in wire.fields(data, at, end):
        if common.take(number, kind, a, b):
            continue
        match number, kind:
            case 4, wire.FIXED64:
                count = wire.fixed64(data, a)
            case 5, wire.FIXED64:
                total = wire.double(data, a)
            case 6, wire.BYTES:
                quantiles.append(_quantile(data, a, b))
    # A sum of zero is not written, and is one.
    return common.point(), Measured(count, total or 0.0), quantiles


def _quantile(data: bytes, at: int, end: int) -> tuple[float, float]:
    quantile = value = 0.0
    for number, kind, a, _ in wire.fields(data, at, end):
        if number == 1 and kind == wire.FIXED64:
            quantile = wire.double(data, a)
        elif number == 2 and kind == wire.FIXED64:
            value = wire.double(data, a)
    return quantile, value
