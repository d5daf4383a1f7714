"""The service of threat detection: streams that have rested are looked at to their end.

A stream is locked while it goes on, so that it makes no difference how many nodes do this at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from handlers.detections import detecting
from handlers.parts import Parts
from storage import detections
from storage.errors import StorageError

logger = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
_AT_ONCE = 20


async def keep_detecting(parts: Parts) -> None:
    """The service: runs until it is cancelled."""
    while True:
        try:
            await look(parts)
        except StorageError as error:
            logger.warning("security events that wait cannot be looked at, trying again: %s", error)
        except Exception:
            logger.exception("security events that wait were not looked at; trying again")
        await asyncio.sleep(LOOK_SECONDS)


async def look(parts: Parts, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
    """Goes on with the streams that have rested: how many."""
    async with parts.database.read() as connection:
        scopes = await detections.due(connection, at=now(), limit=_AT_ONCE)
    for scope in scopes:
        async with parts.feeds.writing() as (connection, outbox):
            stream = await detections.locked(connection, scope)
            if stream is not None and stream.due_at is not None and stream.due_at <= now():
                await detecting.rest(connection, outbox, stream, at=now())
    return len(scopes)
