"""How visits went, written for all sources of a node together: once a second, however many there are."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from storage import metric_collections
from storage.errors import StorageError
from storage.metric_collections import Visits

if TYPE_CHECKING:
    from storage.database import Database

logger = logging.getLogger(__name__)

NOTE_SECONDS = 1.0


class VisitNotes:
    """Keeps the last visit of each source until it is written. `run` writes until it is cancelled."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[int, Visits] = {}
        self._some_wait = asyncio.Event()

    def add(self, visits: Visits) -> None:
        self._waiting[visits.source_id] = visits
        self._some_wait.set()

    async def run(self) -> None:
        while True:
            await self._some_wait.wait()
            self._some_wait.clear()
            try:
                await self.write()
            except StorageError as error:
                logger.warning("how visits went cannot be written, trying again: %s", error)
                self._some_wait.set()
            await asyncio.sleep(NOTE_SECONDS)

    async def write(self) -> None:
        """Writes what waits. Raises StorageError; then it goes on waiting."""
        written = dict(self._waiting)
        if not written:
            return
        async with self._database.write() as connection:
            await metric_collections.note_visits(connection, list(written.values()))
        # Noted meanwhile may be more.
        self._waiting = {key: one for key, one in self._waiting.items() if written.get(key) is not one}
