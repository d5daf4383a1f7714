"""Attributes of OpenTelemetry as labels: which of a resource's and a scope's are part of a series' name.

A resource is told from others by its attributes, so they are labels, with their own names. Left out are those that say
how a process runs and not which it is: they are long, and change with each release. An instrument's own attributes
come before the scope's, and those before the resource's, where two have one name.
"""

from __future__ import annotations

import base64
import itertools
import math
from collections.abc import Iterable, Mapping

import msgspec

from handlers.ingest import wire
from handlers.ingest.wire import Malformed
from handlers.series_keys import MOST_LABELS

SCOPE_NAME = "otel.scope.name"
_SCOPE_PREFIX = "otel.scope."
_LEFT_OUT = ("telemetry.sdk.", "telemetry.distro.", "process.command", "process.runtime.", "process.executable.", "os.")
# Values may hold values. Nobody nests them this deep but to hurt.
_DEEPEST = 8

# What an attribute may hold: a plain value, or a list or map of such.
Value = str | bool | int | float | bytes | None | list["Value"] | dict[str, "Value"]
Labels = Mapping[str, str]


def resource_labels(attributes: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Of more than a series may have, enough to tell that there are too many."""
    return _few((name, value) for name, value in attributes if not name.startswith(_LEFT_OUT))


def scope_labels(name: str, attributes: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The version is left out: a series goes on when its library is upgraded."""
    labels = _few((f"{_SCOPE_PREFIX}{key}", value) for key, value in attributes)
    return {**labels, SCOPE_NAME: name} if name else labels


def _few(labels: Iterable[tuple[str, str]]) -> dict[str, str]:
    return dict(itertools.islice(labels, MOST_LABELS + 1))


def shown(value: Value) -> str:
    """A value as the text of a label, as OpenTelemetry's mapping to non-OTLP formats has it."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _number(value)
        case bytes():
            return base64.b64encode(value).decode()
        case _:
            return msgspec.json.encode(value, order="sorted").decode()


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def key_value(data: bytes, at: int, end: int) -> tuple[str, str]:
    """A KeyValue message as name and text. Raises Malformed."""
    name, value = _pair(data, at, end, 0)
    return name, shown(value)


def _pair(data: bytes, at: int, end: int, depth: int) -> tuple[str, Value]:
    name, value = "", None
    for number, kind, a, b in wire.fields(data, at, end):
        if number == 1 and kind == wire.BYTES:
            name = wire.text(data, a, b)
        elif number == 2 and kind == wire.BYTES:
            value = _any_value(data, a, b, depth)
    return name, value


def _any_value(data: bytes, at: int, end: int, depth: int) -> Value:
    if depth > _DEEPEST:
        raise Malformed(f"an attribute is nested more than {_DEEPEST} deep")
    value: Value = None
    for number, kind, a, b in wire.fields(data, at, end):
        match number, kind:
            case 1, wire.BYTES:
                value = wire.text(data, a, b)
            case 2, wire.VARINT:
                value = a != 0
            case 3, wire.VARINT:
                value = wire.signed(a)
            case 4, wire.FIXED64:
                value = wire.double(data, a)
            case 5, wire.BYTES:
                value = [_any_value(data, c, d, depth + 1) for _, c, d in _messages(data, a, b)]
            case 6, wire.BYTES:
                value = dict(_pair(data, c, d, depth + 1) for _, c, d in _messages(data, a, b))
            case 7, wire.BYTES:
                value = data[a:b]
    return value


def _messages(data: bytes, at: int, end: int) -> Iterable[tuple[int, int, int]]:
    """The members of a list: messages under the number 1."""
    return [(number, a, b) for number, kind, a, b in wire.fields(data, at, end) if number == 1 and kind == wire.BYTES]
