"""Somebody at a canvas: an editor of a diagram that waits for what the server says of it."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from editor import Editor, row_of
from http_node import Node
from pycrdt import Map

from crdt.content import read_json, replace_json
from crdt.diagram import edge_id
from crdt.room import Room
from handlers.rooms import Rooms
from storage import documents

DEADLINE = 10.0
News = dict[str, Any]


class Painter(Editor):
    """`told` is the newest news."""

    def __init__(self, rooms: Rooms, room: Room, user: str) -> None:
        self.hears = asyncio.Event()
        super().__init__(rooms, room, user)
        room.tell_news(self)

    def tell(self, news: bytes) -> None:
        super().tell(news)
        self.hears.set()

    @property
    def told(self) -> News | None:
        return msgspec.json.decode(self.news[-1]) if self.news else None

    def codes(self) -> set[str]:
        """The codes of all violations that were told."""
        return set() if self.told is None else {each["code"] for each in self.told["violations"]}

    def dangling(self) -> list[str] | None:
        """The edges that lead nowhere, as far as that was told."""
        if self.told is None:
            return None
        return [each["edge"] for each in self.told["violations"] if each["code"] == "edge.dangling"]

    def is_up_to_date(self) -> bool:
        """What was told is of the document as this editor has it, clock by clock."""
        return self.told is not None and b64decode(self.told["state_vector"]) == self.room.doc.get_state()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for news after which the condition holds."""
        async with asyncio.timeout(DEADLINE):
            while not condition():
                self.hears.clear()
                await self.hears.wait()

    async def until_dangling(self, *edges: str) -> None:
        await self.until(lambda: self.dangling() == list(edges))

    def delete(self, node: str) -> None:
        self.edit(lambda doc: doc.get("nodes", type=Map).pop(node))

    def edges(self) -> list[str]:
        return sorted(self.doc.get("edges", type=Map).keys())

    def json(self) -> Any:
        return read_json(self.doc, "diagram", "")


def node(**fields: Any) -> dict[str, Any]:
    return {
        "type": "set_content",
        "type_version": 1,
        "name": "n",
        "position": {"x": 0, "y": 0},
        "params": {},
        "policy": {},
        **fields,
    }


def edge(source: str, target: str) -> dict[str, Any]:
    return {"source": source, "source_port": "out", "target": target, "target_port": "in"}


def chain(count: int) -> dict[str, Any]:
    """Nodes n0, n1, … each with an edge to the next."""
    edges = [edge(f"n{number}", f"n{number + 1}") for number in range(count - 1)]
    return {
        "nodes": {f"n{number}": node() for number in range(count)},
        "edges": {edge_id(each): each for each in edges},
    }


async def make_diagram(node: Node, name: str, *, kind: str | None = "diagram") -> None:
    root = None if kind is None else ""
    async with node.parts.database.write() as connection:
        await documents.create(connection, "lab", name, kind=kind, root=root, created_by="ada", at=datetime.now(UTC))


def draw(painter: Editor, diagram: dict[str, Any]) -> None:
    painter.edit(lambda doc: replace_json(doc, "diagram", "", diagram))


async def open_painter(node: Node, user: str, name: str) -> Painter:
    room = await node.parts.rooms.open(await row_of(node.parts, "lab", name))
    return Painter(node.parts.rooms, room, user)
