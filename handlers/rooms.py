"""The live documents of this node: at most one room a document, loaded once, unloaded only when everything is stored.

``Rooms`` owns the dict of live rooms and the end of each turn: rooms that took something in are flushed together, and
what they leave in their outboxes goes to the log writer.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable

from crdt.awareness import Awareness
from crdt.replay import compact, replay, snapshot_of
from crdt.room import HTTP, AnyDoc, Arrival, Member, Room
from crdt.update import MalformedUpdate, inspect_update
from handlers.large_updates import PARTS_AT_ONCE, prepare
from handlers.log_writer import LogWriter
from handlers.parts import Workers
from handlers.registry import NotFound, Unavailable
from storage import documents, update_log
from storage.database import Database
from storage.documents import Document
from storage.errors import MissingDocument
from storage.update_log import Stored, UpdateLog

logger = logging.getLogger(__name__)

# A large update of an honest client takes the engine a hundredth of this.
LARGE_BUDGET_SECONDS = 0.5
BUDGET_SECONDS_A_BYTE = 0.1 / 1024**2
# A turn that took the loop this long was crafted or is a rarity; its authors then wait ten times as long.
SLOW_TURN_SECONDS = 0.05
SLOW_DOWN_FACTOR = 10.0
# Replaying more than this would hold the event loop for several milliseconds.
INLINE_REPLAY_BYTES = 64 * 1024
# A load reads the newest snapshot and every update after it: this bounds the second part.
COMPACT_AFTER_UPDATES = 1_000
COMPACT_AFTER_SECONDS = 5.0
COMPACT_AT_ONCE_UPDATES = 20_000
# A frame costs every member a system call: a room in which people type faster than this sends their edits together.
TURN_MICROSECONDS = 4_000
# No people type that fast: programs do, and want throughput.
FLOOD_UPDATES = 32
FLOOD_TURN_MICROSECONDS = 12_000
SWEEP_SECONDS = 1.0
# A commit takes some milliseconds: a reader that waits for more than a few would wait for ever.
SETTLE_AT_MOST = 5


class Rooms:
    """Load, flush, persist, edit, evict. Its ``run`` holds the tasks that write the log and sweep idle rooms."""

    def __init__(
        self,
        database: Database,
        log: UpdateLog,
        workers: Workers,
        *,
        commit_interval: float = 0.01,
        idle_seconds: float = 30.0,
        awareness: Callable[[], Awareness] = Awareness,
        presence_interval: float = 0.033,
    ) -> None:
        self._database = database
        self._workers = workers
        self._idle_seconds = idle_seconds
        self._new_awareness = awareness
        self._presence_interval = presence_interval
        self._live: dict[int, Room] = {}
        self._names: dict[tuple[str, str], Room] = {}
        self._loading: dict[int, asyncio.Task[Room]] = {}
        self._pins: dict[Room, int] = {}
        self._idle_since: dict[Room, float] = {}
        self._snapshot_at: dict[Room, int] = {}
        self._dirty_presence: set[Room] = set()
        self._presence_timer: asyncio.TimerHandle | None = None
        self._presence_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self.writer = LogWriter(log, commit_interval, self._stored)
        self.change_listeners: list[Callable[[int], None]] = []

    # Opening

    def live(self, row_id: int) -> Room | None:
        """The document's room if it is open on this node."""
        return self._live.get(row_id)

    def live_named(self, workspace_id: str, name: str) -> Room | None:
        """The same by address."""
        room = self._names.get((workspace_id, name))
        return None if room is None or room.is_broken else room

    async def open(self, document: Document) -> Room:
        """The document's room, loaded if need be; however many ask at once, it is read once.

        The caller joins it, or pins it with ``use``, before it next waits: an idle room is unloaded.
        """
        while True:
            room = self._live.get(document.id)
            if room is not None and (room.is_broken or room.is_closed):
                await self._retire(room, "the document has to be loaded again; connect again")
                continue
            if room is not None:
                self._idle_since[room] = time.monotonic()
                self._names[document.workspace_id, document.name] = room
                return room
            loading = self._loading.get(document.id)
            if loading is None:
                loading = asyncio.create_task(self._load(document.id))
                self._loading[document.id] = loading
                loading.add_done_callback(lambda _: self._loading.pop(document.id, None))
            await asyncio.shield(loading)

    @contextlib.asynccontextmanager
    async def use(self, document: Document) -> AsyncIterator[Room]:
        """The document's room, kept loaded until the block ends."""
        room = await self.open(document)
        self._pins[room] = self._pins.get(room, 0) + 1
        try:
            yield room
        finally:
            self._pins[room] -= 1
            if not self._pins[room]:
                del self._pins[room]
                self._idle_since[room] = time.monotonic()

    async def _load(self, row_id: int) -> Room:
        await self._check_open(row_id)
        try:
            stored = await update_log.load(self._database, row_id)
        except MissingDocument:
            raise NotFound("The document was deleted in the meantime.") from None
        document = await self._replay(row_id, stored)
        size = len(stored.snapshot or b"") + sum(len(row.data) for row in stored.updates)
        room = Room(row_id, document, stored.head, size, self._new_awareness())
        room.recall_waiting(row.data for row in stored.updates)
        self._live[row_id] = room
        self._idle_since[room] = time.monotonic()
        self._snapshot_at[room] = stored.snapshot_number
        return room

    async def _check_open(self, row_id: int) -> None:
        """Raises NotFound for a document in the trash: whoever found it before it went there comes too late."""
        async with self._database.read() as connection:
            document = await documents.get_by_id(connection, row_id)
        if document is None or document.trashed_at is not None:
            raise NotFound("The document was moved to the trash or deleted.")

    async def _replay(self, row_id: int, stored: Stored) -> AnyDoc:
        updates = [row.data for row in stored.updates]
        if sum(map(len, updates)) < INLINE_REPLAY_BYTES:
            return replay(stored.snapshot, updates)
        state = await self._workers.run(compact, stored.snapshot, updates)
        logger.debug("document %d: %d updates replayed in a worker", row_id, len(updates))
        return replay(state, [])

    # Taking in

    def receive(self, room: Room, member: Member, origin: int, data: bytes) -> bool:
        """Take a member's update, to be applied at the end of this turn. Raises MalformedUpdate.

        False for one of so many parts that it would hold the loop: that is for ``receive_large``.
        """
        shape = inspect_update(data)
        if shape.parts > PARTS_AT_ONCE:
            return False
        now = time.time_ns() // 1000
        if room.receive(member, member.user, origin, data, now, shape):
            if len(room.inbox) == 1:
                self._schedule(room, now)
        else:
            self._answer_repeated(room, member, data)
        return True

    def _answer_repeated(self, room: Room, member: Member, data: bytes) -> None:
        """Nothing new, so nothing to store: but what it repeats may itself still be on its way to the disk."""
        if room.inbox:
            # What it repeats may yet be refused: that has to be known first.
            self._end_turn(room)
        pending = room.outbox or room.storing
        if pending:
            after_storing(pending[-1], lambda number: None if number is None else member.stored([data]))
        else:
            member.stored([data])

    async def receive_large(self, room: Room, member: Member, origin: int, data: bytes) -> None:
        """As ``receive``, for an update that would hold the loop: checked and cut in a worker, applied over many turns.

        Raises MalformedUpdate.
        """
        parts = await self._workers.run(prepare, data)
        created_at = time.time_ns() // 1000
        spent = 0.0
        for part in parts:
            if room.is_closed or room.is_broken or not room.has(member):
                return
            started = time.thread_time()
            if room.receive(member, member.user, origin, part, created_at):
                room.inbox[-1].answers = False
                room.flush()
                if room.outbox:
                    self.writer.submit(room)
            spent += time.thread_time() - started
            if spent > LARGE_BUDGET_SECONDS + len(data) * BUDGET_SECONDS_A_BYTE:
                raise MalformedUpdate("it would keep the server busy for too long")
            await asyncio.sleep(0)
        self._answer_repeated(room, member, data)

    def _schedule(self, room: Room, now: int) -> None:
        """An edit to a quiet room goes out at once; a room in which much happens sends a frame each interval."""
        turn = TURN_MICROSECONDS if room.last_turn < FLOOD_UPDATES else FLOOD_TURN_MICROSECONDS
        wait = room.flushed_at + turn - now
        if wait <= 0 or wait > turn:
            self._end_turn(room)
        else:
            asyncio.get_running_loop().call_later(wait / 1e6, self._end_turn, room)

    def _end_turn(self, room: Room) -> None:
        arrivals, started = room.inbox, time.time_ns()
        room.flushed_at = started // 1000
        room.flush()
        if room.outbox:
            self.writer.submit(room)
        spent = (time.time_ns() - started) / 1e9
        if room.is_broken:
            logger.error("the engine failed on document %d; it is loaded again from its log", room.row_id)
            for member in room.everybody():
                member.refuse("the document has to be loaded again; connect again")
        if spent > SLOW_TURN_SECONDS:
            for member in {arrival.member for arrival in arrivals if arrival.member is not None}:
                member.slow_down(spent * SLOW_DOWN_FACTOR)

    # Presence

    def receive_awareness(self, room: Room, member: Member, update: bytes) -> None:
        """A member's presence. Raises MalformedError."""
        now = time.monotonic()
        room.receive_awareness(member, update, now)
        self._mark_presence(room, now)

    def leave(self, room: Room, member: Member) -> None:
        now = time.monotonic()
        room.leave(member, now)
        self._idle_since[room] = now

    def _mark_presence(self, room: Room, now: float) -> None:
        self._dirty_presence.add(room)
        if self._presence_timer is None:
            wait = max(0.0, self._presence_at + self._presence_interval - now)
            self._presence_timer = asyncio.get_running_loop().call_later(wait, self._flush_presence)

    def _flush_presence(self) -> None:
        self._presence_timer = None
        self._presence_at = time.monotonic()
        dirty, self._dirty_presence = self._dirty_presence, set()
        for room in dirty:
            try:
                room.flush_awareness()
            except Exception:
                logger.exception("the presence of document %d could not be sent", room.row_id)

    # Server-side edits and reads

    async def edit(self, document: Document, author: str, edit: Callable[[AnyDoc], None], origin: int = HTTP) -> int:
        """Run an edit on the live document in one transaction, send it to everybody, and return its log number.

        Returns only when it is stored; the document's number if the edit changes nothing. What the edit raises is
        raised here, and the document stays as it was.
        """
        async with self.use(document) as room:
            update = room.draft(edit)
            return await self.apply(room, author, update, origin)

    async def apply(self, room: Room, author: str, update: bytes, origin: int = HTTP) -> int:
        """Apply an update that did not come from a member; its number, once it is stored. Raises MalformedUpdate."""
        if room.is_closed or room.is_broken:
            raise Unavailable("The document is being closed or loaded again; try again.")
        if not room.receive(None, author, origin, update, time.time_ns() // 1000):
            await self.settle(room)
            return room.number
        arrival = room.inbox[-1]
        stored = number_of(arrival)
        room.flush()
        if arrival not in room.outbox:
            raise MalformedUpdate("the engine refused this update")
        self.writer.submit(room, urgent=True)
        return await stored

    async def settle(self, room: Room) -> None:
        """Returns when everything that the room has taken so far is stored."""
        room.flush()
        if room.outbox:
            self.writer.submit(room, urgent=True)
        if pending := room.outbox or room.storing:
            await number_of(pending[-1])

    async def state(self, document: Document) -> tuple[bytes, int]:
        """The document as one update, and a log number up to which everything in it is stored.

        Where people type without a pause, it may hold a little more than that number says.
        """
        async with self.use(document) as room:
            for _ in range(SETTLE_AT_MOST):
                if not (room.inbox or room.outbox or room.storing):
                    break
                await self.settle(room)
            return room.state(), room.number

    async def discard(self, document: Document, reason: str = "this document was moved to the trash") -> None:
        """Part everybody from the document and unload it once it is stored."""
        loading = self._loading.get(document.id)
        if loading is not None:
            await asyncio.wait([loading])
        room = self._live.get(document.id)
        if room is not None:
            await self._retire(room, reason)

    async def _retire(self, room: Room, reason: str) -> None:
        """Part everybody, take nothing more, and forget the room once what it took is stored."""
        room.is_closed = True
        self._names = {name: other for name, other in self._names.items() if other is not room}
        for member in room.everybody():
            member.refuse(reason)
        try:
            await self.settle(room)
        finally:
            self._forget(room)

    # Staying alive

    def _stored(self, room: Room) -> None:
        for listener in self.change_listeners:
            listener(room.row_id)

    def _compact_if_due(self, room: Room, now: float) -> None:
        """Make loading short again once a long log came to rest, or grew too long to wait for that."""
        grown = room.number - self._snapshot_at.get(room, room.number)
        rested = now - room.flushed_at / 1e6 >= COMPACT_AFTER_SECONDS
        if grown >= COMPACT_AT_ONCE_UPDATES or (grown >= COMPACT_AFTER_UPDATES and rested):
            self._snapshot_at[room] = room.number
            task = asyncio.create_task(self._compact(room.row_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _compact(self, row_id: int) -> None:
        """Replay snapshot and log into a new snapshot, in a worker. The log stays."""
        try:
            stored = await update_log.load(self._database, row_id)
            state = await self._workers.run(snapshot_of, stored.snapshot, [row.data for row in stored.updates])
            if state is not None:
                await update_log.save_snapshot(self._database, row_id, stored.head, state)
        except Exception:
            # A snapshot only shortens loading; the log holds everything, and the next thousand updates try again.
            logger.exception("compacting document %d failed", row_id)

    async def run(self) -> None:
        """Write the log and sweep until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.writer.run())
            group.create_task(self._sweep_for_ever())

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                self.sweep(time.monotonic())
            except Exception:
                # The log writer runs beside this and must not end with it.
                logger.exception("looking after the rooms failed; it is done again in a second")

    def sweep(self, now: float) -> None:
        """Expire presence, and unload rooms that have been settled and unused for the idle time."""
        for room in list(self._live.values()):
            if room.awareness.entries:
                room.awareness.expire(now)
                if room.awareness.changed:
                    self._mark_presence(room, now)
            self._compact_if_due(room, time.time())
            idle = now - self._idle_since.get(room, now)
            if room.is_settled and room not in self._pins and idle >= self._idle_seconds:
                self._unload(room)

    def _unload(self, room: Room) -> None:
        if room.is_settled and room not in self._pins:
            self._forget(room)

    def _forget(self, room: Room) -> None:
        if self._live.get(room.row_id) is room:
            del self._live[room.row_id]
        self._idle_since.pop(room, None)
        self._snapshot_at.pop(room, None)
        self._names = {name: other for name, other in self._names.items() if other is not room}

    @property
    def open_count(self) -> int:
        return len(self._live)

    async def close(self) -> None:
        """Store everything that was accepted. Called after the last connection is gone, before ``run`` is cancelled."""
        for room in self._live.values():
            room.flush()
            if room.outbox:
                self.writer.submit(room, urgent=True)
        await self.writer.settled()
        if self._tasks:
            await asyncio.wait(self._tasks)


def after_storing(arrival: Arrival, then: Callable[[int | None], None]) -> None:
    """Call ``then`` as well once the arrival is stored, or lost with its document."""
    before = arrival.on_stored

    def both(number: int | None) -> None:
        if before is not None:
            before(number)
        then(number)

    arrival.on_stored = both


def number_of(arrival: Arrival) -> "asyncio.Future[int]":
    """Resolves to the arrival's number once it is on disk. Raises NotFound if its document was deleted before."""
    stored: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def resolve(number: int | None) -> None:
        if stored.done():
            return
        if number is None:
            stored.set_exception(NotFound("The document was deleted in the meantime."))
        else:
            stored.set_result(number)

    after_storing(arrival, resolve)
    return stored
