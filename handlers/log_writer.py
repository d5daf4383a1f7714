"""The one writer of the update log on a node: group commit for all rooms.

An update is answered "stored" only after the transaction that holds it has committed. A failed commit is tried again
with growing pauses; until it succeeds the updates stay in their rooms, which are not unloaded.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable

from crdt.room import Arrival, Member, Room
from handlers.histogram import Histogram
from handlers.spans import Span, no_span
from storage.errors import MissingDocument, StorageError
from storage.update_log import Append, PendingUpdate, UpdateLog

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.1
# A database that is back should not be waited for much longer; a try costs next to nothing.
LONGEST_RETRY_SECONDS = 3.0


class LogWriter:
    """Appends what rooms leave in their outboxes. ``run`` is the only task that does; it ends by cancellation."""

    def __init__(
        self,
        log: UpdateLog,
        interval: float,
        on_stored: Callable[[Room, int, list[Arrival]], None],
        span: Span = no_span,
    ) -> None:
        self._log = log
        self._span = span
        self._interval = interval
        self._on_stored = on_stored
        self._waiting: set[Room] = set()
        self._committing: list[Room] = []
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self.failures = 0
        # Updates on disk, and those whose document was deleted before.
        self.stored = 0
        self.lost = 0
        self.commits = Histogram()
        # From the arrival of a document's oldest update in a commit until that was on disk.
        self.latencies = Histogram()

    def submit(self, room: Room, *, urgent: bool = False) -> None:
        """The room has something in its outbox. If urgent, somebody waits for the answer: commit without a pause."""
        if not self._waiting:
            self._wake.set()
            self._settled.clear()
        self._waiting.add(room)
        if urgent:
            self._hurry.set()

    def backlog(self) -> tuple[int, int | None]:
        """How many updates were accepted and are not stored, and when the oldest arrived, in epoch microseconds."""
        rooms = {*self._waiting, *self._committing}
        firsts = [arrival.created_at for room in rooms for arrival in (*room.storing[:1], *room.outbox[:1])]
        return sum(len(room.storing) + len(room.outbox) for room in rooms), min(firsts, default=None)

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
        self._committing = rooms
        for room in rooms:
            room.storing, room.outbox = room.outbox, []
        pause = FIRST_RETRY_SECONDS
        while rooms:
            try:
                heads = await self._append(rooms)
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
        self._committing = []
        if not self._waiting:
            self._settled.set()

    async def _append(self, rooms: list[Room]) -> dict[int, int]:
        with self._span("log.commit", documents=len(rooms)), self.commits.timed():
            return await self._log.append([_append_of(room) for room in rooms])

    def _answer(self, rooms: Iterable[Room], heads: dict[int, int]) -> None:
        now = time.time()
        for room in rooms:
            stored, room.storing = room.storing, []
            if stored:
                self.stored += len(stored)
                self.latencies.observe(max(0.0, now - stored[0].created_at * 1e-6))
            head = heads[room.row_id]
            first = head - len(stored) + 1
            room.position.add(first, head)
            for number, arrival in enumerate(stored, first):
                if arrival.on_stored is not None:
                    arrival.on_stored(number)
            try:
                tell_authors(stored)
                self._on_stored(room, first, stored)
            except Exception:
                # The updates are stored; what went wrong is one member's matter, and others wait for their answer.
                logger.exception("telling the authors of document %d failed", room.row_id)

    def _drop_purged(self, rooms: list[Room], purged: set[int]) -> list[Room]:
        for room in rooms:
            if room.row_id in purged:
                lost, room.storing = room.storing, []
                self.lost += len(lost)
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
