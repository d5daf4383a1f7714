"""Samples as plain JSON: one a line, or a list of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from handlers.gathered_samples import Decoded, Gathered, Slot, Window, refused_slot
from handlers.registry import Instant
from handlers.series_keys import UnfitSeries, series_key
from storage.tables import to_microseconds

# What is wrong with more lines than this is the same everywhere.
MOST_TOLD = 20


class PushedSample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`at` is now unless it is given: a time, or milliseconds since 1970. A value of null says that nothing is known.

    A `counter` counts up and begins anew at times; it is shown as a rate. `unit` is one of UCUM, as `s` or `By`.
    """

    metric: Annotated[str, Meta(min_length=1, max_length=255)]
    value: float | None
    labels: dict[str, str] = {}
    at: Instant | Annotated[int, Meta(ge=0, le=2**53)] | None = None
    kind: Literal["gauge", "counter"] = "gauge"
    unit: str = ""


class BadLine(msgspec.Struct, frozen=True, kw_only=True):
    """`line` counts from 1; of a list, its samples do."""

    line: int
    message: str


class BadLines(Exception):
    """These lines are no samples; `count` of them, the first in `lines`."""

    def __init__(self, lines: Sequence[BadLine], count: int) -> None:
        super().__init__(f"{count} lines are no samples")
        self.lines = tuple(lines)
        self.count = count


_lines = msgspec.json.Decoder(PushedSample)


def parse_lines(body: bytes) -> list[PushedSample]:
    """The samples of a body with one a line; empty lines are passed over. Raises BadLines, with each of them."""
    samples: list[PushedSample] = []
    bad: list[BadLine] = []
    count = 0
    for number, line in _numbered(body):
        try:
            samples.append(_lines.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            count += 1
            if len(bad) < MOST_TOLD:
                bad.append(BadLine(line=number, message=f"{error}."))
    if count:
        raise BadLines(bad, count)
    return samples


def _numbered(body: bytes) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(body.split(b"\n"), 1) if line and not line.isspace())


def gather(samples: Sequence[PushedSample], now_ms: int, window: Window) -> Decoded:
    """The samples as columns. Raises BadLines for series that cannot be."""
    gathered = Gathered(window)
    slots: dict[tuple[object, ...], Slot] = {}
    bad: list[BadLine] = []
    count = 0
    for number, sample in enumerate(samples, 1):
        slot = _slot(slots, sample)
        if slot.key is None:
            count += 1
            if len(bad) < MOST_TOLD:
                bad.append(BadLine(line=number, message=f"No series may be called so: {slot.refusal}."))
            continue
        value = float("nan") if sample.value is None else sample.value
        at_ms = _milliseconds(sample.at, now_ms)
        if gathered.admits(at_ms):
            gathered.add(slot, at_ms, value)
    if count:
        raise BadLines(bad, count)
    return gathered.columns()


def _slot(slots: dict[tuple[object, ...], Slot], sample: PushedSample) -> Slot:
    name = (sample.metric, sample.kind, sample.unit, *sample.labels.items())
    slot = slots.get(name)
    if slot is None:
        try:
            slot = Slot(series_key(sample.metric, sample.labels.items(), sample.kind, sample.unit))
        except UnfitSeries as error:
            slot = refused_slot(error)
        slots[name] = slot
    return slot


def _milliseconds(at: Instant | int | None, now_ms: int) -> int:
    if at is None:
        return now_ms
    return at if isinstance(at, int) else to_microseconds(at) // 1000
