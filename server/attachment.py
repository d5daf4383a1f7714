"""One document on one connection: a member of its room, whatever dialect it speaks.

The dialects differ in how they frame messages, acknowledge updates and part from a document; what a sync or awareness
message does is the same and stands here.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from crdt import sync
from crdt.lib0 import MalformedError, read_var_bytes, read_varuint
from crdt.room import LIVE, SYNCED, Room
from crdt.update import inspect_update
from handlers.access import Role, allows
from handlers.registry import Permission, Principal
from handlers.traffic import DOCUMENT_FULL, READ_ONLY
from server.admission import TRY_AGAIN
from server.framing import Framing
from server.transport import Transport

if TYPE_CHECKING:
    from server.gateway import Gateway

logger = logging.getLogger(__name__)

# What nearly every message starts with.
LIVE_UPDATE = bytes((sync.SYNC, sync.UPDATE))
# What a connection may send before it is let into a document.
MAX_HELD_BYTES = 5 * 1024 * 1024
MAX_HELD_MESSAGES = 1_000
# An awareness update of nobody: every client takes it, and it resets the timer that drops a silent socket.
NOTHING_NEW = sync.awareness_message(b"\x00")
# How often what was changed while a large answer was sent may itself be too large for one message.
MOST_ROUNDS = 3
# Up to this size an update is checked and applied on the loop, in a few milliseconds at worst.
LARGE_UPDATE_BYTES = 16 * 1024


class Attachment:
    """A member of a room. The dialects' attachments add acknowledgement and parting."""

    echo_means_stored = False

    __slots__ = (
        "_held",
        "_holds",
        "_is_syncing",
        "_owed",
        "can_write",
        "connection",
        "framing",
        "gateway",
        "name",
        "principal",
        "role",
        "room",
        "user",
        "workspace_id",
        "write",
    )

    def __init__(
        self,
        gateway: "Gateway",
        connection: Transport,
        framing: Framing,
        principal: Principal,
        workspace_id: str,
        role: Role,
        room: Room,
    ) -> None:
        self.gateway = gateway
        self.connection = connection
        self.framing = framing
        self.principal = principal
        self.user = principal.user_id
        self.name = principal.user_id
        self.workspace_id = workspace_id
        self.room = room
        self.write = connection.write
        self.set_role(role)
        self._held: list[bytes] = []
        self._holds = 0
        self._owed: bytes | None = None
        self._is_syncing = False
        room.join(self)

    def set_role(self, role: Role) -> None:
        self.role = role
        self.can_write = allows(role, Permission.WRITE)

    # Dialect's part

    def stored(self, updates: list[bytes]) -> None:
        raise NotImplementedError

    def tell(self, news: bytes) -> None:
        raise NotImplementedError

    def refuse(self, reason: str) -> None:
        raise NotImplementedError

    def come_back(self, reason: str) -> None:
        """Close the connection: stock clients take that, and nothing else, for a reason to connect again."""
        self.leave()
        self.connection.close(TRY_AGAIN, reason)

    def refuse_write(self) -> None:
        """A reader sent an update: say that it was not taken."""
        raise NotImplementedError

    def say_scope(self) -> None:
        """Tell the client what it may do here, where the dialect has a word for that."""

    def ask_for_token(self) -> None:
        """The member's credential ends soon: a client that can send a new one is asked to."""
        raise NotImplementedError

    def unauthorised(self, reason: str) -> None:
        """The member's credential does not hold (any more): another may."""
        self.refuse(reason)

    # Messages

    def receive(self, message: bytes, at: int) -> None:
        """A message of this document; ``at`` is where its type starts. Malformed ones part the member."""
        if self._holds:
            self._held.append(message[at:])
            return
        try:
            self._dispatch(message, at)
        except MalformedError as error:
            self.refuse(f"malformed message: {error}")
        except Exception:
            # Our fault, and one member's loss: the others in the room and on this connection go on.
            logger.exception("a message of %s to document %d failed", self.user, self.room.row_id)
            self.refuse("the server failed on this message; its log says why")

    def _dispatch(self, message: bytes, at: int) -> None:
        if message.startswith(LIVE_UPDATE, at):
            body, _ = read_var_bytes(message, at + 2)
            self._take_update(LIVE, body)
            return
        kind, at = read_varuint(message, at)
        if kind == sync.SYNC:
            subtype, at = read_varuint(message, at)
            body, _ = read_var_bytes(message, at)
            if subtype == sync.UPDATE:
                self._take_update(LIVE, body)
            elif subtype == sync.STEP_2:
                self._take_update(SYNCED, body)
            elif subtype == sync.STEP_1:
                self.answer_step_1(body)
            else:
                raise MalformedError(f"sync messages are of type 0, 1 or 2, not {subtype}")
        elif kind == sync.AWARENESS:
            body, _ = read_var_bytes(message, at)
            self.gateway.rooms.receive_awareness(self.room, self, body)
        elif kind == sync.QUERY_AWARENESS:
            self.send_awareness()
        else:
            self.receive_other(kind, message, at)

    def receive_other(self, kind: int, message: bytes, at: int) -> None:
        """A message type of one dialect only. Unknown ones are ignored: newer clients may send more."""

    def answer_step_1(self, state_vector: bytes) -> None:
        if self.connection.is_congested or self._is_syncing:
            # Whoever asks again before it has read the answer gets one more, when it has.
            self._owed = state_vector
            return
        frame = self.gateway.large_states.at_once(self.room, self.framing, state_vector)
        if frame is not None:
            self.write(frame)
            self.step_2_sent()
        else:
            # Until it has all of that it gets nothing else of this document: edits build on what is still to come.
            self._is_syncing = True
            self.room.hold_back(self)
            self.gateway.spawn(self._answer_in_portions(state_vector))

    def step_2_sent(self) -> None:
        """The dialect's own word after it."""

    async def _answer_in_portions(self, state_vector: bytes) -> None:
        """A large answer as updates of a size that lets others through between them, and a small step 2 at the end."""
        try:
            frame = await self._send_portions(state_vector)
        except Exception:
            logger.exception("document %d could not be cut, and is sent in one piece", self.room.row_id)
            frame = self.room.step_2_frame(self.framing, state_vector)
        if frame is None or not self.room.has(self):
            return
        self._is_syncing = False
        self.room.let_back(self)
        self.write(frame)
        self.step_2_sent()
        self.greet()
        self._pay()

    async def _send_portions(self, state_vector: bytes) -> bytes | None:
        """The framed step 2 that completes what was sent, None if the member has left meanwhile."""
        states, room = self.gateway.large_states, self.room
        for _ in range(MOST_ROUNDS):
            cut = await states.cut(room, state_vector)
            for update in cut.updates:
                await self.connection.drained()
                # Between two portions others have their turn, however fast this connection is.
                await asyncio.sleep(0)
                if not room.has(self):
                    return None
                self.send(sync.update_message(update))
            if room.revision == cut.revision:
                return self.framing.wrap(sync.step_2(sync.EMPTY_UPDATE))
            state_vector = cut.state_vector
            if (frame := states.at_once(room, self.framing, state_vector)) is not None:
                return frame
        return room.step_2_frame(self.framing, state_vector)

    def _take_update(self, origin: int, update: bytes) -> None:
        if not self.can_write:
            self._take_from_reader(origin, update)
        elif self.room.size + len(update) > self.gateway.max_document_bytes:
            self.gateway.rooms.traffic.turn_away(DOCUMENT_FULL)
            self.refuse(f"this document is full: {self.gateway.max_document_bytes} bytes are allowed")
        elif len(update) > LARGE_UPDATE_BYTES or not self.gateway.rooms.receive(self.room, self, origin, update):
            self._hold_for(origin, update)

    def _take_from_reader(self, origin: int, update: bytes) -> None:
        """A reader's step 2 is fine as long as it brings nothing; a reader that lost its writes is told so."""
        small = len(update) <= LARGE_UPDATE_BYTES
        if origin == SYNCED and small and self.room.holds(inspect_update(update), exactly=True):
            self.gateway.rooms.traffic.received += 1
            self.gateway.rooms.traffic.repeated += 1
            self.stored([update])
        else:
            self.gateway.rooms.traffic.turn_away(READ_ONLY)
            self.refuse_write()

    def _hold_for(self, origin: int, update: bytes) -> None:
        """A large update is prepared elsewhere; what comes after it waits, in order."""
        self.hold()
        self.gateway.spawn(self._take_large(origin, update))

    async def _take_large(self, origin: int, update: bytes) -> None:
        try:
            await self.gateway.rooms.receive_large(self.room, self, origin, update)
        except MalformedError as error:
            self.refuse(f"malformed update: {error}")
        except Exception:
            logger.exception("a large update of %s to document %d failed", self.user, self.room.row_id)
            self.refuse("the server could not take this update; its log says why")
        finally:
            self.release()

    def hold(self) -> None:
        """Keep what comes for this document until ``release`` has been called as often."""
        self._holds += 1
        self.connection.hold_reading()

    def release(self) -> None:
        self._holds -= 1
        self.connection.release_reading()
        while self._held and not self._holds:
            if not self.room.has(self):
                self._held.clear()
                return
            self.receive(self._held.pop(0), 0)

    def slow_down(self, seconds: float) -> None:
        """Read nothing from this connection for a while: what its updates cost is its own to wait for."""
        self.connection.hold_reading()
        asyncio.get_running_loop().call_later(seconds, self.connection.release_reading)

    def greet(self) -> None:
        """What a member is told beside the document: who is here, and what the server has to say about it."""
        self.send_awareness()
        self.room.tell_news(self)

    def send_awareness(self) -> None:
        present = self.room.awareness.encode_all()
        if present is not None:
            self.send(sync.awareness_message(present))

    def send(self, message: bytes) -> None:
        self.write(self.framing.wrap(message))

    # Leaving and waiting

    def leave(self) -> None:
        self.gateway.rooms.leave(self.room, self)

    def pause(self) -> None:
        self.room.hold_back(self)

    def mute(self) -> None:
        self.room.mute(self)

    def resume(self) -> None:
        if self._is_syncing:
            return
        self.gateway.counts.caught_up += self in self.room.held_back
        for message in self.room.catch_up(self):
            self.send(message)
        self._pay()

    def _pay(self) -> None:
        owed, self._owed = self._owed, None
        if owed is not None:
            self.answer_step_1(owed)
