"""Replicas under random edits, lost frames, broken sockets and crashes of a model server, by seed.

Checked at every step: what a client counts as stored is on the server's disk. Checked at the end: all are the same.
"""

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pycrdt
import pytest
from collab_studio.frames import read_address
from collab_studio.lib0 import Reader, write_bytes, write_string, write_uint
from collab_studio.multiplexer import Multiplexer
from collab_studio.text import Text

YDoc = pycrdt.Doc[Any]
NAME = "w/d"
STEPS = 400


def clocks(ydoc: YDoc) -> dict[int, int]:
    reader = Reader(ydoc.get_state())
    return {reader.uint(): reader.uint() for _ in range(reader.uint())}


@dataclass(eq=False)
class Wire:
    """A socket: frames on their way, and what the server knows of it."""

    up: deque[bytes] = field(default_factory=deque)
    down: deque[bytes] = field(default_factory=deque)
    address: str | None = None

    def say(self, *message: bytes) -> None:
        assert self.address is not None
        self.down.append(write_string(self.address) + b"".join(message))


class ModelServer:
    """Answers "stored" only after a commit; a crash loses what was not committed."""

    def __init__(self) -> None:
        self.disk: YDoc = pycrdt.Doc()
        self.live: YDoc = pycrdt.Doc()
        self.wires: list[Wire] = []
        self.unanswered: list[Wire] = []
        self.uncommitted: list[bytes] = []

    def receive(self, wire: Wire) -> None:
        address, reader = read_address(wire.up.popleft())
        kind = reader.uint()
        if kind == 2:
            wire.address = address
            wire.say(b"\x02\x02\x0aread-write")
        elif kind == 0:
            self._sync(wire, reader.uint(), reader.var_bytes())

    def _sync(self, wire: Wire, step: int, body: bytes) -> None:
        if step == 0:
            wire.say(b"\x00\x01", write_bytes(self.live.get_update(body)))
            wire.say(b"\x00\x00", write_bytes(self.live.get_state()))
            return
        before = self.live.get_update()
        self.live.apply_update(body)
        if self.live.get_update() != before:
            self.uncommitted.append(body)
            for other in self.wires:
                if other is not wire and other.address is not None:
                    other.say(b"\x00\x02", write_bytes(body))
        if self.uncommitted:
            self.unanswered.append(wire)
        else:
            wire.say(b"\x08", write_uint(1))

    def commit(self) -> None:
        for update in self.uncommitted:
            self.disk.apply_update(update)
        for wire in self.unanswered:
            wire.say(b"\x08", write_uint(1))
        self.uncommitted.clear()
        self.unanswered.clear()

    def crash(self) -> None:
        self.wires.clear()
        self.unanswered.clear()
        self.uncommitted.clear()
        self.live = pycrdt.Doc()
        self.live.apply_update(self.disk.get_update())


class Replica:
    """A client, with the clock of its document after each of its edits."""

    def __init__(self, server: ModelServer, chance: random.Random) -> None:
        self.server = server
        self.chance = chance
        self.ydoc: YDoc = pycrdt.Doc(client_id=chance.getrandbits(31))
        self.multiplexer = Multiplexer(lambda: None)
        self.session = self.multiplexer.open(NAME, self.ydoc, lambda: None)
        self.text = Text(self.ydoc, "content")
        self.wire: Wire | None = None
        self.clock_after = [0]

    def edit(self) -> None:
        length = len(self.text)
        if length and self.chance.random() < 0.3:
            self.text.delete(self.chance.randrange(length), 1)
        else:
            self.text.insert(self.chance.randint(0, length), self.chance.choice("abcé😀"))
        self.clock_after.append(clocks(self.ydoc).get(self.ydoc.client_id, 0))

    def connect(self) -> None:
        if self.wire is None or self.wire not in self.server.wires:
            self.disconnect()
            self.wire = Wire()
            self.server.wires.append(self.wire)
            self.multiplexer.opened("")

    def disconnect(self) -> None:
        if self.wire is not None:
            if self.wire in self.server.wires:
                self.server.wires.remove(self.wire)
            self.wire = None
            self.multiplexer.lost()

    def send(self) -> None:
        if self.wire is not None:
            self.wire.up.extend(self.multiplexer.take(0.0))

    def receive(self) -> None:
        if self.wire is not None and self.wire.down:
            self.multiplexer.receive(self.wire.down.popleft(), 0.0)

    def assert_stored(self) -> None:
        on_disk = clocks(self.server.disk).get(self.ydoc.client_id, 0)
        assert on_disk >= self.clock_after[self.session.ledger.stored]


def reach_server(server: ModelServer, replica: Replica) -> None:
    if replica.wire is not None and replica.wire in server.wires and replica.wire.up:
        server.receive(replica.wire)


def settle(server: ModelServer, replicas: list[Replica]) -> None:
    for replica in replicas:
        replica.connect()
    for _ in range(20 * STEPS):
        for replica in replicas:
            replica.send()
            reach_server(server, replica)
            replica.receive()
        server.commit()
        if all(r.session.synced and r.session.ledger.unsaved == 0 for r in replicas) and not any(
            wire.up or wire.down for wire in server.wires
        ):
            return
    pytest.fail("the replicas do not settle")


@pytest.mark.parametrize("seed", range(30))
def test_nothing_that_counts_as_stored_is_lost_and_all_replicas_converge(seed: int) -> None:
    chance = random.Random(seed)
    server = ModelServer()
    replicas = [Replica(server, chance) for _ in range(3)]
    for _ in range(STEPS):
        replica = chance.choice(replicas)
        weighted = {
            replica.edit: 20,
            replica.send: 20,
            replica.receive: 30,
            replica.connect: 10,
            replica.disconnect: 1,
            server.commit: 8,
            server.crash: 0.5,
        }
        (action,) = chance.choices(list(weighted), weights=list(weighted.values()))
        action()
        reach_server(server, chance.choice(replicas))
        for each in replicas:
            each.assert_stored()
    settle(server, replicas)
    for each in replicas:
        each.assert_stored()
    contents = {str(Text(ydoc, "content")) for ydoc in (server.disk, *(each.ydoc for each in replicas))}
    assert len(contents) == 1
