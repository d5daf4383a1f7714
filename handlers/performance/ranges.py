"""From when to when: `1h`, `7d`, or two times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta

from handlers.registry import InvalidRequest

_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_DURATION = re.compile(r"(?P<number>[1-9][0-9]{0,8})(?P<unit>[smhdw])")
# What is kept longest is kept for two years.
LONGEST_MS = 732 * 86_400_000
# Before this nothing was measured.
_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)

TimeRange = Annotated[
    str,
    Meta(
        min_length=2,
        max_length=100,
        description="The last `30s`, `15m`, `1h`, `7d`, `2w`, or from when to when: two times of ISO 8601 with a "
        "zone, and `,` or `/` between.",
        examples=["24h", "2026-03-01T00:00:00Z,2026-03-02T00:00:00Z"],
    ),
]
Duration = Annotated[
    str, Meta(max_length=10, pattern=r"^[1-9][0-9]{0,8}[smhdw]$(?!\n)", description="As `10s`, `5m`, `1h`, `7d`.")
]


@dataclass(frozen=True, slots=True)
class Asked:
    """Times from `start_ms` on and before `end_ms`. `moves`: it is the last so much time, at whatever time it is."""

    start_ms: int
    end_ms: int
    moves: bool


def duration_ms(text: str) -> int | None:
    """A duration in ms, None of what is no duration."""
    match = _DURATION.fullmatch(text)
    return int(match["number"]) * _UNITS_MS[match["unit"]] if match else None


def read_range(text: str, now: datetime) -> Asked:
    """The range that the text says. It ends now at the latest. Raises InvalidRequest."""
    now_ms = _ms(now)
    last = duration_ms(text)
    if last is not None:
        return _checked(Asked(now_ms - last, now_ms, moves=True))
    halves = re.split("[,/]", text)
    if len(halves) != 2:
        raise _invalid("Say `1h`, `24h` or `7d`, or two times as in `2026-03-01T00:00:00Z,2026-03-02T00:00:00Z`.")
    start_ms, end_ms = (_ms(_time(half)) for half in halves)
    if start_ms >= end_ms:
        raise _invalid("The range ends before it begins, or where it begins; say the earlier time first.")
    if start_ms > now_ms:
        raise _invalid(f"The range is all in the future; it is {now.isoformat(timespec='seconds')} now.")
    return _checked(Asked(start_ms, min(end_ms, now_ms + 1), moves=False))


def _time(text: str) -> datetime:
    # In an address a plus sign that was not escaped comes as a blank.
    text = text.strip()
    text = re.sub(r" (\d\d:?\d\d)$", r"+\1", text) if "T" in text else text
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise _invalid(f"{text!r} is no time of ISO 8601, as 2026-03-01T00:00:00Z is.") from None
    if time.tzinfo is None:
        raise _invalid(f"{text!r} does not say its zone; add Z for UTC, or an offset as in +02:00.")
    try:
        utc = time.astimezone(UTC)
    except OverflowError:
        raise _invalid(f"{text!r} is too far away.") from None
    if utc < _EARLIEST:
        raise _invalid(f"{text!r} is before {_EARLIEST.year}, and nothing was measured then.")
    return utc


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def _checked(asked: Asked) -> Asked:
    if asked.end_ms - asked.start_ms > LONGEST_MS:
        raise _invalid(f"The range is longer than {LONGEST_MS // 86_400_000} days, and nothing is kept for longer.")
    return asked


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="bad_time_range", details={"parameter": "time_range"})
