"""The server's own audit trail is followed: what its rows tell comes to the streams of workspaces and of the server.

The trail numbers its rows without gaps, and a row is there for everybody once all before it are. So whoever follows it
needs no more than a position. That moves in the transaction that changes streams and alerts, under the lock of its
row: of several nodes one goes on at a time, another at once after it, and a crash leaves all of it or nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.detections.events import Event
from handlers.detections import detecting
from handlers.detections.own_place import ensure_place, ensure_workspace
from handlers.detections.remembered import Remembered
from handlers.detections.trail_events import WHOLE_SERVER, told_by
from handlers.outbox import Outbox
from handlers.parts import Parts
from storage import audit, trail_positions, workspaces
from storage.audit import Entry, Head
from storage.errors import StorageError

logger = logging.getLogger(__name__)

POSITION = "detections"
LOOK_SECONDS = 2.0
# Rows of one transaction: others who write to an SQLite database wait while it runs.
ROWS_AT_ONCE = 1_000
# How far an installation's trail is looked back into when it is followed for the first time.
FIRST_ROWS = 10_000
_START = Head(0, audit.NO_HASH)


async def keep_following(parts: Parts) -> None:
    """The service: runs until it is cancelled."""
    while True:
        try:
            await follow(parts)
        except StorageError as error:
            logger.warning("the audit trail cannot be followed, trying again: %s", error)
        except Exception:
            logger.exception("the audit trail was not followed; trying again")
        await asyncio.sleep(LOOK_SECONDS)


async def follow(parts: Parts, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
    """Looks at all rows that are new: how many. None of them are, where another node is at it."""
    total = 0
    remembered = Remembered()
    while True:
        async with parts.database.read() as connection:
            position = await trail_positions.get(connection, POSITION)
            newest = await audit.head(connection) or _START
        if position is None:
            await _begin(parts)
        elif position == newest:
            return total
        taken = await _go_on(parts, remembered, now())
        if not taken:
            return total
        total += taken


async def _begin(parts: Parts) -> None:
    async with parts.database.write() as connection:
        start = await trail_positions.newest_but(connection, FIRST_ROWS)
        await trail_positions.begin(connection, POSITION, start or _START)


async def _go_on(parts: Parts, remembered: Remembered, at: datetime) -> int:
    """The next rows, in one transaction: how many."""
    async with parts.feeds.writing() as (connection, outbox):
        position = await trail_positions.hold(connection, POSITION)
        if position is None:
            return 0
        rows = await audit.read_after(connection, position, limit=ROWS_AT_ONCE)
        if rows is None:
            await _tell_of_a_gap(connection, outbox, remembered, position, at)
            return 0
        if not rows:
            return 0
        await _look_at(connection, outbox, remembered, rows, at)
        await trail_positions.move(connection, POSITION, Head(rows[-1].id, rows[-1].hash))
    return len(rows)


async def _look_at(
    connection: AsyncConnection, outbox: Outbox, remembered: Remembered, rows: Sequence[Entry], at: datetime
) -> None:
    told: dict[str, list[Event]] = {}
    for row in rows:
        if (found := told_by(row)) is not None:
            told.setdefault(found[0], []).append(found[1])
    for workspace_id in sorted(told):
        await _take(connection, outbox, remembered, workspace_id, told[workspace_id], at)


async def _take(
    connection: AsyncConnection,
    outbox: Outbox,
    remembered: Remembered,
    workspace_id: str,
    events: Sequence[Event],
    at: datetime,
) -> None:
    """Strangers make up names: what is about a workspace that there is not is about the server."""
    if workspace_id != WHOLE_SERVER and await workspaces.get(connection, workspace_id, deleted=None) is not None:
        stream = await ensure_workspace(connection, workspace_id, at)
    else:
        stream = await ensure_place(connection, at)
    await detecting.take_in_order(connection, outbox, stream, events, at=at, remembered=remembered)


async def _tell_of_a_gap(
    connection: AsyncConnection, outbox: Outbox, remembered: Remembered, position: Head, at: datetime
) -> None:
    """The row that was looked at last is not there any more, or is another one: what follows is not to be told."""
    newest = await audit.head(connection) or _START
    event = Event(
        id=f"audit-gap:{position.id}:{position.hash[:16]}",
        at=int(at.timestamp() * 1_000_000),
        kind="sys_monitor_disabled",
        object=f"the audit trail, whose row {position.id} is gone or changed",
    )
    await _take(connection, outbox, remembered, WHOLE_SERVER, [event], at)
    await trail_positions.move(connection, POSITION, newest)
    logger.error("row %d of the audit trail is gone or changed: it is followed from row %d on", position.id, newest.id)
