"""Somebody at a canvas, behind a wire of the test's own: a Yjs client of either dialect that keeps what it is told."""

from __future__ import annotations

import random
from base64 import b64decode
from typing import Any

import msgspec
from hand_transport import HandTransport
from node_in_process import Node
from painter import edge
from painter import node as new_node
from pycrdt import Doc, Map, UndoManager

from crdt import sync
from crdt.content import read_json
from crdt.diagram import build_shared, edge_id
from crdt.lib0 import read_var_bytes, read_varuint, write_var_string
from server.asgi_socket import unframed

CLOSE = 7
STATELESS, NEWS = b"\x05", b"\x02\x03"
# What needs nothing outside of the diagram.
TYPES = ("transform", "join", "condition", "delay", "end", "loop")


class Wire(HandTransport):
    """What the server writes waits here until it is delivered."""

    def write(self, data: bytes) -> None:
        self.sent += [payload for _, payload in unframed(data)]

    def close(self, code: int, reason: str) -> None:
        raise AssertionError(f"the server closed an honest client: {code} {reason}")


class WiredPainter:
    """Edits whenever it likes, connected or not, and syncs when it is. `told` is the newest news."""

    def __init__(self, server: Node, number: int, name: str, chance: random.Random) -> None:
        self.server, self.name, self.chance = server, name, chance
        self.user = f"user{number}"
        self.is_hocuspocus = number % 2 == 0
        self.prefix = write_var_string(f"default/{name}") if self.is_hocuspocus else b""
        self.news_prefix = STATELESS if self.is_hocuspocus else NEWS
        self.doc: Doc[Any] = Doc(client_id=100 + number)
        self.nodes: Map[Any] = self.doc.get("nodes", type=Map)
        self.edges: Map[Any] = self.doc.get("edges", type=Map)
        self.to_server: list[bytes] = []
        self.wire: Wire | None = None
        self.dialect: Any = None
        self.told: dict[str, Any] | None = None
        self._applying = False
        # As the Python client does: nothing is sent before it is known what the server lacks.
        self._is_answered = False
        self.doc.observe(self._changed)

    def _changed(self, event: Any) -> None:
        if self._is_answered and not self._applying:
            self.to_server.append(self.prefix + sync.update_message(event.update))

    # Editing

    def undo_manager(self) -> UndoManager:
        """Remembers what this user does from now on."""
        manager = UndoManager(scopes=[self.nodes, self.edges], capture_timeout_millis=0)
        manager.include_origin(self.user)
        return manager

    def edit(self) -> None:
        """Something at random, as one edit of this user's."""
        with self.doc.transaction(origin=self.user):
            self._edit()

    def _edit(self) -> None:
        chance, known = self.chance, sorted(self.nodes.keys())
        name, dice = chance.choice(known or ["n0"]), chance.random()
        if dice < 0.1 or name not in self.nodes:
            self.put(f"n{chance.randrange(220)}")
        elif dice < 0.2:
            self.delete(name)
        elif dice < 0.25:
            # As some clients do: the edges are left.
            del self.nodes[name]
        elif dice < 0.5:
            self.draw(name, chance.choice(known))
        elif dice < 0.6 and len(self.edges):
            del self.edges[chance.choice(sorted(self.edges.keys()))]
        elif dice < 0.8:
            self.nodes[name]["position"] = {"x": chance.random(), "y": chance.random()}
        elif dice < 0.9:
            self.nodes[name]["params"][chance.choice(("expression", "seconds", "mode"))] = chance.choice(("1 + 1", 5.0))
        else:
            self.nodes[name]["name"].insert(0, chance.choice("abc"))

    def put(self, name: str) -> None:
        self.nodes[name] = build_shared(new_node(type=self.chance.choice(TYPES)), ("nodes", name))

    def draw(self, source: str, target: str) -> None:
        drawn = edge(source, target)
        self.edges[edge_id(drawn)] = Map(drawn)

    def delete(self, name: str) -> None:
        """The node, with the edges that this client knows of."""
        del self.nodes[name]
        for key in [key for key in self.edges.keys() if f"{name}:" in key]:  # noqa: SIM118 - not a dict
            del self.edges[key]

    def json(self) -> dict[str, Any]:
        read: dict[str, Any] = read_json(self.doc, "diagram", "")
        return read

    # The wire

    def connect(self) -> None:
        self.wire = Wire()
        self.dialect = self.server.connect(self.wire, self.is_hocuspocus, f"default/{self.name}", self.user)
        if self.is_hocuspocus:
            token = self.server.token(self.user)
            self.to_server.append(self.prefix + b"\x02\x00" + write_var_string(token) + write_var_string("4.0.0"))
        self.to_server.append(self.prefix + sync.step_1(self.doc.get_state()))

    def drop(self) -> None:
        """The connection is gone with all that was on its way, in both directions."""
        self.dialect.closed()
        self.wire, self.to_server = None, []
        self._is_answered = False

    def deliver(self, most: int) -> None:
        if self.wire is None:
            return
        for _ in range(most):
            if self.to_server:
                self.dialect.receive(self.to_server.pop(0))
            if self.wire.sent:
                self._receive(self.wire.sent.pop(0))

    def _receive(self, message: bytes) -> None:
        body = message.removeprefix(self.prefix)
        if body.startswith(self.news_prefix):
            self.told = msgspec.json.decode(read_var_bytes(body, len(self.news_prefix))[0])
            return
        kind, at = read_varuint(body, 0)
        if kind != sync.SYNC:
            assert body[:2] not in (b"\x02\x01", b"\x02\x00", b"\x08\x00"), f"refused: {body!r}"
            assert kind != CLOSE, f"parted: {body!r}"
            return
        subtype, at = read_varuint(body, at)
        payload, _ = read_var_bytes(body, at)
        if subtype == sync.STEP_1:
            self._is_answered = True
            self.to_server.append(self.prefix + sync.step_2(self.doc.get_update(payload)))
            return
        self._applying = True
        with self.doc.transaction(origin="server"):
            self.doc.apply_update(payload)
        self._applying = False

    @property
    def is_quiet(self) -> bool:
        return not self.to_server and (self.wire is None or not self.wire.sent)

    @property
    def is_told_of_this(self) -> bool:
        """Whether the newest news is of the document as it is here. Deletions are not in a state vector."""
        return self.told is not None and clocks(b64decode(self.told["state_vector"])) == clocks(self.doc.get_state())

    def violations(self) -> list[str]:
        """The ids of what was told, in order."""
        return [each["id"] for each in (self.told or {"violations": []})["violations"]]

    def state_in_words(self, fresh: list[str]) -> str:
        """Where this client stands, for whoever reads why a run failed. `fresh` is what it should be told."""
        told = self.violations()
        parts = (
            f"quiet: {self.is_quiet}",
            f"told of this: {self.is_told_of_this}",
            f"missing: {sorted(set(fresh) - set(told))[:3]}",
            f"too many: {sorted(set(told) - set(fresh))[:3]}",
        )
        return f"{self.user}: {', '.join(parts)}"


def clocks(state_vector: bytes) -> dict[int, int]:
    """By client, in whatever order they were written."""
    count, at = read_varuint(state_vector, 0)
    found: dict[int, int] = {}
    for _ in range(count):
        client, at = read_varuint(state_vector, at)
        found[client], at = read_varuint(state_vector, at)
    return found
