"""When a silence is in force: once, or each time that a cron expression says, for so long."""

from __future__ import annotations

from datetime import datetime, timedelta

from handlers.cron_requests import parse, zone_of
from storage.alert_silences import Silence

_MOMENT = timedelta(microseconds=1)


def in_force_until(silence: Silence, at: datetime) -> datetime | None:
    """When it ends, if it is in force at that time."""
    if silence.ended_at is not None and silence.ended_at <= at:
        return None
    began = _began(silence, at)
    if began is None:
        return None
    ends = silence.ends_at if silence.seconds is None else began + timedelta(seconds=silence.seconds)
    if ends is None or (silence.ends_at is not None and silence.ends_at < ends):
        ends = silence.ends_at
    return ends if ends is not None and ends > at else None


def next_change(silence: Silence, at: datetime) -> datetime | None:
    """When it begins or ends next, after that time; None if it does neither any more."""
    until = in_force_until(silence, at)
    if until is not None:
        return until
    if silence.ended_at is not None:
        return None
    if silence.cron is None:
        return silence.starts_at if silence.starts_at > at else None
    return _next_begin(silence, max(at, silence.starts_at - _MOMENT))


def _began(silence: Silence, at: datetime) -> datetime | None:
    if silence.cron is None:
        return silence.starts_at if silence.starts_at <= at else None
    assert silence.seconds is not None
    earliest = max(at - timedelta(seconds=silence.seconds), silence.starts_at - _MOMENT)
    began = _next_begin(silence, earliest)
    return began if began is not None and began <= at else None


def _next_begin(silence: Silence, after: datetime) -> datetime | None:
    assert silence.cron is not None
    begins = parse(silence.cron).next_after(after, zone_of(silence.time_zone or "UTC"))
    if begins is None or (silence.ends_at is not None and begins >= silence.ends_at):
        return None
    return begins
