"""When a schedule is due: by a cron expression in a time zone, or every so many seconds since it was made."""

from __future__ import annotations

import functools
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from handlers.registry import InvalidRequest
from handlers.schedules import cron
from storage.schedules import Plan

_parse = functools.lru_cache(maxsize=1000)(cron.parse)


def check(plan: Plan) -> None:
    """Raises InvalidRequest for a plan that says no time, or two."""
    if (plan.cron is None) == (plan.every_seconds is None):
        raise InvalidRequest("Give either `cron` or `every_seconds`.", details={"parameter": "cron"})
    if plan.cron is None:
        if plan.time_zone is not None:
            raise InvalidRequest(
                "time_zone: it belongs to `cron`; every so many seconds is the same everywhere.",
                details={"parameter": "time_zone"},
            )
        return
    try:
        _parse(plan.cron)
    except cron.CronError as error:
        raise InvalidRequest(f"cron: {error}.", code="bad_cron", details={"parameter": "cron"}) from None
    _zone(plan.time_zone or "UTC")


def next_time(plan: Plan, anchor: datetime, after: datetime) -> datetime | None:
    """The first time later than `after`, in UTC; the seconds are counted from `anchor`. The plan must be checked."""
    if plan.every_seconds is not None:
        every = timedelta(seconds=plan.every_seconds)
        return anchor + every * ((after - anchor) // every + 1)
    assert plan.cron is not None
    return _parse(plan.cron).next_after(after, _zone(plan.time_zone or "UTC"))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    # What is no zone may be a folder, a name with a NUL, or one that climbs out of the folder of zones.
    except (KeyError, ValueError, OSError):
        raise InvalidRequest(
            f"time_zone: {name[:60]!r} is not known; use a name such as Europe/Berlin or UTC.",
            code="bad_time_zone",
            details={"parameter": "time_zone"},
        ) from None
