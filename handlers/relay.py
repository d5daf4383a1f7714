"""Rooms across nodes: what one node has stored reaches the rooms of the others, whatever happens to the bus.

The bus carries updates right after their commit, with their numbers in the log. It may lose them. So a room takes
only what follows what it has; for anything else, and after each new start of its subscription, and now and then in any
case, the log is asked for what comes next. The log loses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import Any, Protocol

from crdt.room import Room
from handlers import relay_messages
from handlers.relay_messages import CLOSED, PRESENCE, STORED, WHO_IS_HERE, Letterhead, stored
from storage import update_log
from storage.bus.channels import Bus
from storage.database import Database
from storage.errors import StorageError

logger = logging.getLogger(__name__)

# What others stored just before an own commit is usually on its way; after this it is looked for.
GAP_SECONDS = 0.1
# A node that dies between its commit and its word about it is noticed by this look at the log.
LOOK_SECONDS = 5.0
# Without a bus this look is all there is.
LOOK_SECONDS_WITHOUT_BUS = 0.5
RETRY_SECONDS = 1.0
HEADS_AT_ONCE = 500
ROWS_AT_ONCE = 500
# Updates that wait for others before them; beyond this they are read from the log with those.
MOST_HELD = 1_000


class Rooms(Protocol):
    """What the relay does to rooms."""

    def take_stored(self, room: Room, updates: Sequence[bytes]) -> None: ...
    def present_elsewhere(self, room: Room, node_id: str, update: bytes) -> None: ...
    def closed_elsewhere(self, room: Room, reason: str) -> None: ...
    def load_again(self, room: Room) -> None: ...


class RoomChannel:
    """One room's ear on the bus."""

    __slots__ = ("_held", "_relay", "name", "room")

    def __init__(self, relay: Relay, room: Room) -> None:
        self.room = room
        self.name = channel_of(room.row_id)
        self._relay = relay
        # Updates that came before others with lower numbers: by their first number, with their last.
        self._held: dict[int, tuple[int, list[bytes]]] = {}

    def received(self, message: bytes) -> None:
        if not self._relay.letterhead.is_own(message):
            self._relay.handle(self, message)

    def resumed(self) -> None:
        self._relay.look_now(self)
        self._relay.ask_who_is_here(self.room)

    def take(self, first: int, last: int, updates: list[bytes]) -> list[bytes]:
        """What can be applied now that these came, in order; the rest is kept for when its turn comes."""
        position = self.room.position
        if last > position.until and not position.holds(first):
            self._held[first] = (last, updates)
        return self.due()

    def due(self) -> list[bytes]:
        """What was held and follows what the room has."""
        position, due = self.room.position, []
        while self._held and (first := min(self._held)) <= position.until + 1:
            last, updates = self._held.pop(first)
            due += updates[position.until + 1 - first :]
            position.add(first, last)
        return due

    @property
    def waits(self) -> bool:
        """Whether something is missing before what came already."""
        return bool(self._held) or self.room.position.has_gap

    def forget_if_many(self) -> None:
        if sum(len(updates) for _, updates in self._held.values()) > MOST_HELD:
            self._held.clear()


def channel_of(row_id: int) -> str:
    return f"room:{row_id}"


