"""Versions that nobody has to think of: while a document is edited for long, and when everybody has left it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from handlers.parts import Parts
from storage import documents, history, versions

logger = logging.getLogger(__name__)

# Long enough that a day's work has a list one can read, short enough to find the state before lunch.
ACTIVE_SECONDS = 30 * 60.0
# A room that stays empty for so long was left; a reload or a lost connection is shorter. So is a script's pause.
LEFT_SECONDS = 60.0
SWEEP_SECONDS = 5.0
CATCH_UP_ROWS = 500


@dataclass(slots=True)
class _Edited:
    since: float
    last: float


class VersionKeeper:
    """Is told of changes by `changed`, and makes versions in `run`, which first looks for what a crash left behind."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._edited: dict[int, _Edited] = {}
        self._is_behind = True

    def changed(self, row_id: int) -> None:
        """The document has new updates in the log. Called after every commit."""
        now = self._clock()
        edited = self._edited.get(row_id)
        if edited is None:
            self._edited[row_id] = _Edited(now, now)
        else:
            edited.last = now

    def node_lost(self, _: str) -> None:
        """Nobody else looks after what another node edited any more."""
        self._is_behind = True

    async def run(self, parts: Parts) -> None:
        """Make versions until cancelled."""
        while True:
            if self._is_behind:
                await self.catch_up(parts)
                self._is_behind = False
            await asyncio.sleep(SWEEP_SECONDS)
            await self.sweep(parts, self._clock())

    async def catch_up(self, parts: Parts) -> None:
        """Count what no version keeps as edited now."""
        after = 0
        while True:
            async with parts.database.read() as connection:
                found = await history.unversioned(connection, after=after, limit=CATCH_UP_ROWS)
            for row_id in found:
                self.changed(row_id)
            if len(found) < CATCH_UP_ROWS:
                return
            after = found[-1]

    async def sweep(self, parts: Parts, now: float) -> None:
        """Make the versions that are due."""
        for row_id, edited in list(self._edited.items()):
            if self._is_due(parts, row_id, edited, now):
                # Before anything is awaited: what is edited from now on is for the next version.
                del self._edited[row_id]
                try:
                    await make_version(parts, row_id)
                except Exception:
                    logger.exception("the version of document %d could not be made; trying again", row_id)
                    self._edited.setdefault(row_id, edited)

    @staticmethod
    def _is_due(parts: Parts, row_id: int, edited: _Edited, now: float) -> bool:
        if now - edited.since >= ACTIVE_SECONDS:
            return True
        room = parts.rooms.live(row_id)
        return now - edited.last >= LEFT_SECONDS and (room is None or not room.everybody())


async def make_version(parts: Parts, row_id: int) -> None:
    """Make a version of the document as it is stored, unless there is one. It counts as made by who edited last."""
    async with parts.database.write() as connection:
        document = await documents.get_by_id(connection, row_id)
        if document is not None and document.head > await history.latest_versioned(connection, row_id):
            await versions.create(
                connection,
                row_id,
                document.head,
                automatic=True,
                created_by=document.updated_by,
                at=datetime.now(UTC),
            )


async def keep_versions(parts: Parts) -> None:
    """The service: versions are made until it is cancelled."""
    keeper = VersionKeeper()
    parts.rooms.change_listeners.append(keeper.changed)
    parts.nodes.on_node_lost(keeper.node_lost)
    try:
        await keeper.run(parts)
    finally:
        parts.rooms.change_listeners.remove(keeper.changed)
