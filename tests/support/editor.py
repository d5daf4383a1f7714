"""An editor for tests: a member of a document's room with a copy of its own, as a browser has one."""

from collections.abc import Callable
from typing import Any

from pycrdt import Doc, Map, Text

from crdt import sync
from crdt.lib0 import read_var_bytes
from crdt.room import LIVE, SYNCED, Framing, Room
from handlers.parts import Parts
from handlers.rooms import Rooms
from storage import documents
from storage.documents import Document


class _Bare:
    """No framing at all."""

    def wrap(self, message: bytes) -> bytes:
        return message


class Editor:
    """`doc` follows the room; what `edit` does to it is sent there."""

    echo_means_stored = False

    def __init__(self, rooms: Rooms, room: Room, user: str) -> None:
        self.user = self.name = user
        self.framing: Framing = _Bare()
        self.rooms, self.room = rooms, room
        self.refused: list[str] = []
        self.news: list[bytes] = []
        self.acknowledged = 0
        self.doc: Doc[Any] = Doc()
        room.join(self)
        self.doc.apply_update(room.state())

    def write(self, frame: bytes) -> None:
        if frame[:2] == sync.update_message(b"")[:2]:
            self.doc.apply_update(read_var_bytes(frame, 2)[0])

    def stored(self, updates: list[bytes]) -> None:
        self.acknowledged += len(updates)

    def tell(self, news: bytes) -> None:
        self.news.append(news)

    def slow_down(self, seconds: float) -> None:
        """It is in no hurry anyway."""

    def refuse(self, reason: str) -> None:
        self.refused.append(reason)

    def come_back(self, reason: str) -> None:
        self.refused.append(reason)

    def edit(self, change: Callable[[Doc[Any]], object], *, synced: bool = False) -> None:
        def in_one() -> None:
            with self.doc.transaction():
                change(self.doc)

        self.send_what(in_one, synced=synced)

    def send_what(self, does: Callable[[], object], *, synced: bool = False) -> None:
        """Send what something does to the document in transactions of its own, as undoing does."""
        updates: list[bytes] = []
        subscription = self.doc.observe(lambda event: updates.append(event.update))
        does()
        self.doc.unobserve(subscription)
        for update in updates:
            self.rooms.receive(self.room, self, SYNCED if synced else LIVE, update)

    def type(self, text: str, *, root: str = "content") -> None:
        """Appends to the text."""
        self.edit(lambda doc: doc.get(root, type=Text).insert(len(doc.get(root, type=Text)), text))

    def set(self, key: str, value: Any, *, root: str = "content") -> None:
        """Sets a key of the map."""
        self.edit(lambda doc: doc.get(root, type=Map).__setitem__(key, value))

    def text(self, root: str = "content") -> str:
        return str(self.doc.get(root, type=Text))

    async def saved(self) -> int:
        """The document's number once everything typed until now is stored."""
        await self.rooms.settle(self.room)
        return self.room.number

    def leave(self) -> None:
        self.rooms.leave(self.room, self)


async def row_of(parts: Parts, workspace_id: str, name: str) -> Document:
    async with parts.database.read() as connection:
        found = await documents.get(connection, workspace_id, name)
    assert found is not None
    return found


async def open_editor(parts: Parts, user: str, name: str, workspace_id: str = "lab") -> Editor:
    """Somebody's editor in a document that exists."""
    room = await parts.rooms.open(await row_of(parts, workspace_id, name))
    return Editor(parts.rooms, room, user)
