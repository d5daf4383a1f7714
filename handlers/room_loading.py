"""From the log to a live room: the newest snapshot and what came after it, replayed off the loop where it is much."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from crdt.awareness import Awareness
from crdt.replay import compact, replay
from crdt.room import AnyDoc, Room
from handlers.histogram import Histogram
from handlers.parts import Workers
from handlers.registry import NotFound
from handlers.spans import Span
from storage import documents, update_log
from storage.database import Database
from storage.errors import MissingDocument
from storage.update_log import Stored

logger = logging.getLogger(__name__)

# Replaying more than this would hold the event loop for several milliseconds.
INLINE_REPLAY_BYTES = 64 * 1024


class Loaded(NamedTuple):
    """A room, and the number of the snapshot that it was made from (0 = none)."""

    room: Room
    snapshot_number: int


class RoomLoader:
    """Reads rooms; keeps none. `seconds` is how long each took."""

    def __init__(self, database: Database, workers: Workers, awareness: Callable[[], Awareness], span: Span) -> None:
        self._database = database
        self._workers = workers
        self._new_awareness = awareness
        self._span = span
        self.seconds = Histogram()

    async def load(self, row_id: int) -> Loaded:
        """Raises NotFound for a document that is in the trash or gone."""
        with self._span("room.load"), self.seconds.timed():
            kind = await self._kind_if_open(row_id)
            try:
                stored = await update_log.load(self._database, row_id)
            except MissingDocument:
                raise NotFound("The document was deleted in the meantime.") from None
            document = await self._replay(row_id, stored)
        size = len(stored.snapshot or b"") + sum(len(row.data) for row in stored.updates)
        room = Room(row_id, document, stored.head, size, self._new_awareness())
        room.kind = kind
        room.recall_waiting(row.data for row in stored.updates)
        return Loaded(room, stored.snapshot_number)

    async def _kind_if_open(self, row_id: int) -> str | None:
        """Whoever found the document before it went to the trash comes too late."""
        async with self._database.read() as connection:
            document = await documents.get_by_id(connection, row_id)
        if document is None or document.trashed_at is not None:
            raise NotFound("The document was moved to the trash or deleted.")
        return document.kind

    async def _replay(self, row_id: int, stored: Stored) -> AnyDoc:
        updates = [row.data for row in stored.updates]
        if sum(map(len, updates)) < INLINE_REPLAY_BYTES:
            return replay(stored.snapshot, updates)
        state = await self._workers.run(compact, stored.snapshot, updates)
        logger.debug("document %d: %d updates replayed in a worker", row_id, len(updates))
        return replay(state, [])
