"""Keeps loading short: once a log came to rest, or grew long, it is replayed into a snapshot in a worker process."""

from __future__ import annotations

import asyncio
import logging

from crdt.replay import snapshot_of
from crdt.room import Room
from handlers.parts import Workers
from handlers.spans import Span, no_span
from storage import update_log
from storage.database import Database

logger = logging.getLogger(__name__)

# A load reads the newest snapshot and every update after it: this bounds the second part.
COMPACT_AFTER_UPDATES = 1_000
COMPACT_AFTER_SECONDS = 5.0
COMPACT_AT_ONCE_UPDATES = 20_000


class Compaction:
    """Remembers up to where each live room has a snapshot. The log stays."""

    def __init__(self, database: Database, workers: Workers, span: Span = no_span) -> None:
        self._database = database
        self._workers = workers
        self._span = span
        self._snapshot_at: dict[Room, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def loaded(self, room: Room, snapshot_number: int) -> None:
        self._snapshot_at[room] = snapshot_number

    def forget(self, room: Room) -> None:
        self._snapshot_at.pop(room, None)

    def start_if_due(self, room: Room, now: float) -> None:
        """`now` in epoch seconds."""
        grown = room.number - self._snapshot_at.get(room, room.number)
        rested = now - room.flushed_at / 1e6 >= COMPACT_AFTER_SECONDS
        if grown >= COMPACT_AT_ONCE_UPDATES or (grown >= COMPACT_AFTER_UPDATES and rested):
            self._snapshot_at[room] = room.number
            task = asyncio.create_task(self._compact(room.row_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _compact(self, row_id: int) -> None:
        try:
            stored = await update_log.load(self._database, row_id)
            if stored.head - stored.snapshot_number < COMPACT_AFTER_UPDATES:
                # Another node was quicker.
                return
            with self._span("room.compact", updates=len(stored.updates)):
                state = await self._workers.run(snapshot_of, stored.snapshot, [row.data for row in stored.updates])
                if state is not None:
                    await update_log.save_snapshot(self._database, row_id, stored.head, state)
        except Exception:
            # A snapshot only shortens loading; the log holds everything, and the next thousand updates try again.
            logger.exception("compacting document %d failed", row_id)

    async def idle(self) -> None:
        """Returns when what was started has ended."""
        if self._tasks:
            await asyncio.wait(self._tasks)
