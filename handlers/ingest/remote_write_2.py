"""Prometheus' remote-write 2.0 as samples: https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/

Texts stand once in a request, in a table of symbols; series name them by their places in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from handlers.gathered_samples import ENTRY_BYTES, Decoded, Gathered, Slot, Window
from handlers.ingest import wire
from handlers.ingest.remote_write import NATIVE_HISTOGRAM
from handlers.ingest.wire import Malformed
from handlers.prometheus_names import slot_of, type_of

Name = tuple[tuple[str, ...], int, str]


@dataclass(slots=True)
class _Series:
    """A TimeSeries message; samples are (time, value, start), times in ms."""

    references: list[int] = field(default_factory=list)
    samples: list[tuple[int, float, int]] = field(default_factory=list)
    histograms: int = 0
    metric_type: int = 0
    unit: int = 0
    created: int = 0


class RemoteWrite2Reader:
    """Reads the requests of one sender, and remembers its series, which takes about `size` bytes."""

    def __init__(self) -> None:
        self._slots: dict[Name, Slot] = {}
        self.size = 0

    def read(self, body: bytes, window: Window) -> Decoded:
        """Raises Malformed."""
        symbols: list[str] = []
        series: list[tuple[int, int]] = []
        for number, kind, a, b in wire.fields(body, 0, len(body)):
            if number == 4 and kind == wire.BYTES:
                symbols.append(wire.text(body, a, b))
            elif number == 5 and kind == wire.BYTES:
                series.append((a, b))
        gathered = Gathered(window)
        for a, b in series:
            self._take(_series(body, a, b), symbols, gathered)
        return gathered.columns()

    def _take(self, series: _Series, symbols: list[str], gathered: Gathered) -> None:
        gathered.refusals.add(NATIVE_HISTOGRAM, series.histograms)
        try:
            texts = tuple([symbols[reference] for reference in series.references])
            name = (texts, series.metric_type, symbols[series.unit] if series.unit else "")
        except IndexError:
            raise Malformed("a series names a symbol that is not in the table") from None
        slot = self._slots.get(name)
        if slot is None:
            slot = self._slots[name] = _slot(name)
            self.size += sum(map(len, texts)) + ENTRY_BYTES
        counts = slot.key is not None and slot.key.kind == "counter"
        for at_ms, value, start in series.samples:
            if gathered.admits(at_ms):
                gathered.add(slot, at_ms, value, (start or series.created) if counts else 0)


def _slot(name: Name) -> Slot:
    texts, metric_type, unit = name
    if len(texts) % 2:
        raise Malformed("a series has a label without a value")
    return slot_of(list(zip(texts[::2], texts[1::2], strict=True)), type_of(metric_type), unit)


def _series(body: bytes, at: int, end: int) -> _Series:
    series = _Series()
    for number, kind, a, b in wire.fields(body, at, end):
        match number, kind:
            case 1, wire.BYTES:
                series.references += wire.packed_varints(body, a, b)
            case 1, wire.VARINT:
                series.references.append(a)
            case 2, wire.BYTES:
                series.samples.append(_sample(body, a, b))
            case 3, wire.BYTES:
                series.histograms += 1
            case 5, wire.BYTES:
                series.metric_type, series.unit = _metadata(body, a, b)
            case 6, wire.VARINT:
                series.created = wire.signed(a)
    return series


def _sample(body: bytes, at: int, end: int) -> tuple[int, float, int]:
    at_ms, value, start = 0, 0.0, 0
    for number, kind, a, _ in wire.fields(body, at, end):
        if number == 1 and kind == wire.FIXED64:
            value = wire.double(body, a)
        elif number == 2 and kind == wire.VARINT:
            at_ms = wire.signed(a)
        elif number == 3 and kind == wire.VARINT:
            start = wire.signed(a)
    return at_ms, value, start


def _metadata(body: bytes, at: int, end: int) -> tuple[int, int]:
    """The type and the symbol of the unit."""
    metric_type = unit = 0
    for number, kind, a, _ in wire.fields(body, at, end):
        if number == 1 and kind == wire.VARINT:
            metric_type = a
        elif number == 4 and kind == wire.VARINT:
            unit = a
    return metric_type, unit
