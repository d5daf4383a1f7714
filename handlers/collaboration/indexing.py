"""Keeps the search up with what people write: a document is indexed when it was quiet for a moment, or now and then."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crdt.room import Room
from handlers.collaboration.reading import is_quick, note_shape
from handlers.collaboration.replays import Words, searchable, searchable_replayed
from handlers.document_states import in_worker, is_small
from handlers.parts import Parts
from storage import documents, search, update_log
from storage.documents import Document
from storage.errors import MissingDocument, Unavailable

logger = logging.getLogger(__name__)

QUIET_SECONDS = 1.0
# Where people type without a pause the index is this far behind.
LONGEST_WAIT_SECONDS = 60.0
RETRY_SECONDS = 10.0
TICK_SECONDS = 0.25
# An entry is 200 bytes. What comes beyond these is found by what the database knows of it.
MOST_WAITING = 10_000
# In one transaction: others wait to write meanwhile.
MANY = CATCH_UP_ROWS = 50


@dataclass(slots=True)
class _Waiting:
    since: float
    last: float

    def due(self) -> float:
        return min(self.last + QUIET_SECONDS, self.since + LONGEST_WAIT_SECONDS)


class Indexer:
    """Is told of changes by `changed`, and indexes in `run`, which first catches up with what a crash left behind."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: dict[int, _Waiting] = {}
        self._something_waits = asyncio.Event()
        self._is_behind = True

    def changed(self, row_id: int) -> None:
        """The document has updates in the log that may not be in its text yet. Called after every commit."""
        now = self._clock()
        waiting = self._waiting.get(row_id)
        if waiting is not None:
            waiting.last = now
        else:
            self._wait(row_id, now)

    def node_lost(self, _: str) -> None:
        """Another node may not have had the time to index what it stored."""
        self._is_behind = True
        self._something_waits.set()

    async def run(self, parts: Parts) -> None:
        """Index until cancelled."""
        while True:
            if self._is_behind:
                self._is_behind = False
                await self._catch_up(parts)
            await self._something_waits.wait()
            await asyncio.sleep(TICK_SECONDS)
            await self.index_due(parts, self._clock())

    async def index_due(self, parts: Parts, now: float) -> None:
        """Index what was quiet for long enough, or has waited too long."""
        due = [row_id for row_id, waiting in self._waiting.items() if waiting.due() <= now]
        for row_id in due:
            del self._waiting[row_id]
        if not self._waiting:
            self._something_waits.clear()
        for start in range(0, len(due), MANY):
            await self._try(parts, due[start : start + MANY])

    async def _catch_up(self, parts: Parts) -> None:
        after = 0
        while True:
            try:
                async with parts.database.read() as connection:
                    behind = await search.outdated(connection, after=after, limit=CATCH_UP_ROWS)
            except Exception:
                logger.exception("looking for documents to index failed; trying again")
                await asyncio.sleep(RETRY_SECONDS)
                continue
            await self._try(parts, behind)
            await self.index_due(parts, self._clock())
            if len(behind) < CATCH_UP_ROWS:
                return
            after = behind[-1]

    async def _try(self, parts: Parts, row_ids: Sequence[int]) -> None:
        try:
            await index(parts, row_ids)
        except Exception as error:
            if len(row_ids) > 1:
                # One of them must not hold up the others.
                for row_id in row_ids:
                    await self._try(parts, [row_id])
                return
            known = isinstance(error, Unavailable)
            logger.warning("document %d is not indexed, trying again: %s", row_ids[0], error, exc_info=not known)
            self._try_later(row_ids[0])

    def _try_later(self, row_id: int) -> None:
        if row_id not in self._waiting:
            self._wait(row_id, self._clock() + RETRY_SECONDS - QUIET_SECONDS)

    def _wait(self, row_id: int, since: float) -> None:
        if len(self._waiting) < MOST_WAITING:
            self._waiting[row_id] = _Waiting(since, since)
        else:
            self._is_behind = True
        self._something_waits.set()


async def index(parts: Parts, row_ids: Sequence[int]) -> None:
    """Make the documents be found by what is in them now; those that are gone are left out.

    They share one read and one commit: each alone would cost a busy server some milliseconds.
    """
    async with parts.database.read() as connection:
        found = await documents.get_by_ids(connection, row_ids)
    read: dict[int, tuple[Words, int]] = {}
    for row_id, document in found.items():
        with contextlib.suppress(MissingDocument):  # deleted for good in the meantime
            read[row_id] = await _words(parts, document)
        # Others have their turn between two of them.
        await asyncio.sleep(0)
    async with parts.database.write() as connection:
        # Their titles may have been changed since, and they may be gone.
        for row_id, document in (await documents.get_by_ids(connection, read.keys())).items():
            words, number = read[row_id]
            await search.index(connection, row_id, document.workspace_id, document.title, words.text, number=number)
    for workspace_id in {document.workspace_id for document in found.values()}:
        parts.changes.tell("documents", workspace_id)


async def _words(parts: Parts, document: Document) -> tuple[Words, int]:
    room = parts.rooms.live(document.id)
    words, number = await (_live_words(parts, document, room) if room else _stored_words(parts, document))
    await note_shape(parts, document, words.shape)
    return words, number


async def _live_words(parts: Parts, document: Document, room: Room) -> tuple[Words, int]:
    """The words, and a number up to which they are all there. There may be more, on their way to the log."""
    number = room.number
    if is_quick(document.kind, document.root, room):
        return searchable(room.doc, document.kind, document.root), number
    arguments = (None, [room.state()], document.kind, document.root)
    return await in_worker(parts, searchable_replayed, *arguments), number


async def _stored_words(parts: Parts, document: Document) -> tuple[Words, int]:
    stored = await update_log.load(parts.database, document.id)
    arguments = (stored.snapshot, [row.data for row in stored.updates], document.kind, document.root)
    if is_small(stored):
        return searchable_replayed(*arguments), stored.head
    return await in_worker(parts, searchable_replayed, *arguments), stored.head


async def keep_index(parts: Parts) -> None:
    """The service: documents are indexed until it is cancelled."""
    indexer = Indexer()
    parts.rooms.change_listeners.append(indexer.changed)
    parts.nodes.on_node_lost(indexer.node_lost)
    try:
        await indexer.run(parts)
    finally:
        parts.rooms.change_listeners.remove(indexer.changed)
