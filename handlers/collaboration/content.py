"""What is in a document: read it now or as it was, replace it, edit it, merge a Yjs update into it.

Every write is an edit of the caller on the live document: open editors see it as they see each other's.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType

from crdt.content import DEFAULT_ROOTS
from crdt.edits import MAX_EDITS, PointerEdit
from crdt.edits import Splice as TextSplice
from crdt.replay import compact
from handlers.audit_trail import record
from handlers.collaboration.documents import ONE, Kind, Root, address
from handlers.collaboration.naming import DocumentId, ensure_document, find
from handlers.collaboration.points import Point, resolve
from handlers.collaboration.reading import live_shape, question_about, read_live
from handlers.collaboration.replays import Question, Reading, read_replayed
from handlers.collaboration.writing import Change, NewJson, NewText, PointerEdits, Splices, Writing, merge, write
from handlers.document_states import replayed
from handlers.names import WorkspaceId
from handlers.parts import Parts
from handlers.registry import Binary, Conflict, Context, InvalidRequest, Operation, Permission
from storage.documents import Document

OCTETS = "application/octet-stream"
PATH = f"{ONE}/content"

IfNumber = Annotated[
    int,
    Meta(ge=0, description="Do it only if the document is at this number, and answer 409 with its number if not."),
]


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a document holds after the update `number`: `text`, or `json` in the shape of its kind.

    Kind and root are null for a document that is empty and of which nobody said what it is.
    """

    number: int
    kind: Kind | None
    root: str | None
    text: str | UnsetType = UNSET
    json: Any = UNSET


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """The edit is stored, as the update `number`; the document's number if nothing had to change."""

    number: int


class Splice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At `position`, remove `delete` characters and put `insert`. Counted in Unicode code points."""

    position: Annotated[int, Meta(ge=0)]
    delete: Annotated[int, Meta(ge=0)] = 0
    insert: str = ""


class Edit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operation of RFC 6902 at a JSON pointer (RFC 6901)."""

    op: Literal["add", "replace", "remove", "test"]
    path: str
    value: Any = UNSET


class GetContent(msgspec.Struct, frozen=True, kw_only=True):
    """As `text`, as `json`, or as `yjs`: the whole document as one Yjs update, in bytes.

    Without `format`, a text is answered as text and everything else as JSON. `root` and `kind` read another shared
    type of the document than its content.
    """

    workspace_id: WorkspaceId
    document_id: DocumentId
    format: Literal["text", "json", "yjs"] | None = None
    at: Point | None = None
    root: Root | None = None
    kind: Kind | None = None


class PutContent(msgspec.Struct, frozen=True, kw_only=True):
    """One of `text`, `json` and a Yjs update; who may write makes the document, if there is none.

    Text and JSON replace the content, changing only what differs. A Yjs update - the body itself, sent as
    application/octet-stream - is merged into the document.
    """

    workspace_id: WorkspaceId
    document_id: DocumentId
    text: str | UnsetType = UNSET
    json: Any = UNSET
    body: bytes | None = None
    root: Root | None = None
    if_number: IfNumber | None = None


class PatchContent(msgspec.Struct, frozen=True, kw_only=True):
    """Splices of a text, or edits of JSON; each applies to what the one before left, and all are one update."""

    workspace_id: WorkspaceId
    document_id: DocumentId
    splices: Annotated[list[Splice], Meta(max_length=MAX_EDITS)] | UnsetType = UNSET
    edits: Annotated[list[Edit], Meta(max_length=MAX_EDITS)] | UnsetType = UNSET
    root: Root | None = None
    if_number: IfNumber | None = None


async def get_content(context: Context, request: GetContent) -> Content | Binary:
    parts = context.parts
    document = await find(parts, request.workspace_id, request.document_id)
    number = None if request.at is None else await resolve(parts, document, request.at, "at")
    if request.format == "yjs":
        return Binary(media_type=OCTETS, data=await _state(parts, document, number))
    question = await _question(parts, document, request)
    if number is None:
        reading, number = await read_live(parts, document, question)
    else:
        reading = await replayed(parts, document, number, read_replayed, question)
    return _shown(reading, number)


