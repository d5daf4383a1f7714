"""The states of large documents, cut into portions for whoever joins over a slow link.

One message with a document of megabytes would take a slow link longer than clients wait for any message, and would hold
up whatever else is to go over it. It is cut in a process of its own, once for all who join within a while, and what was
changed since is sent behind it: whoever joins waits neither for the cutting nor for the portions of others.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import NamedTuple

from crdt import sync
from crdt.portions import portions
from crdt.room import Framing, Room
from handlers.parts import Workers

# Up to this size an answer goes out in one message: a link of 20 KiB a second carries it before clients lose patience.
WHOLE_BYTES = 512 * 1024
PORTION_BYTES = 64 * 1024
# A state that was cut serves so long, while no more than so many bytes were added since.
KEPT_SECONDS = 60.0
KEPT_WHILE_BYTES = WHOLE_BYTES // 2


class Cut(NamedTuple):
    """What was missing, in portions, and how far whoever gets them all has come then."""

    updates: list[bytes]
    state_vector: bytes
    revision: int
    size: int


class LargeStates:
    """Answers to step 1 that are too large for one message."""

    def __init__(self, workers: Workers) -> None:
        """`workers` cut, and should have nothing else to do: others must not wait behind a large document."""
        self._workers = workers
        self._cuts: weakref.WeakKeyDictionary[Room, asyncio.Task[Cut]] = weakref.WeakKeyDictionary()
        # Cuts made, and answers sent from one.
        self.made = 0
        self.used = 0

    def at_once(self, room: Room, framing: Framing, state_vector: bytes) -> bytes | None:
        """The framed step 2 for a client with this state vector, if it is small; None if it has to be cut.

        Raises MalformedError for a hostile state vector.
        """
        if room.size <= WHOLE_BYTES:
            return room.step_2_frame(framing, state_vector)
        if state_vector == sync.EMPTY_STATE_VECTOR and (self._kept(room) or len(room.state()) > WHOLE_BYTES):
            return None
        frame = room.step_2_frame(framing, state_vector)
        return frame if len(frame) <= WHOLE_BYTES else None

    async def cut(self, room: Room, state_vector: bytes) -> Cut:
        """What a client with this state vector lacks, in portions."""
        self.used += 1
        if state_vector != sync.EMPTY_STATE_VECTOR:
            return await self._start(room, room.state_since(state_vector))
        cutting = self._kept(room)
        if cutting is None:
            cutting = self._cuts[room] = self._start(room, room.state())
            asyncio.get_running_loop().call_later(KEPT_SECONDS, self._forget, weakref.ref(room), cutting)
        return await asyncio.shield(cutting)

    async def close(self) -> None:
        await self._workers.close()

    async def _cut(self, state: bytes, state_vector: bytes, revision: int, size: int) -> Cut:
        self.made += 1
        updates = await self._workers.run(portions, state, PORTION_BYTES)
        return Cut(updates, state_vector, revision, size)

    def _start(self, room: Room, missing: bytes) -> asyncio.Task[Cut]:
        """Cut what is missing; what the room is at this moment goes with it."""
        return asyncio.create_task(self._cut(missing, room.state_vector(), room.revision, room.size))

    def _kept(self, room: Room) -> asyncio.Task[Cut] | None:
        """A cut of the whole document that is being made, or recent enough."""
        cutting = self._cuts.get(room)
        if cutting is None or not cutting.done():
            return cutting
        if cutting.exception() is None and room.size - cutting.result().size <= KEPT_WHILE_BYTES:
            return cutting
        return None

    def _forget(self, room: weakref.ref[Room], cutting: asyncio.Task[Cut]) -> None:
        held = room()
        if held is not None and self._cuts.get(held) is cutting:
            del self._cuts[held]
