"""What changed in a document between two points of its history."""

from __future__ import annotations

from typing import Any, Literal, cast

import msgspec
from msgspec import UNSET, UnsetType

from crdt.diff import Hunk
from crdt.edits import EditError
from handlers.collaboration.documents import ONE, Kind
from handlers.collaboration.naming import DocumentId, find
from handlers.collaboration.points import Point, resolve
from handlers.collaboration.reading import live_shape, question_about
from handlers.collaboration.replays import Form, Reading, Shape, compared, read_replayed
from handlers.document_states import SMALL_BYTES, current_number, in_worker, replayed
from handlers.names import WorkspaceId
from handlers.registry import Context, InvalidRequest, Operation, Permission
from storage.documents import Document


class TextHunk(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of text that stayed, went or came, and where it begins in the old and in the new text.

    Counted in Unicode code points.
    """

    op: Literal["equal", "delete", "insert"]
    text: str
    old: int
    new: int


class JsonChange(msgspec.Struct, frozen=True, kw_only=True):
    """An operation of RFC 6902; `old` is the value that it takes away."""

    op: Literal["add", "replace", "remove"]
    path: str
    value: Any = UNSET
    old: Any = UNSET


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """How the document after `from_number` became that after `to_number`: hunks of `text`, or changes of `json`."""

    from_number: int
    to_number: int
    kind: Kind | None
    root: str | None
    text: list[TextHunk] | UnsetType = UNSET
    json: list[JsonChange] | UnsetType = UNSET


class GetDiff(msgspec.Struct, frozen=True, kw_only=True):
    """`from` and `to` are numbers, times or versions, in any order; without `to` it is the document as it is now.

    Without `format`, maps and diagrams are compared as JSON, everything else as text.
    """

    workspace_id: WorkspaceId
    document_id: DocumentId
    from_: Point = msgspec.field(name="from")
    to: Point | None = None
    format: Form | None = None


async def get_diff(context: Context, request: GetDiff) -> Diff:
    parts = context.parts
    document = await find(parts, request.workspace_id, request.document_id)
    old_number = await resolve(parts, document, request.from_, "from")
    if request.to is None:
        new_number = await current_number(parts, document)
    else:
        new_number = await resolve(parts, document, request.to, "to")
    shape = await live_shape(parts, document)
    form = request.format or ("json" if shape and shape.kind in ("map", "diagram") else "text")
    old = await _read(context, document, old_number, shape, form)
    new = await _read(context, document, new_number, shape, form)
    changes = await _compared(context, document, old, new)
    shape = new.shape or old.shape
    diff = Diff(
        from_number=old_number,
        to_number=new_number,
        kind=cast("Kind", shape.kind) if shape else None,
        root=shape.root if shape else None,
    )
    if form == "text":
        hunks = [TextHunk(**hunk._asdict()) for hunk in cast("list[Hunk]", changes)]
        return msgspec.structs.replace(diff, text=hunks)
    return msgspec.structs.replace(diff, json=[JsonChange(**change) for change in cast("list[Any]", changes)])


async def _read(context: Context, document: Document, number: int, shape: Shape | None, form: Form) -> Reading:
    question = question_about(document, shape, form)
    return await replayed(context.parts, document, number, read_replayed, question)


async def _compared(
    context: Context, document: Document, old: Reading, new: Reading
) -> list[Hunk] | list[dict[str, Any]]:
    try:
        if document.size_bytes <= SMALL_BYTES:
            return compared(old, new)
        return await in_worker(context.parts, compared, old, new)
    except EditError as error:
        raise InvalidRequest(f"The two cannot be compared: {error}.", code=error.code) from None


OPERATIONS = (
    Operation(
        "collaboration.diff.get",
        GetDiff,
        Diff,
        get_diff,
        f"GET {ONE}/diff",
        Permission.READ,
        "Compare a document at two points of its history.",
    ),
)
