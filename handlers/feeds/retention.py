"""Feeds are kept short: what is too old or too much is deleted, in many small transactions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from handlers.parts import Parts
from storage import feed_trimming
from storage.errors import StorageError
from storage.feeds import Feed

logger = logging.getLogger(__name__)

TRIM_SECONDS = 60.0
FEEDS_AT_ONCE = 100
# A transaction of some milliseconds: whoever wants to append meanwhile hardly waits.
EVENTS_AT_ONCE = 500


async def keep_feeds_short(parts: Parts) -> None:
    """The service: feeds are trimmed until it is cancelled."""
    while True:
        try:
            await trim_all(parts)
        except StorageError as error:
            logger.warning("feeds cannot be trimmed, trying again: %s", error)
        await asyncio.sleep(TRIM_SECONDS)


async def trim_all(parts: Parts, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
    """Trims every feed that holds too much: how many events were deleted."""
    before = now() - timedelta(seconds=parts.limits.feed_age)
    after, deleted = 0, 0
    while True:
        async with parts.database.read() as connection:
            due = await feed_trimming.due(
                connection, before=before, keep=parts.limits.feed_events, after=after, limit=FEEDS_AT_ONCE
            )
        for feed in due:
            deleted += await _trim(parts, feed, before)
        if len(due) < FEEDS_AT_ONCE:
            return deleted
        after = due[-1].id


async def _trim(parts: Parts, feed: Feed, before: datetime) -> int:
    deleted = 0
    while True:
        async with parts.database.write() as connection:
            count = await feed_trimming.trim(
                connection, feed.id, before=before, keep=parts.limits.feed_events, at_most=EVENTS_AT_ONCE
            )
        deleted += count
        if count < EVENTS_AT_ONCE:
            return deleted