class Relay:
    """Says what this node's rooms have stored, and brings them what others have."""

    def __init__(self, bus: Bus, database: Database, rooms: Rooms) -> None:
        self._bus = bus
        self._database = database
        self._rooms = rooms
        self._channels: dict[int, RoomChannel] = {}
        self._behind: dict[int, RoomChannel] = {}
        self._wake = asyncio.Event()
        self._looked_at = 0.0
        self.letterhead = Letterhead(bus.node_id)
        self.log_reads = 0
        self.updates_read = 0
        self.updates_received = 0
        bus.on_state_change(lambda _: self._wake.set())

    # What this node has to say

    def opened(self, room: Room) -> None:
        """The room was loaded: listen for it."""
        channel = self._channels[room.row_id] = RoomChannel(self, room)
        self._bus.subscribe(channel.name, channel)

    def forgotten(self, room: Room) -> None:
        channel = self._channels.get(room.row_id)
        if channel is not None and channel.room is room:
            del self._channels[room.row_id]
            self._behind.pop(room.row_id, None)
            self._bus.unsubscribe(channel.name, channel)

    def stored(self, room: Room, first: int, updates: Sequence[bytes]) -> None:
        """This node has put updates of the room in the log."""
        self._say(room.row_id, stored(first, first + len(updates) - 1, updates))
        channel = self._channels.get(room.row_id)
        if channel is not None and channel.waits:
            self._apply(channel, channel.due())
            self._mind_gap(channel)

    def present(self, room: Room, update: bytes) -> None:
        """Presence of members on this node."""
        self._say(room.row_id, [PRESENCE, update])

    def ask_who_is_here(self, room: Room) -> None:
        self._say(room.row_id, [WHO_IS_HERE])
        self._tell_who_is_here(room)

    def closed(self, row_id: int, reason: str) -> None:
        """The document is not to be edited any more."""
        self._say(row_id, [CLOSED, reason])

    def _say(self, row_id: int, content: Sequence[Any]) -> None:
        self._bus.publish(channel_of(row_id), self.letterhead.seal(content))

    def _tell_who_is_here(self, room: Room) -> None:
        if (update := room.awareness.encode_own()) is not None:
            self.present(room, update)

    # What others say

    def handle(self, channel: RoomChannel, message: bytes) -> None:
        """A message of another node; one that makes no sense is of another version, and is left to the log."""
        try:
            node_id, content = relay_messages.opened(message)
            self._dispatch(channel, node_id, content)
        except (ValueError, TypeError, IndexError):
            logger.exception("a message about document %d could not be read", channel.room.row_id)
            self.look_now(channel)

    def _dispatch(self, channel: RoomChannel, node_id: str, content: list[Any]) -> None:
        kind = content[0]
        if kind == STORED:
            _, first, last, updates = content
            self._take(channel, first, last, updates)
        elif kind == PRESENCE:
            self._rooms.present_elsewhere(channel.room, node_id, content[1])
        elif kind == WHO_IS_HERE:
            self._tell_who_is_here(channel.room)
        elif kind == CLOSED:
            self._rooms.closed_elsewhere(channel.room, content[1])

    def _take(self, channel: RoomChannel, first: int, last: int, updates: list[bytes]) -> None:
        if len(updates) != last + 1 - first:
            # Too large to be carried.
            self.look_now(channel)
            return
        self.updates_received += len(updates)
        self._apply(channel, channel.take(first, last, updates))
        self._mind_gap(channel)

    def _apply(self, channel: RoomChannel, updates: Sequence[bytes]) -> None:
        if updates:
            self._rooms.take_stored(channel.room, updates)

    # What nobody said, or nobody heard

    def _mind_gap(self, channel: RoomChannel) -> None:
        if channel.waits:
            asyncio.get_running_loop().call_later(GAP_SECONDS, self._look_if_waiting, channel)

    def _look_if_waiting(self, channel: RoomChannel) -> None:
        if channel.waits:
            channel.forget_if_many()
            self.look_now(channel)

    def look_now(self, channel: RoomChannel) -> None:
        """Compare the room with the log as soon as possible."""
        if self._channels.get(channel.room.row_id) is channel:
            self._behind[channel.room.row_id] = channel
            self._wake.set()

    async def run(self) -> None:
        """Look at the log where something may be missing, and everywhere now and then, until cancelled."""
        while True:
            await self._until_next_look()
            try:
                await self._look()
            except StorageError as error:
                logger.warning("the log cannot be asked for what other nodes stored, trying again: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                logger.exception("looking for what other nodes stored failed; trying again")
                await asyncio.sleep(RETRY_SECONDS)

    async def _until_next_look(self) -> None:
        pause = LOOK_SECONDS if self._bus.is_connected else LOOK_SECONDS_WITHOUT_BUS
        left = self._looked_at + pause - time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self._wake.wait()
                return
        self._looked_at = time.monotonic()
        self._behind.update(self._channels)

    async def _look(self) -> None:
        self._wake.clear()
        while self._behind:
            part = dict(list(self._behind.items())[:HEADS_AT_ONCE])
            # Forgotten before it is asked: who says so in the meantime means what comes after.
            for row_id in part:
                del self._behind[row_id]
            try:
                heads = await update_log.heads(self._database, list(part))
                for row_id, channel in part.items():
                    await self._compare(channel, heads.get(row_id))
            except BaseException:
                self._behind = part | self._behind
                raise

    async def _compare(self, channel: RoomChannel, head: update_log.Head | None) -> None:
        room = channel.room
        if room.is_closed or room.is_broken:
            return
        if head is None or head.is_trashed:
            self._rooms.closed_elsewhere(room, "this document was moved to the trash or deleted")
        elif head.number > room.number and not self._is_own_commit(room, head.number):
            await self.catch_up(channel, head.number)

    @staticmethod
    def _is_own_commit(room: Room, head: int) -> bool:
        """Whether what is new in the log is what this node is storing just now and has no answer for yet."""
        return not room.position.has_gap and head - room.number == len(room.storing)

    async def catch_up(self, channel: RoomChannel, head: int) -> None:
        """Read from the log what the room does not have."""
        room = channel.room
        while room.number < head and not room.is_closed and not room.is_broken:
            after = room.number
            rows = await update_log.read(self._database, room.row_id, after, ROWS_AT_ONCE)
            if not rows:
                return
            if rows[0].number > after + 1:
                # What comes next is in a snapshot only.
                self._rooms.load_again(room)
                return
            self.log_reads += 1
            new = [row for row in rows if not room.position.holds(row.number)]
            self.updates_read += len(new)
            self._apply(channel, [row.data for row in new])
            room.position.add(rows[0].number, rows[-1].number)
            self._apply(channel, channel.due())

    async def refresh(self, room: Room) -> None:
        """Returns when the room has everything that was in the log when this was called."""
        channel = self._channels.get(room.row_id)
        if channel is not None:
            heads = await update_log.heads(self._database, [room.row_id])
            await self._compare(channel, heads.get(room.row_id))
