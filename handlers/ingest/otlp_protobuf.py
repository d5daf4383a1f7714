"""OTLP's ExportMetricsServiceRequest in protocol buffers, as samples.

Of a number's point all but three numbers of eight bytes is the same in each request. So what follows these, its
attributes, is compared as bytes with what came before, and is read only once; the numbers are taken out of all points
at once. Points that are encoded in another order are read field by field.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from handlers.gathered_samples import ENTRY_BYTES, NANOSECONDS, Decoded, Gathered, Slot, Window
from handlers.ingest import wire
from handlers.ingest.otlp_instruments import Instrument, Temporality
from handlers.ingest.otlp_labels import key_value, resource_labels, scope_labels
from handlers.ingest.otlp_messages import exponential_point, histogram_point, number_point, summary_point
from handlers.ingest.otlp_numbers import DOUBLE, INT, START, TIME, NumberPlaces
from handlers.ingest.otlp_points import Points
from handlers.ingest.wire import Malformed

# The numbers of Metric's fields.
_GAUGE, _SUM, _HISTOGRAM, _EXPONENTIAL, _SUMMARY = 5, 7, 9, 10, 11
_DATA = (_GAUGE, _SUM, _HISTOGRAM, _EXPONENTIAL, _SUMMARY)

NO_TEMPORALITY = "its metric does not say whether its values are cumulative"
UNKNOWN_KIND = "its metric is of a kind that is not known here"

Span = tuple[int, int]


class _Known:
    """What stands under some bytes: the scopes of a resource, the instruments of a scope; with their labels."""

    __slots__ = ("labels", "under")

    def __init__(self, labels: dict[str, str]) -> None:
        self.labels = labels
        self.under: dict[Any, Any] = {}


class OtlpReader:
    """Reads the requests of one sender, and remembers its series, which takes about `size` bytes.

    Whatever the request, the work grows with its length and not faster: what many metrics share is read once.
    """

    def __init__(self) -> None:
        self._resources: dict[bytes, _Known] = {}
        self.size = 0

    def read(self, body: bytes, window: Window) -> Decoded:
        """Raises Malformed."""
        request = _Request(body, Gathered(window), self._resources)
        try:
            for resource in _spans(body, 0, len(body), 1):
                request.take_resource(*resource)
        except IndexError:
            raise Malformed("the message is cut off") from None
        finally:
            self.size += request.learned
        return request.decoded()


class _Request:
    """One request on its way through. Numbers are gathered as places in the body."""

    def __init__(self, body: bytes, gathered: Gathered, resources: dict[bytes, _Known]) -> None:
        self._body = body
        self._gathered = gathered
        self._points = Points(gathered)
        self._resources = resources
        self.learned = 0
        self._places = NumberPlaces()

    def take_resource(self, at: int, end: int) -> None:
        name, scopes = b"", []
        for number, kind, a, b in wire.fields(self._body, at, end):
            if number == 1 and kind == wire.BYTES:
                name = self._body[a:b]
            elif number == 2 and kind == wire.BYTES:
                scopes.append((a, b))
        resource = self._resources.get(name)
        if resource is None:
            resource = self._resources[name] = _Known(resource_labels(_attributes(name)))
            self._learned(name)
        for scope in scopes:
            self._take_scope(resource, *scope)

    def _take_scope(self, resource: _Known, at: int, end: int) -> None:
        name, metrics = b"", []
        for number, kind, a, b in wire.fields(self._body, at, end):
            if number == 1 and kind == wire.BYTES:
                name = self._body[a:b]
            elif number == 2 and kind == wire.BYTES:
                metrics.append((a, b))
        scope: _Known | None = resource.under.get(name)
        if scope is None:
            labels = scope_labels(_scope_name(name), _attributes(name, number=3))
            scope = resource.under[name] = _Known({**resource.labels, **labels})
            self._learned(name)
        for metric in metrics:
            self._take_metric(scope, *metric)

    def _take_metric(self, scope: _Known, at: int, end: int) -> None:
        body, name, unit, data = self._body, b"", b"", None
        for number, kind, a, b in wire.fields(body, at, end):
            if kind != wire.BYTES:
                continue
            if number == 1:
                name = body[a:b]
            elif number == 3:
                unit = body[a:b]
            elif number in _DATA:
                data = (number, a, b)
            elif number not in (2, 12):
                self._gathered.refusals.add(UNKNOWN_KIND)
        if data is None:
            return
        points, temporality, monotonic = _data_of(body, data[1], data[2])
        if data[0] not in (_GAUGE, _SUMMARY) and temporality not in (Temporality.DELTA, Temporality.CUMULATIVE):
            self._gathered.refusals.add(NO_TEMPORALITY, len(points))
            return
        instrument = self._instrument(scope, name, unit, (data[0], temporality, monotonic))
        if data[0] in (_GAUGE, _SUM):
            self._take_numbers(instrument, points)
        else:
            self._take_others(data[0], instrument, points)

    def _instrument(self, scope: _Known, name: bytes, unit: bytes, how: tuple[int, int, bool]) -> Instrument:
        instrument: Instrument | None = scope.under.get((name, unit, how))
        if instrument is None:
            kind, temporality, monotonic = how
            instrument = scope.under[name, unit, how] = Instrument(
                wire.text(name, 0, len(name)),
                wire.text(unit, 0, len(unit)),
                scope.labels,
                counts=monotonic if kind == _SUM else kind != _GAUGE,
                delta=temporality == Temporality.DELTA,
            )
            self._learned(name)
        return instrument

    def _learned(self, name: bytes) -> None:
        self.learned += len(name) + ENTRY_BYTES

    def _take_numbers(self, instrument: Instrument, points: list[Span]) -> None:
        """The loop that everything depends on: what it does for each point, it does 100,000 times a second."""
        body, slots, counts, places = self._body, instrument.slots, instrument.counts, self._places
        add_slot, add_time, add_start = places.slots.append, places.times.append, places.starts.append
        for a, b in points:
            has_start = body[a] == START
            time = a + 10 if has_start else a + 1
            tag = time + 8
            if b - tag < 9 or body[time - 1] != TIME or (body[tag] != DOUBLE and body[tag] != INT):
                self._take_number(instrument, a, b)
                continue
            name = body[tag + 9 : b]
            slot = slots.get(name) or self._learn(instrument, name)
            if slot is None:
                self._take_number(instrument, a, b)
                continue
            add_slot(slot)
            add_time(time)
            add_start(a + 1 if has_start and counts else 0)

    def _learn(self, instrument: Instrument, name: bytes) -> Slot | None:
        """The series of these attributes; None if there is anything else among them."""
        if any((number, kind) != (7, wire.BYTES) for number, kind, _, _ in wire.fields(name, 0, len(name))):
            return None
        attributes = [key_value(name, a, b) for _, _, a, b in wire.fields(name, 0, len(name))]
        self._learned(name)
        return instrument.number(name, attributes)

    def _take_number(self, instrument: Instrument, at: int, end: int) -> None:
        point, value = number_point(self._body, at, end)
        known = len(instrument.slots)
        self._points.number(instrument, point, value)
        self.learned += (len(instrument.slots) - known) * (end - at + ENTRY_BYTES)

    def _take_others(self, kind: int, instrument: Instrument, points: list[Span]) -> None:
        for at, end in points:
            known = len(instrument.slots)
            if kind == _HISTOGRAM:
                self._points.histogram(instrument, *histogram_point(self._body, at, end))
            elif kind == _EXPONENTIAL:
                self._points.exponential(instrument, *exponential_point(self._body, at, end))
            else:
                self._points.summary(instrument, *summary_point(self._body, at, end))
            if new := len(instrument.slots) - known:
                self.learned += new * ENTRY_BYTES + (end - at)

    def decoded(self) -> Decoded:
        self._places.take_out(self._body, self._gathered)
        return self._gathered.columns(NANOSECONDS)


def _data_of(body: bytes, at: int, end: int) -> tuple[list[Span], int, bool]:
    """The points of a gauge, sum, histogram or summary, and for those that have them temporality and monotony."""
    points: list[Span] = []
    temporality, monotonic = 0, False
    add = points.append
    while at < end:
        if body[at] != 0x0A:
            break
        size, begin = body[at + 1], at + 2
        if size >= 0x80:
            size, begin = wire.varint(body, at + 1, end)
        at = begin + size
        if at > end:
            raise Malformed("a field is longer than its message")
        if size:
            add((begin, at))
    for number, kind, a, b in wire.fields(body, at, end):
        if number == 1 and kind == wire.BYTES and a < b:
            add((a, b))
        elif number == 2 and kind == wire.VARINT:
            temporality = a if a <= 2 else 0
        elif number == 3 and kind == wire.VARINT:
            monotonic = a != 0
    return points, temporality, monotonic


def _spans(body: bytes, at: int, end: int, number: int) -> Iterator[Span]:
    return ((a, b) for found, kind, a, b in wire.fields(body, at, end) if found == number and kind == wire.BYTES)


def _attributes(message: bytes, number: int = 1) -> Iterator[tuple[str, str]]:
    return (key_value(message, a, b) for a, b in _spans(message, 0, len(message), number))


def _scope_name(message: bytes) -> str:
    return next((wire.text(message, a, b) for a, b in _spans(message, 0, len(message), 1)), "")
