"""An edit of a live document that does not come from an editor: drafted on a copy, then made as somebody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pycrdt import Doc, merge_updates

from crdt.edits import EditError
from crdt.replay import replay
from crdt.room import HTTP, Room
from crdt.sync import EMPTY_UPDATE
from handlers.document_states import SMALL_BYTES, in_worker
from handlers.large_updates import prepare
from handlers.parts import Parts
from handlers.registry import Conflict, InvalidRequest, OperationError, TooLarge
from storage.documents import Document

Edit = Callable[[Doc[Any]], None]

# An update of this size is checked and applied in a few milliseconds; larger ones are cut in a worker first.
LARGE_UPDATE_BYTES = 16 * 1024

_STATE_DOES_NOT_ALLOW = frozenset({"test_failed", "not_found"})
_TOO_LARGE = frozenset({"too_large", "too_many"})


async def edit_document(parts: Parts, document: Document, author: str, edit: Edit, origin: int = HTTP) -> int:
    """Make the edit, which can be pickled; its number once it is stored, the document's if nothing had to change.

    Raises Conflict, InvalidRequest, TooLarge; the document is as it was then.
    """
    async with parts.rooms.use(document) as room:
        room.flush()
        state = room.state()
        try:
            update = room.draft(edit) if len(state) <= SMALL_BYTES else await in_worker(parts, draft, state, edit)
        except EditError as error:
            raise refusal(error) from None
        return await merge_update(parts, room, author, update, origin)


async def merge_update(parts: Parts, room: Room, author: str, update: bytes, origin: int = HTTP) -> int:
    """Apply an update, however large; the room's number once it is stored. Raises TooLarge, MalformedUpdate."""
    pieces = [update] if len(update) <= LARGE_UPDATE_BYTES else await in_worker(parts, prepare, update)
    check_size(parts, room, update)
    number = room.number
    for piece in pieces:
        number = await parts.rooms.apply(room, author, piece, origin)
    return number


def draft(state: bytes, edit: Edit) -> bytes:
    """The update that an edit makes on a document in this state. Raises what the edit raises."""
    doc = replay(None, [state])
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    try:
        with doc.transaction():
            edit(doc)
    finally:
        doc.unobserve(subscription)
    return merge_updates(*updates) if len(updates) > 1 else updates[0] if updates else EMPTY_UPDATE


def check_size(parts: Parts, room: Room, update: bytes) -> None:
    """Raises TooLarge if the document would have more bytes of updates than one may."""
    limit = parts.limits.document_bytes
    if room.size + len(update) > limit:
        raise TooLarge(f"A document may have {limit} bytes of updates.", code="document_full", details={"limit": limit})


def refusal(error: EditError) -> OperationError:
    """What is answered for an edit that could not be made."""
    message = f"{error.message[:1].upper()}{error.message[1:]}."
    if error.code in _STATE_DOES_NOT_ALLOW:
        return Conflict(message, code=error.code)
    if error.code in _TOO_LARGE:
        return TooLarge(message, code=error.code)
    return InvalidRequest(message, code=error.code)
