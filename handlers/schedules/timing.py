"""When a schedule is due: by a cron expression in a time zone, or every so many seconds since it was made."""

from __future__ import annotations

from datetime import datetime, timedelta

from handlers.cron_requests import check_cron, parse, zone_of
from handlers.registry import InvalidRequest
from storage.schedules import Plan


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
    check_cron(plan.cron)
    zone_of(plan.time_zone or "UTC")


def next_time(plan: Plan, anchor: datetime, after: datetime) -> datetime | None:
    """The first time later than `after`, in UTC; the seconds are counted from `anchor`. The plan must be checked."""
    if plan.every_seconds is not None:
        every = timedelta(seconds=plan.every_seconds)
        return anchor + every * ((after - anchor) // every + 1)
    assert plan.cron is not None
    return parse(plan.cron).next_after(after, zone_of(plan.time_zone or "UTC"))
