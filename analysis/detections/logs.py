"""What the readers of databases' logs share: times, statements, and records that cannot be read.

A reader goes on after a record that it cannot read: a server that was killed, or a disk that was full, leaves torn
records, and whoever could tear one on purpose would otherwise hide all that comes after it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from analysis.detections.events import Event, Kind
from analysis.detections.sql import kind_of, object_of, target_of, without_secrets
from analysis.detections.sql_text import plain

MOST_TEXT = 10_000
_OFFSET = re.compile(r"^(?P<time>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?) ?(?P<zone>\S+)?$")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadLine(ValueError):
    """The record is not of that form; the text says what it lacks."""


# What a reader makes of a record; None says nothing about security.
Found = Event | None | BadLine


def statement(sql: str) -> tuple[Kind, dict[str, Any]]:
    """What a statement is, and the fields of an event that it fills. Of a long one the beginning is looked at, without
    comments; passwords are starred out."""
    text = without_secrets(sql if len(sql) <= MOST_TEXT else plain(sql)[:MOST_TEXT])[:MOST_TEXT]
    more = {"statement": text, "object": object_of(text)[:400], "target": target_of(text)[:400]}
    return kind_of(text), more


def microseconds(text: str) -> int:
    """Times are in UTC where they name no other offset. Raises BadLine for a zone's name, which says none surely."""
    found = _OFFSET.match(text.strip())
    if found is None:
        raise BadLine(f"{text[:40]!r} is no time")
    zone = found["zone"] or "UTC"
    try:
        at = datetime.fromisoformat(found["time"] + ("+00:00" if zone in ("UTC", "GMT", "Z") else zone))
    except ValueError:
        raise BadLine(f"{text[:40]!r} is no time in UTC or with an offset; set log_timezone = 'UTC'") from None
    if at < _EPOCH:
        raise BadLine(f"{text[:40]!r} is before 1970")
    return (at - _EPOCH) // timedelta(microseconds=1)
