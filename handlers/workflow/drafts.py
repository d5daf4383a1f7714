"""What people have drawn of a workflow until now: its document after one update of the log, and nothing of the next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from crdt import diagram
from crdt.content import read_json
from crdt.replay import replay
from handlers.document_states import current_number, replayed
from handlers.parts import Parts
from handlers.workflow_forms import packed
from storage.documents import Document

# Reading a diagram of this size, checking its shape and hashing it holds the event loop for about 7 ms.
_SMALL_BYTES = 16 * 1024


class Drawn(NamedTuple):
    """A diagram's normal form, packed, what its shape has wrong, and the SHA-256 of what it does."""

    form: bytes
    faults: list[diagram.Violation]
    fingerprint: str
    nodes: int
    edges: int


class Draft(NamedTuple):
    """What is drawn after the document's update `number`."""

    number: int
    drawn: Drawn


async def draft_of(parts: Parts, document: Document) -> Draft:
    """The workflow as everything that any node had stored when this was called makes it.

    Raises InvalidRequest for content that is nested too deep to be read.
    """
    async with parts.rooms.use(document) as room:
        await parts.rooms.catch_up(room)
        number = await current_number(parts, document)
    return await draft_at(parts, document, number)


async def draft_at(parts: Parts, document: Document, number: int) -> Draft:
    """The workflow after the update with that number."""
    return Draft(number, await replayed(parts, document, number, drawn, small_bytes=_SMALL_BYTES))


def drawn(snapshot: bytes | None, updates: Iterable[bytes]) -> Drawn:
    """Read from the log; without any state, so that a worker can do it."""
    read = read_json(replay(snapshot, updates), "diagram", "")
    form = diagram.normalise(read)
    return Drawn(
        packed(form), diagram.validate(read), diagram.fingerprint(read), len(form["nodes"]), len(form["edges"])
    )
