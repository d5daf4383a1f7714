"""The one writer of the update log on a node: group commit for all rooms.

An update is answered "stored" only after the transaction that holds it has committed. A failed commit is tried again
with growing pauses; until it succeeds the updates stay in their rooms, which are not unloaded.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable

from crdt.room import Arrival, Member, Room
from storage.errors import MissingDocument, StorageError
from storage.update_log import Append, PendingUpdate, UpdateLog

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.1
LONGEST_RETRY_SECONDS = 10.0


class LogWriter:
    """Appends what rooms leave in their outboxes. ``run`` is the only task that does; it ends by cancellation."""

    def __init__(self, log: UpdateLog, interval: float, on_stored: Callable[[Room], None]) -> None:
        self._log = log
        self._interval = interval
        self._on_stored = on_stored
        self._waiting: set[Room] = set()
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self.failures = 0

    def submit(self, room: Room, *, urgent: bool = False) -> None:
        """The room has something in its outbox. If urgent, somebody waits for the answer: commit without a pause."""
        if not self._waiting:
            self._wake.set()
            self._settled.clear()
        self._waiting.add(room)
        if urgent:
            self._hurry.set()

    async def settled(self) -> None:
        """Returns when everything submitted so far is stored."""
        await self._settled.wait()

    async def run(self) -> None:
        """Commit for ever: at once after a quiet time, else when the interval since the last commit is over.

        So one who types alone has each key stored within milliseconds, and many share one transaction and one fsync.
        """
        while True:
            await self._wake.wait()
            await self._commit_until_stored()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._hurry.wait()

    async def _commit_until_stored(self) -> None:
        self._wake.clear()
        self._hurry.clear()
        rooms, self._waiting = list(self._waiting), set()
        for room in rooms:
            room.storing, room.outbox = room.outbox, []
        pause = FIRST_RETRY_SECONDS
        while rooms:
            try:
                heads = await self._log.append([_append_of(room) for room in rooms])
            except MissingDocument as error:
                rooms = self._drop_purged(rooms, set(error.ids))
            except Exception as error:
                # Whatever it is: giving up would lose what was accepted, and nothing was appended.
                self.failures += 1
                known = isinstance(error, StorageError)
                logger.warning(
                    "storing %d documents failed, next try in %.1f s: %s", len(rooms), pause, error, exc_info=not known
                )
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_RETRY_SECONDS)
            else:
                self._answer(rooms, heads)
                break
        if not self._waiting:
            self._settled.set()

    def _answer(self, rooms: Iterable[Room], heads: dict[int, int]) -> None:
        for room in rooms:
            stored, room.storing = room.storing, []
            room.number = head = heads[room.row_id]
            first = head - len(stored) + 1
            for number, arrival in enumerate(stored, first):
                if arrival.on_stored is not None:
                    arrival.on_stored(number)
            try:
                tell_authors(stored)
                self._on_stored(room)
            except Exception:
                # The updates are stored; what went wrong is one member's matter, and others wait for their answer.
                logger.exception("telling the authors of document %d failed", room.row_id)

    def _drop_purged(self, rooms: list[Room], purged: set[int]) -> list[Room]:
        for room in rooms:
            if room.row_id in purged:
                lost, room.storing = room.storing, []
                for arrival in lost:
                    if arrival.on_stored is not None:
                        arrival.on_stored(None)
                for member in room.everybody():
                    member.refuse("this document was deleted")
        return [room for room in rooms if room.row_id not in purged]


def _append_of(room: Room) -> Append:
    return Append(room.row_id, [PendingUpdate(a.author, a.origin, a.created_at, a.data) for a in room.storing])


def tell_authors(stored: list[Arrival]) -> None:
    """Answer each member once for all of its updates that are now on disk."""
    if len(stored) == 1:
        only = stored[0]
        if only.member is not None and only.answers:
            only.member.stored([only.data])
        return
    updates: dict[Member, list[bytes]] = {}
    for arrival in stored:
        if arrival.member is not None and arrival.answers:
            updates.setdefault(arrival.member, []).append(arrival.data)
    for member, own in updates.items():
        member.stored(own)
