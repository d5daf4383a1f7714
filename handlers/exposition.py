"""What exporters answer with: Prometheus' text format and OpenMetrics, as samples.

A line is nearly always a series that was there before, and a number: what is before the number is compared as bytes.
Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

import re

import numpy as np

from handlers.gathered_samples import Decoded, Gathered, Slot, Window
from handlers.prometheus_names import NAME, MetricType, family_of, slot_of

# What to ask an exporter for.
ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
OPEN_METRICS = "application/openmetrics-text"
# When the exporter's process began, and all that it counts with it.
PROCESS_START = "process_start_time_seconds"

_TYPES = {
    "counter": MetricType.COUNTER,
    "gauge": MetricType.GAUGE,
    "histogram": MetricType.HISTOGRAM,
    "gaugehistogram": MetricType.GAUGE_HISTOGRAM,
    "summary": MetricType.SUMMARY,
    "info": MetricType.INFO,
    "stateset": MetricType.STATE_SET,
}
_BARE_NAME = re.compile(r"[^\s{}\",=#]+")
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
# A number, then perhaps a time, then perhaps an exemplar.
_AFTER = re.compile(r"[ \t]+(?P<value>\S+)(?:[ \t]+(?P<time>[-+0-9.eE]+))?[ \t]*(?P<exemplar># .*)?")
_COMMENT = re.compile(r"#[ \t]*(?P<what>TYPE|UNIT)[ \t]+(?P<name>\"(?:[^\"\\]|\\.)*\"|\S+)[ \t]+(?P<text>\S+)[ \t]*")


class BadExposition(ValueError):
    """The text is not in the format; the message says which line."""


class ExpositionReader:
    """Reads what one exporter answers, again and again, and remembers its series."""

    def __init__(self) -> None:
        self._slots: dict[bytes, Slot] = {}
        self._types: dict[str, MetricType] = {}
        self._units: dict[str, str] = {}

    def read(self, body: bytes, at_ms: int, window: Window, *, open_metrics: bool = False) -> Decoded:
        """The samples, as of `at_ms` where a line says no other time. Raises BadExposition."""
        reading = _Reading(self._slots, self._types, self._units, at_ms, window, open_metrics=open_metrics)
        reading.read(body)
        return reading.decoded()


class _Reading:
    def __init__(
        self,
        slots: dict[bytes, Slot],
        types: dict[str, MetricType],
        units: dict[str, str],
        at_ms: int,
        window: Window,
        *,
        open_metrics: bool,
    ) -> None:
        self._known, self._types, self._units = slots, types, units
        self._at_ms = at_ms
        self._open_metrics = open_metrics
        self._gathered = Gathered(window)
        self._slots: list[Slot] = []
        self._times: list[int] = []
        self._values: list[float] = []

    def read(self, body: bytes) -> None:
        known, at_ms = self._known.get, self._at_ms
        add_slot, add_time, add_value = self._slots.append, self._times.append, self._values.append
        for number, line in enumerate(body.split(b"\n"), 1):
            series, _, value = line.rpartition(b" ")
            slot = known(series)
            if slot is not None:
                add_slot(slot)
                add_time(at_ms)
                add_value(_number(value, number))
            elif line and not line.isspace():
                self._take(line, number)

    def decoded(self) -> Decoded:
        start = self._start()
        starts = np.zeros(len(self._slots), np.int64)
        if start:
            counts = (slot.key is not None and slot.key.kind == "counter" for slot in self._slots)
            starts[np.fromiter(counts, np.bool_, len(starts))] = start
        self._gathered.add_block(self._slots, np.array(self._times, np.int64), np.array(self._values), starts)
        return self._gathered.columns()

    def _start(self) -> int:
        """When the process began, in milliseconds; 0 where that is not told."""
        slot = self._known.get(PROCESS_START.encode())
        seconds = next((value for each, value in zip(self._slots, self._values, strict=True) if each is slot), 0.0)
        return int(seconds * 1000) if 0 < seconds < 1e12 else 0

    def _take(self, line: bytes, number: int) -> None:
        try:
            text = line.decode().rstrip("\r")
        except UnicodeDecodeError:
            raise BadExposition(f"Line {number} is not UTF-8.") from None
        if text.lstrip().startswith("#"):
            self._comment(text.strip())
            return
        labels, end = _series(text, number)
        after = _AFTER.fullmatch(text, end)
        if after is None:
            raise BadExposition(f"Line {number}: after the series stand a number and perhaps a time.")
        at_ms = self._time(after["time"], number) if after["time"] else self._at_ms
        name = text[:end].encode()
        slot = self._known.get(name)
        if slot is None:
            slot = self._known[name] = self._slot(labels)
        if self._gathered.admits(at_ms):
            self._slots.append(slot)
            self._times.append(at_ms)
            self._values.append(_number(after["value"].encode(), number))

    def _comment(self, text: str) -> None:
        match = _COMMENT.fullmatch(text)
        if match is None:
            return
        name = _unquoted(match["name"])
        if match["what"] == "UNIT":
            self._units[name] = match["text"]
            return
        metric_type = _TYPES.get(match["text"].lower(), MetricType.UNKNOWN)
        if self._types.setdefault(name, metric_type) != metric_type:
            # What is known of it so far is of another kind now.
            self._known.clear()
            self._types[name] = metric_type

    def _slot(self, labels: list[tuple[str, str]]) -> Slot:
        name = labels[0][1]
        family = name if name in self._types else family_of(name)
        return slot_of(labels, self._types.setdefault(family, MetricType.UNKNOWN), self._units.get(family, ""))

    def _time(self, text: str, number: int) -> int:
        try:
            time = float(text) * (1000 if self._open_metrics else 1)
            return int(time)
        except (ValueError, OverflowError):
            raise BadExposition(f"Line {number}: {text!r} is no time.") from None


def _series(text: str, line: int) -> tuple[list[tuple[str, str]], int]:
    """The labels of a line's series, its name first, and where it ends. Raises BadExposition."""
    bare = _BARE_NAME.match(text)
    name, at = (bare[0], bare.end()) if bare else ("", 0)
    labels: list[tuple[str, str]] = []
    if text[at : at + 1] == "{":
        at = _past_space(text, at + 1)
        while text[at : at + 1] != "}":
            key, at = _label_name(text, at, line)
            at = _past_space(text, at)
            if text[at : at + 1] == "=":
                value, at = _quoted(text, _past_space(text, at + 1), line)
                labels.append((key, value))
            elif not name:
                name = key
            else:
                raise BadExposition(f'Line {line}: a label is written as name="value".')
            at = _past_space(text, at)
            if text[at : at + 1] == ",":
                at = _past_space(text, at + 1)
            elif text[at : at + 1] != "}":
                raise BadExposition(f"Line {line}: the labels do not end with a brace.")
        at += 1
    if not name:
        raise BadExposition(f"Line {line} begins with no name.")
    return [(NAME, name), *labels], at


def _past_space(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t"):
        at += 1
    return at


def _label_name(text: str, at: int, line: int) -> tuple[str, int]:
    if text[at : at + 1] == '"':
        return _quoted(text, at, line)
    match = _BARE_NAME.match(text, at)
    if match is None:
        raise BadExposition(f"Line {line}: the labels do not end with a brace.")
    return match[0], match.end()


def _quoted(text: str, at: int, line: int) -> tuple[str, int]:
    match = _QUOTED.match(text, at)
    if match is None:
        raise BadExposition(f"Line {line}: the value of a label stands between quotation marks.")
    return _plain(match[1]), match.end()


def _unquoted(text: str) -> str:
    return _plain(text[1:-1]) if text.startswith('"') else text


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], text) if "\\" in text else text


def _number(text: bytes, line: int) -> float:
    try:
        if b"_" not in text:
            return float(text)
    except ValueError:
        pass
    raise BadExposition(f"Line {line}: {text[:40]!r} is no number.")
