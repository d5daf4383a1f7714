"""Cron expressions and time zones in requests: read once, and refused in a sentence."""

from __future__ import annotations

import functools
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta

from handlers import cron
from handlers.registry import InvalidRequest

CronText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=cron.MAX_LENGTH,
        description="Minute, hour, day of the month, month, day of the week; the second may stand first.",
        examples=["30 6 * * mon-fri"],
    ),
]
ZoneName = Annotated[
    str, Meta(min_length=1, max_length=100, description="In which the cron expression is read; UTC unless given.")
]

parse = functools.lru_cache(maxsize=1000)(cron.parse)


def check_cron(text: str) -> None:
    """Raises InvalidRequest, which says what would be right."""
    try:
        parse(text)
    except cron.CronError as error:
        raise InvalidRequest(f"cron: {error}.", code="bad_cron", details={"parameter": "cron"}) from None


def zone_of(name: str) -> ZoneInfo:
    """Raises InvalidRequest."""
    try:
        return ZoneInfo(name)
    # What is no zone may be a folder, a name with a NUL, or one that climbs out of the folder of zones.
    except (KeyError, ValueError, OSError):
        raise InvalidRequest(
            f"time_zone: {name[:60]!r} is not known; use a name such as Europe/Berlin or UTC.",
            code="bad_time_zone",
            details={"parameter": "time_zone"},
        ) from None
