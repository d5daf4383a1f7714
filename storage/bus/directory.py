"""Which nodes there are: each says now and then on the bus that it is there, and what it is.

Nothing is stored. A node that has not been heard for a while is gone; while the bus itself is away nobody can be heard,
and nobody is taken for gone.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from storage.bus.channels import Bus

logger = logging.getLogger(__name__)

CHANNEL = "nodes"
LOOK_SECONDS = 1.0
# A node speaks at each second look; one that dies is gone after six. Two of its words may be lost on the way.
LOOKS_A_WORD = 2
SILENT_LOOKS = 6
# Asked by many at once, as after a restart of the bus, a node answers them together.
ANSWER_SECONDS = 0.1


class NodeCard(msgspec.Struct, frozen=True, kw_only=True):
    """What a node says of itself. Fields of other versions are ignored; new ones need a default."""

    node_id: str
    host: str
    address: str
    pid: int
    version: str
    started_at: datetime
    connections: int
    rooms: int
    draining: bool


class _Here(msgspec.Struct, frozen=True, tag="here"):
    """A node is there, and perhaps wants to hear at once who else is."""

    card: NodeCard
    asks: bool = False


class _Left(msgspec.Struct, frozen=True, tag="left"):
    """A node stops in order."""

    node_id: str


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[_Here | _Left] = msgspec.msgpack.Decoder(_Here | _Left)


@dataclass(slots=True)
class Sighting:
    """A node as it was last heard. `silent_looks` counts the looks since then, while the bus was there."""

    card: NodeCard
    heard_at: datetime
    silent_looks: int = 0


class NodeDirectory:
    """The nodes of the installation, this one included. A Listener of the bus."""

    def __init__(self, bus: Bus, describe: Callable[[], NodeCard], now: Callable[[], datetime]) -> None:
        """`describe` tells what this node is at the moment."""
        self.node_id = bus.node_id
        self._bus = bus
        self._describe = describe
        self._now = now
        self._others: dict[str, Sighting] = {}
        self._lost_listeners: list[Callable[[str], None]] = []
        self._answer: asyncio.TimerHandle | None = None
        self._hears = False
        self._has_left = False
        bus.on_state_change(self._state_changed)

    def nodes(self) -> list[Sighting]:
        """By node id. Without the bus: this node as it is, the others as they were last heard."""
        own = Sighting(self._describe(), self._now())
        return sorted([own, *self._others.values()], key=lambda sighting: sighting.card.node_id)

    def on_node_lost(self, listener: Callable[[str], None]) -> None:
        """Called with the id of each node that was there and is gone. One taken for gone by mistake may come back."""
        self._lost_listeners.append(listener)

    # This node's own words

    async def run(self) -> None:
        """Speak, and look for nodes that do not, until cancelled."""
        self._bus.subscribe(CHANNEL, self)
        try:
            for look in itertools.count(1):
                if look % LOOKS_A_WORD == 0:
                    self.speak()
                self.look()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._bus.unsubscribe(CHANNEL, self)
            self._hears = False

    def speak(self, *, asks: bool = False) -> None:
        """Say that this node is there; `asks` the others to say so at once."""
        if self._hears and not self._has_left:
            self._bus.publish(CHANNEL, _encoder.encode(_Here(self._describe(), asks)))

    def leave(self) -> None:
        """Say goodbye: the others take this node for gone at once. It says nothing more."""
        if not self._has_left:
            self._has_left = True
            self._bus.publish(CHANNEL, _encoder.encode(_Left(self.node_id)))

    # What the bus tells

    def resumed(self) -> None:
        self._hears = True
        for sighting in self._others.values():
            sighting.silent_looks = 0
        self.speak(asks=True)

    def received(self, message: bytes) -> None:
        try:
            word = _decoder.decode(message)
        except msgspec.MsgspecError as error:
            logger.debug("a node said something that this version does not know: %s", error)
            return
        if isinstance(word, _Left):
            self._lose(word.node_id)
        elif word.card.node_id != self.node_id:
            self._others[word.card.node_id] = Sighting(word.card, self._now())
            if word.asks and self._answer is None:
                self._answer = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._answer_now)

    def _answer_now(self) -> None:
        self._answer = None
        self.speak()

    def _state_changed(self, is_connected: bool) -> None:
        # What makes it true again is `resumed`.
        self._hears = self._hears and is_connected

    # Nodes that say nothing

    def look(self) -> None:
        """Count a look at who is silent. Looks are counted, not seconds: when this node was the one that stood still,
        the others' words are waiting to be read.
        """
        if not self._hears:
            return
        for node_id, sighting in list(self._others.items()):
            sighting.silent_looks += 1
            if sighting.silent_looks >= SILENT_LOOKS:
                self._lose(node_id)

    def _lose(self, node_id: str) -> None:
        if self._others.pop(node_id, None) is None:
            return
        for listener in self._lost_listeners:
            try:
                listener(node_id)
            except Exception:
                logger.exception("a listener could not take the loss of a node")
