"""The live documents of this node: at most one room a document, loaded once, unloaded only when everything is stored.

``Rooms`` owns the dict of live rooms and the end of each turn: rooms that took something in are flushed together, and
what they leave in their outboxes goes to the log writer.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from crdt.awareness import Awareness
from crdt.lib0 import MalformedError
from crdt.room import HTTP, AnyDoc, Arrival, Member, Room
from crdt.update import MalformedUpdate, inspect_update
from handlers.answers import after_storing, number_of
from handlers.compaction import Compaction
from handlers.large_updates import PARTS_AT_ONCE, prepare
from handlers.log_writer import LogWriter
from handlers.parts import Workers
from handlers.presence import PresenceSender
from handlers.registry import Unavailable
from handlers.relay import Relay
from handlers.room_loading import RoomLoader
from handlers.spans import Span, no_span
from handlers.traffic import MALFORMED, TOO_COSTLY, Traffic
from storage.bus.channels import Bus
from storage.database import Database
from storage.documents import Document
from storage.update_log import UpdateLog

logger = logging.getLogger(__name__)

# A large update of an honest client takes the engine a hundredth of this.
LARGE_BUDGET_SECONDS = 0.5
BUDGET_SECONDS_A_BYTE = 0.1 / 1024**2
# A turn that took the loop this long was crafted or is a rarity; its authors then wait ten times as long.
SLOW_TURN_SECONDS = 0.05
SLOW_DOWN_FACTOR = 10.0
# A frame costs every member a system call: a room in which people type faster than this sends their edits together.
TURN_MICROSECONDS = 4_000
# No people type that fast: programs do, and want throughput.
FLOOD_UPDATES = 32
FLOOD_TURN_MICROSECONDS = 12_000
SWEEP_SECONDS = 1.0
# A commit takes some milliseconds: a reader that waits for more than a few would wait for ever.
SETTLE_AT_MOST = 5


class RoomWatcher(Protocol):
    """Does something about rooms as long as they are live. Called in between everything else: it must not block."""

    def opened(self, room: Room) -> None: ...
    def deserted(self, room: Room) -> None:
        """Nobody was here for the idle time. If the room is edited now it is stored before it is unloaded."""

    def forgotten(self, room: Room) -> None: ...


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
        bus: Bus | None = None,
        span: Span = no_span,
    ) -> None:
        """`bus` reaches other nodes on the same database; without one this node has the database to itself."""
        self._database = database
        self._workers = workers
        self._idle_seconds = idle_seconds
        self._live: dict[int, Room] = {}
        self._names: dict[tuple[str, str], Room] = {}
        self._loading: dict[int, asyncio.Task[None]] = {}
        self._pins: dict[Room, int] = {}
        self._idle_since: dict[Room, float] = {}
        self._compaction = Compaction(database, workers, span)
        self._tasks: set[asyncio.Task[None]] = set()
        self.relay = None if bus is None else Relay(bus, database, self)
        self.writer = LogWriter(log, commit_interval, self._stored, span)
        self.traffic = Traffic()
        self.loader = RoomLoader(database, workers, awareness, span)
        self._presence = PresenceSender(presence_interval, self.relay, self.traffic)
        self.change_listeners: list[Callable[[int], None]] = []
        self.watchers: list[RoomWatcher] = []

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
                self._used(room, time.monotonic())

    def _used(self, room: Room, now: float) -> None:
        # One that was unloaded in the meantime would be kept by this for ever.
        if room in self._idle_since:
            self._idle_since[room] = now

    async def _load(self, row_id: int) -> None:
        room, snapshot_number = await self.loader.load(row_id)
        self._live[row_id] = room
        self._idle_since[room] = time.monotonic()
        self._compaction.loaded(room, snapshot_number)
        for watcher in self.watchers:
            watcher.opened(room)
        if self.relay is not None:
            self.relay.opened(room)

    # Taking in

    def receive(self, room: Room, member: Member, origin: int, data: bytes) -> bool:
        """Take a member's update, to be applied at the end of this turn. Raises MalformedUpdate.

        False for one of so many parts that it would hold the loop: that is for ``receive_large``.
        """
        try:
            shape = inspect_update(data)
        except MalformedUpdate:
            self.traffic.turn_away(MALFORMED)
            raise
        if shape.parts > PARTS_AT_ONCE:
            return False
        self.traffic.received += 1
        now = time.time_ns() // 1000
        if room.receive(member, member.user, origin, data, now, shape):
            if len(room.inbox) == 1:
                self._schedule(room, now)
        else:
            self._answer_repeated(room, member, data)
        return True

    def _answer_repeated(self, room: Room, member: Member, data: bytes) -> None:
        """Nothing new, so nothing to store: but what it repeats may itself still be on its way to the disk."""
        self.traffic.repeated += 1
        self._answer_when_stored(room, member, data)

    def _answer_when_stored(self, room: Room, member: Member, data: bytes) -> None:
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
        self.traffic.received += 1
        try:
            parts = await self._workers.run(prepare, data)
        except MalformedUpdate:
            self.traffic.refuse(MALFORMED)
            raise
        created_at = time.time_ns() // 1000
        spent = 0.0
        for part in parts:
            if room.is_closed or room.is_broken or not room.has(member):
                return
            started = time.thread_time()
            if room.receive(member, member.user, origin, part, created_at):
                room.inbox[-1].answers = False
                self.traffic.flush(room)
                if room.outbox:
                    self.writer.submit(room)
            spent += time.thread_time() - started
            if spent > LARGE_BUDGET_SECONDS + len(data) * BUDGET_SECONDS_A_BYTE:
                self.traffic.refuse(TOO_COSTLY)
                raise MalformedUpdate("it would keep the server busy for too long")
            await asyncio.sleep(0)
        self._answer_when_stored(room, member, data)

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
        self.traffic.flush(room)
        if room.outbox:
            self.writer.submit(room)
        spent = (time.time_ns() - started) / 1e9
        if room.is_broken:
            self.load_again(room)
        if spent > SLOW_TURN_SECONDS:
            for member in {arrival.member for arrival in arrivals if arrival.member is not None}:
                member.slow_down(spent * SLOW_DOWN_FACTOR)

    @staticmethod
    def load_again(room: Room) -> None:
        """The room and the log differ: part everybody from it; who comes next gets what the log holds."""
        room.is_broken = True
        logger.error("document %d is not what its log holds; it is loaded again", room.row_id)
        for member in room.everybody():
            member.come_back("the document has to be loaded again; connect again")

    # From other nodes

    def take_stored(self, room: Room, updates: Sequence[bytes]) -> None:
        """Apply what another node has stored, and send it to the members here."""
        if room.is_broken:
            return
        self.traffic.flush(room)
        try:
            room.take_stored(updates)
        except MalformedError:
            logger.exception("an update of document %d in the log is malformed", room.row_id)
            room.is_broken = True
        if room.outbox:
            self.writer.submit(room)
        if room.is_broken:
            self.load_again(room)

    def present_elsewhere(self, room: Room, node_id: str, update: bytes) -> None:
        """Presence of members on another node. Raises MalformedError."""
        now = time.monotonic()
        room.awareness.receive_elsewhere(node_id, update, now)
        self._presence.changed(room, now)

    def closed_elsewhere(self, room: Room, reason: str) -> None:
        """The document is not to be edited any more: another node, or the log, says so."""
        if not room.is_closed:
            task = asyncio.create_task(self._retire(room, reason))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def lose_node(self, node_id: str) -> None:
        """A node is gone: its members are, too, unless they come back to another soon."""
        now = time.monotonic()
        for room in self._live.values():
            room.awareness.lose_node(node_id, now)

    # Presence

    def receive_awareness(self, room: Room, member: Member, update: bytes) -> None:
        """A member's presence. Raises MalformedError."""
        now = time.monotonic()
        self.traffic.presence_received += 1
        room.receive_awareness(member, update, now)
        self._presence.changed(room, now)

    def leave(self, room: Room, member: Member) -> None:
        now = time.monotonic()
        room.leave(member, now)
        self._used(room, now)

    # Server-side edits and reads

    async def edit(self, document: Document, author: str, edit: Callable[[AnyDoc], None], origin: int = HTTP) -> int:
        """Run an edit on the live document in one transaction, send it to everybody, and return its log number.

        Returns only when it is stored; the document's number if the edit changes nothing. What the edit raises is
        raised here, and the document stays as it was.
        """
        async with self.use(document) as room:
            self.traffic.flush(room)
            update = room.draft(edit)
            return await self.apply(room, author, update, origin)

    async def apply(self, room: Room, author: str, update: bytes, origin: int = HTTP) -> int:
        """Apply an update that did not come from a member; its number, once it is stored. Raises MalformedUpdate."""
        if room.is_closed or room.is_broken:
            raise Unavailable("The document is being closed or loaded again; try again.")
        self.traffic.received += 1
        if not room.receive(None, author, origin, update, time.time_ns() // 1000):
            self.traffic.repeated += 1
            await self.settle(room)
            return room.number
        arrival = room.inbox[-1]
        stored = number_of(arrival)
        self.traffic.flush(room)
        if arrival not in room.outbox:
            raise MalformedUpdate("the engine refused this update")
        self.writer.submit(room, urgent=True)
        return await stored

    def edit_at_once(self, room: Room, author: str, edit: Callable[[AnyDoc], None], origin: int) -> None:
        """As `edit`, for one that nobody waits for: made and sent before this returns, stored soon after."""
        self.traffic.flush(room)
        self.traffic.received += 1
        if room.receive(None, author, origin, room.draft(edit), time.time_ns() // 1000):
            self.traffic.flush(room)
            self.writer.submit(room)

    async def settle(self, room: Room) -> None:
        """Returns when everything that the room has taken so far is stored."""
        self.traffic.flush(room)
        if room.outbox:
            self.writer.submit(room, urgent=True)
        if pending := room.outbox or room.storing:
            await number_of(pending[-1])

    async def state(self, document: Document) -> tuple[bytes, int]:
        """The document as one update, and a log number up to which everything in it is stored.

        Where people type without a pause, it may hold a little more than that number says.
        """
        async with self.use(document) as room:
            # Whoever has just written through another node reads what they wrote.
            await self.catch_up(room)
            for _ in range(SETTLE_AT_MOST):
                if not (room.inbox or room.outbox or room.storing):
                    break
                await self.settle(room)
            return room.state(), room.number

    async def catch_up(self, room: Room) -> None:
        """Returns when the room holds everything that any node had stored when this was called."""
        if self.relay is not None:
            await self.relay.refresh(room)

    async def discard(self, document: Document, reason: str = "this document was moved to the trash") -> None:
        """Part everybody from the document, on every node, and unload it once it is stored."""
        if self.relay is not None:
            self.relay.closed(document.id, reason)
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

    def _stored(self, room: Room, first: int, stored: Sequence[Arrival]) -> None:
        if self.relay is not None:
            self.relay.stored(room, first, [arrival.data for arrival in stored])
        for listener in self.change_listeners:
            listener(room.row_id)

    async def run(self) -> None:
        """Write the log and sweep until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.writer.run())
            group.create_task(self._sweep_for_ever())
            if self.relay is not None:
                group.create_task(self.relay.run())

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
                    self._presence.changed(room, now)
            self._compaction.start_if_due(room, time.time())
            idle = now - self._idle_since.get(room, now)
            if room.is_settled and room not in self._pins and idle >= self._idle_seconds:
                self._unload(room)

    def _unload(self, room: Room) -> None:
        for watcher in self.watchers:
            watcher.deserted(room)
        if room.is_settled and room not in self._pins:
            self._forget(room)

    def _forget(self, room: Room) -> None:
        if self._live.get(room.row_id) is room:
            del self._live[room.row_id]
            for watcher in self.watchers:
                watcher.forgotten(room)
            if self.relay is not None:
                self.relay.forgotten(room)
        self._idle_since.pop(room, None)
        self._compaction.forget(room)
        self._names = {name: other for name, other in self._names.items() if other is not room}

    def all_live(self) -> list[Room]:
        return list(self._live.values())

    @property
    def open_count(self) -> int:
        return len(self._live)

    @property
    def loading_count(self) -> int:
        return len(self._loading)

    @property
    def held_back_count(self) -> int:
        """Members whose connections take nothing more at the moment."""
        return sum(len(room.held_back) for room in self._live.values())

    def unstored(self) -> dict[str, int]:
        """How many updates were accepted and are not on disk, by document."""
        names = {room: "/".join(name) for name, room in self._names.items()}
        waiting = {room: len(room.inbox) + len(room.outbox) + len(room.storing) for room in self._live.values()}
        return {names.get(room, f"document {room.row_id}"): count for room, count in waiting.items() if count}

    async def close(self) -> None:
        """Store everything that was accepted. Called after the last connection is gone, before ``run`` is cancelled."""
        for room in self._live.values():
            self.traffic.flush(room)
            if room.outbox:
                self.writer.submit(room, urgent=True)
        await self.writer.settled()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._compaction.idle()
