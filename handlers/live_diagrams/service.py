"""Follows every diagram that is open on this node."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from crdt.diagram import DANGLING
from crdt.room import SYSTEM, Room
from handlers.changes import Changed
from handlers.live_diagrams.live_diagram import LiveDiagram, Violation
from handlers.live_diagrams.looking_up import LookingUp
from handlers.live_diagrams.mending import DanglingEdges, removal
from handlers.parts import Parts
from storage import documents

logger = logging.getLogger(__name__)

KIND = "diagram"
# Who the log says removed an edge.
SERVER = "server"
# Nodes remove what dangles one after the other, so that it is removed once: the others see it gone by then.
SECONDS_BETWEEN_NODES = 2.0
# Looking for what documents have become is worth a query this often.
LOOK_SECONDS = 1.0
MANY = 500


class Followed:
    """A room with what is done about it."""

    def __init__(self, parts: Parts, room: Room) -> None:
        self._rooms = parts.rooms
        self._room = room
        self.diagram = LiveDiagram(room, self._validated)
        self._looking_up = LookingUp(parts, room.row_id, self.diagram.workflow, self.diagram.look_soon)

        def grace() -> float:
            return parts.limits.dangling_edge_seconds + _turn_of(parts)

        self.edges = DanglingEdges(lambda: _dangling(self.diagram.violations_now()), self._remove, grace)

    def _validated(self, violations: Sequence[Violation]) -> None:
        self.edges.found(_dangling(violations))
        self._looking_up.validated()

    def _remove(self, edges: list[str]) -> None:
        if not (self._room.is_closed or self._room.is_broken):
            self._rooms.edit_at_once(self._room, SERVER, removal(edges), SYSTEM)

    def close(self) -> None:
        self.diagram.close()
        self._looking_up.close()
        self.edges.close()


def _dangling(violations: Sequence[Violation]) -> list[str]:
    return [found.edge for found in violations if found.code == DANGLING and found.edge is not None]


class LiveDiagrams:
    """A watcher of rooms."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._followed: dict[Room, Followed] = {}
        # Of what kind these are nobody has said yet.
        self.unknown: set[Room] = set()

    def opened(self, room: Room) -> None:
        if room.kind == KIND:
            self._followed[room] = Followed(self._parts, room)
        elif room.kind is None:
            self.unknown.add(room)

    def deserted(self, room: Room) -> None:
        followed = self._followed.get(room)
        # Presence that is left is of members on other nodes.
        if followed is not None and not room.awareness.entries:
            followed.edges.remove_all()

    def forgotten(self, room: Room) -> None:
        self.unknown.discard(room)
        followed = self._followed.pop(room, None)
        if followed is not None:
            followed.close()

    def said(self, room: Room, kind: str) -> None:
        """It has become known of what kind the document is."""
        if room in self.unknown:
            self.unknown.remove(room)
            room.kind = kind
            self.opened(room)

    def close(self) -> None:
        for room in [*self._followed, *self.unknown]:
            self.forgotten(room)


async def keep_diagrams_live(parts: Parts) -> None:
    """The service: diagrams that are open are validated, and rid of edges that lead nowhere, until it is cancelled."""
    diagrams = LiveDiagrams(parts)
    parts.rooms.watchers.append(diagrams)
    news = asyncio.Event()
    stop_listening = parts.changes.listen(lambda changed: _hear(changed, diagrams, news))
    try:
        for room in parts.rooms.all_live():
            diagrams.opened(room)
        while True:
            await news.wait()
            news.clear()
            await learn_kinds(parts, diagrams)
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        stop_listening()
        parts.rooms.watchers.remove(diagrams)
        diagrams.close()


def _turn_of(parts: Parts) -> float:
    """How many seconds this node lets others go first, so that as a rule it finds what dangled removed."""
    before = sum(sighting.card.node_id < parts.nodes.node_id for sighting in parts.nodes.nodes())
    return before * SECONDS_BETWEEN_NODES


def _hear(changed: Changed, diagrams: LiveDiagrams, news: asyncio.Event) -> None:
    if diagrams.unknown and changed.topic in (None, "documents"):
        news.set()


async def learn_kinds(parts: Parts, diagrams: LiveDiagrams) -> None:
    """Ask for the kinds of documents that look like diagrams."""
    rooms = {room.row_id: room for room in diagrams.unknown if {"nodes", "edges"} & set(room.doc.keys())}
    row_ids = list(rooms)[:MANY]
    async with parts.database.read() as connection:
        found = await documents.get_by_ids(connection, row_ids)
    for row_id, document in found.items():
        if document.kind is not None:
            diagrams.said(rooms[row_id], document.kind)
