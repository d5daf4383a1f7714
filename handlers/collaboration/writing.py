"""Edits that come over HTTP: made on the live document, as the caller, and only where it is as they expect it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

from pycrdt import Doc

from crdt.content import DEFAULT_ROOTS, apply_pointer_edits, apply_splices, replace_json, replace_text
from crdt.edits import EditError, PointerEdit, Splice
from crdt.lib0 import MalformedError
from crdt.room import HTTP, Room
from handlers.collaboration.reading import shape_in
from handlers.collaboration.replays import Shape
from handlers.document_edits import LARGE_UPDATE_BYTES, Edit, check_size, draft, refusal
from handlers.document_states import SMALL_BYTES, in_worker
from handlers.large_updates import prepare
from handlers.parts import Parts
from handlers.registry import Conflict, Context, InvalidRequest
from storage.documents import Document


class Change(Protocol):
    """What is to be done to a document. `usual_kind` is what an empty document becomes by it. Can be pickled."""

    @property
    def usual_kind(self) -> str: ...

    def apply(self, shape: Shape, doc: Doc[Any]) -> None:
        """Raises EditError."""


class Splices(NamedTuple):
    """Edits of a text."""

    splices: Sequence[Splice]

    @property
    def usual_kind(self) -> str:
        return "text"

    def apply(self, shape: Shape, doc: Doc[Any]) -> None:
        apply_splices(doc, shape.root, self.splices, kind=shape.kind)


class PointerEdits(NamedTuple):
    """Edits of a document's JSON."""

    edits: Sequence[PointerEdit]

    @property
    def usual_kind(self) -> str:
        return "map"

    def apply(self, shape: Shape, doc: Doc[Any]) -> None:
        apply_pointer_edits(doc, shape.kind, shape.root, self.edits)


class NewText(NamedTuple):
    """Another text in place of the one that is there; what stays of it is left alone."""

    text: str

    @property
    def usual_kind(self) -> str:
        return "text"

    def apply(self, shape: Shape, doc: Doc[Any]) -> None:
        if shape.kind != "text":
            raise EditError("wrong_kind", f"this document is of the kind {shape.kind}: send `json` instead of `text`")
        replace_text(doc, shape.root, self.text)


class NewJson(NamedTuple):
    """Other JSON in place of the one that is there; what stays of it is left alone."""

    json: Any

    @property
    def usual_kind(self) -> str:
        if isinstance(self.json, str):
            return "text"
        is_rich = isinstance(self.json, dict) and self.json.get("type") == "doc"
        return "richtext" if is_rich else "map"

    def apply(self, shape: Shape, doc: Doc[Any]) -> None:
        replace_json(doc, shape.kind, shape.root, self.json)


class Writing(NamedTuple):
    """A change: of another shape or root than the document's own if given, only at the number if given."""

    change: Change
    root: str | None = None
    if_number: int | None = None
    shape: Shape | None = None
    origin: int = HTTP


async def write(context: Context, document: Document, writing: Writing) -> int:
    """Make the change as the caller; its number once it is stored, the document's if nothing had to change.

    Raises Conflict, InvalidRequest, TooLarge; the document is as it was then.
    """
    parts, change = context.parts, writing.change
    async with parts.rooms.use(document) as room:
        if writing.if_number is not None:
            await parts.rooms.catch_up(room)
        shape = writing.shape or await shape_in(parts, document, room) or _usual_shape(change)
        if writing.root is not None:
            shape = shape._replace(root=writing.root)
        try:
            update = await _draft(parts, room, partial(change.apply, shape), writing.if_number)
        except EditError as error:
            raise refusal(error) from None
        check_size(parts, room, update)
        return await parts.rooms.apply(room, context.user.user_id, update, writing.origin)


async def merge(context: Context, document: Document, update: bytes, if_number: int | None) -> int:
    """Merge a Yjs update as the caller; the document's number once it is stored.

    Raises Conflict, InvalidRequest, TooLarge.
    """
    parts, author = context.parts, context.user.user_id
    async with parts.rooms.use(document) as room:
        try:
            pieces = [update] if len(update) <= LARGE_UPDATE_BYTES else await in_worker(parts, prepare, update)
            if if_number is not None:
                await parts.rooms.catch_up(room)
            expect_number(room, if_number)
            check_size(parts, room, update)
            number = room.number
            for piece in pieces:
                number = await parts.rooms.apply(room, author, piece)
        except MalformedError as error:
            raise InvalidRequest(f"The body is not a Yjs update: {error}.", code="malformed_update") from None
    return number


async def _draft(parts: Parts, room: Room, edit: Edit, if_number: int | None) -> bytes:
    """The update that the edit makes. Nothing else happens between the check of the number and the return."""
    expect_number(room, if_number)
    state = room.state()
    if len(state) <= SMALL_BYTES:
        return room.draft(edit)
    update = await in_worker(parts, draft, state, edit)
    expect_number(room, if_number)
    return update


def expect_number(room: Room, if_number: int | None) -> None:
    """Raises Conflict if the document is not at this number."""
    room.flush()
    # What is on its way to the log will have the next numbers.
    number = room.number + len(room.storing) + len(room.outbox)
    if if_number not in (None, number):
        raise Conflict(
            f"The document is at the number {number}, not {if_number}: read it again.",
            code="number_changed",
            details={"number": number},
        )


def _usual_shape(change: Change) -> Shape:
    return Shape(change.usual_kind, DEFAULT_ROOTS[change.usual_kind])
