"""Versions that nobody has to think of: while a document is edited for long, and when everybody has left it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from handlers.parts import Parts
from storage import history, versions

logger = logging.getLogger(__name__)

# Long enough that a day's work has a list one can read, short enough to find the state before lunch.
ACTIVE_SECONDS = 30 * 60.0
# A room that stays empty for so long was left; a reload or a lost connection is shorter. So is a script's pause.
LEFT_SECONDS = 60.0
SWEEP_SECONDS = 5.0
CATCH_UP_ROWS = 500
# An entry is 200 bytes. What comes beyond these is looked for again when there is room.
MOST_EDITED = 10_000
# One statement makes so many: each alone would stand in line for the write lock, behind everybody who types.
MANY = 200


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
        if edited is not None:
            edited.last = now
        elif len(self._edited) < MOST_EDITED:
            self._edited[row_id] = _Edited(now, now)
        else:
            self._is_behind = True

    def node_lost(self, _: str) -> None:
        """Nobody else looks after what another node edited any more."""
        self._is_behind = True

    async def run(self, parts: Parts) -> None:
        """Make versions until cancelled."""
        while True:
            if self._is_behind:
                await self.catch_up(parts)
            await asyncio.sleep(SWEEP_SECONDS)
            await self.sweep(parts, self._clock())

    async def catch_up(self, parts: Parts) -> None:
        """Count what no version keeps, and is not known yet, as edited now: as much as there is room for."""
        after = 0
        self._is_behind = False
        while not self._is_behind:
            async with parts.database.read() as connection:
                found = await history.unversioned(connection, after=after, limit=CATCH_UP_ROWS)
            for row_id in found:
                if row_id not in self._edited:
                    self.changed(row_id)
            if len(found) < CATCH_UP_ROWS:
                return
            after = found[-1]

    async def sweep(self, parts: Parts, now: float) -> None:
        """Make the versions that are due."""
        due = [row_id for row_id, edited in self._edited.items() if self._is_due(parts, row_id, edited, now)]
        for start in range(0, len(due), MANY):
            await self._make(parts, due[start : start + MANY])

    async def _make(self, parts: Parts, row_ids: Sequence[int]) -> None:
        # Before anything is awaited: what is edited from now on is for the next version.
        taken = {row_id: self._edited.pop(row_id) for row_id in row_ids}
        try:
            await make_versions(parts, row_ids)
        except Exception:
            logger.exception("versions of %d documents could not be made; trying again", len(row_ids))
            self._edited = taken | self._edited

    @staticmethod
    def _is_due(parts: Parts, row_id: int, edited: _Edited, now: float) -> bool:
        if now - edited.since >= ACTIVE_SECONDS:
            return True
        room = parts.rooms.live(row_id)
        return now - edited.last >= LEFT_SECONDS and (room is None or not room.everybody())


async def make_versions(parts: Parts, row_ids: Sequence[int]) -> None:
    """Make a version of each document as it is stored, unless there is one. It counts as made by who edited last."""
    async with parts.database.write() as connection:
        await versions.create_automatic(connection, row_ids, at=datetime.now(UTC))


async def keep_versions(parts: Parts) -> None:
    """The service: versions are made until it is cancelled."""
    keeper = VersionKeeper()
    parts.rooms.change_listeners.append(keeper.changed)
    parts.nodes.on_node_lost(keeper.node_lost)
    try:
        await keeper.run(parts)
    finally:
        parts.rooms.change_listeners.remove(keeper.changed)