async def _state(parts: Parts, document: Document, number: int | None) -> bytes:
    if number is not None:
        return await replayed(parts, document, number, compact)
    state, _ = await parts.rooms.state(document)
    return state


async def _question(parts: Parts, document: Document, request: GetContent) -> Question:
    form = None if request.format == "yjs" else request.format
    if request.kind is not None and request.kind != document.kind:
        return Question(request.kind, request.root or DEFAULT_ROOTS[request.kind], form)
    if request.root is not None and document.kind is not None:
        return Question(document.kind, request.root, form)
    return question_about(document, await live_shape(parts, document), form)


def _shown(reading: Reading, number: int) -> Content:
    kind = cast("Kind", reading.shape.kind) if reading.shape else None
    root = reading.shape.root if reading.shape else None
    if reading.form == "text":
        return Content(number=number, kind=kind, root=root, text=reading.value)
    return Content(number=number, kind=kind, root=root, json=reading.value)


async def put_content(context: Context, request: PutContent) -> Written:
    given = [name for name in ("text", "json") if getattr(request, name) is not UNSET]
    given += ["body"] if request.body is not None else []
    if len(given) != 1:
        raise InvalidRequest(
            "Give one of `text`, `json`, and a Yjs update as the body, sent as application/octet-stream.",
            details={"given": given},
        )
    document = await ensure_document(context.parts, context.user, request.workspace_id, request.document_id)
    if request.body is not None:
        number = await merge(context, document, request.body, request.if_number)
    else:
        change: Change = NewJson(request.json) if request.text is UNSET else NewText(request.text)
        number = await write(context, document, Writing(change, request.root, request.if_number))
    return await _written(context, document, "collaboration.content.put", number)


async def patch_content(context: Context, request: PatchContent) -> Written:
    if (request.splices is UNSET) == (request.edits is UNSET):
        raise InvalidRequest("Give either `splices` of a text or `edits` of JSON.")
    document = await find(context.parts, request.workspace_id, request.document_id)
    change: Change = _pointer_edits(request.edits) if request.splices is UNSET else _splices(request.splices)
    number = await write(context, document, Writing(change, request.root, request.if_number))
    return await _written(context, document, "collaboration.content.patch", number)


def _splices(splices: list[Splice]) -> Splices:
    return Splices([TextSplice(splice.position, splice.delete, splice.insert) for splice in splices])


def _pointer_edits(edits: list[Edit] | UnsetType) -> PointerEdits:
    assert edits is not UNSET
    for at, edit in enumerate(edits):
        if edit.op != "remove" and edit.value is UNSET:
            parameter = f"edits[{at}].value"
            raise InvalidRequest(f"{parameter}: {edit.op!r} needs a value.", details={"parameter": parameter})
    return PointerEdits(
        tuple(PointerEdit(edit.op, edit.path, None if edit.value is UNSET else edit.value) for edit in edits)
    )


async def _written(context: Context, document: Document, action: str, number: int) -> Written:
    async with context.parts.database.write() as connection:
        await record(connection, context, action, address(document), {"number": number})
    return Written(number=number)


OPERATIONS = (
    Operation(
        "collaboration.content.get",
        GetContent,
        Content | Binary,
        get_content,
        f"GET {PATH}",
        Permission.READ,
        "Read a document as text, JSON or Yjs update, now or as it was.",
    ),
    Operation(
        "collaboration.content.put",
        PutContent,
        Written,
        put_content,
        f"PUT {PATH}",
        Permission.WRITE,
        "Replace a document's content, or merge a Yjs update into it.",
        errors=(Conflict,),
    ),
    Operation(
        "collaboration.content.patch",
        PatchContent,
        Written,
        patch_content,
        f"PATCH {PATH}",
        Permission.WRITE,
        "Edit a document: splices of text, or JSON pointer edits.",
        errors=(Conflict,),
    ),
)
