"""Who wrote what of a document."""

from __future__ import annotations

from datetime import datetime
from typing import cast

import msgspec

from crdt.blame import Span, TooInvolvedError
from crdt.edits import EditError
from handlers.collaboration.documents import ONE, Kind
from handlers.collaboration.naming import DocumentId, find
from handlers.collaboration.points import Point, resolve
from handlers.collaboration.replays import BlameQuestion, LogColumns, Shape, blamed
from handlers.document_states import SMALL_BYTES, SMALL_ROWS, current_number, in_worker, load_until
from handlers.names import WorkspaceId
from handlers.parts import Parts
from handlers.registry import Context, NotFound, Operation, Permission, TooLarge
from storage import update_log
from storage.documents import Document

# The log is read in parts, so that a long one is not one long answer of the database.
ROWS_AT_ONCE = 10_000


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a document by one person.

    `path` is a JSON pointer: empty for a text, the place of the block for rich text, the key for maps and diagrams.
    `start` and `end` count Unicode code points in the text there. `number` and `at` say with which update it came, and
    are null with `author` where the log does not reach back. `relayed_by` is who brought it, if that was another.
    """

    path: str
    start: int
    end: int
    text: str
    author: str | None
    number: int | None
    at: datetime | None
    relayed_by: str | None


class Blame(msgspec.Struct, frozen=True, kw_only=True):
    """All of the document after the update `number`, in its order, by who wrote it."""

    number: int
    kind: Kind | None
    root: str | None
    spans: list[Stretch]


class GetBlame(msgspec.Struct, frozen=True, kw_only=True):
    """As it is now, or `at` a number, time or version.

    Neighbours by one person are one stretch, dated by the newest of it; with `grouped=false` each update is one.
    """

    workspace_id: WorkspaceId
    document_id: DocumentId
    at: Point | None = None
    grouped: bool = True


async def get_blame(context: Context, request: GetBlame) -> Blame:
    parts = context.parts
    document = await find(parts, request.workspace_id, request.document_id)
    if request.at is None:
        number = await current_number(parts, document)
    else:
        number = await resolve(parts, document, request.at, "at")
    try:
        shape, spans = await _blamed(parts, document, number, grouped=request.grouped)
    except (TooInvolvedError, EditError) as error:
        raise TooLarge(f"Who wrote what cannot be worked out: {error}.", code="too_involved") from None
    return Blame(
        number=number,
        kind=cast("Kind", shape.kind) if shape else None,
        root=shape.root if shape else None,
        spans=[Stretch(**span._asdict()) for span in spans],
    )


async def _blamed(parts: Parts, document: Document, number: int, *, grouped: bool) -> tuple[Shape | None, list[Span]]:
    # Later rows as well: they tell whose an editor's id is.
    log = await _whole_log(parts, document)
    first = log.numbers[0] if log.numbers else document.head + 1
    if number < first - 1:
        message = f"Who wrote what of {document.name!r} is not kept before the number {first}."
        raise NotFound(message, code="not_kept")
    snapshot = (await load_until(parts, document, first - 1)).snapshot if first > 1 else None
    arguments = (log, snapshot, BlameQuestion(number, document.kind, document.root, grouped))
    size = len(snapshot or b"") + sum(map(len, log.data))
    if len(log.numbers) <= SMALL_ROWS and size <= SMALL_BYTES:
        return blamed(*arguments)
    return await in_worker(parts, blamed, *arguments)


async def _whole_log(parts: Parts, document: Document) -> LogColumns:
    log = LogColumns.empty()
    while True:
        after = log.numbers[-1] if log.numbers else 0
        rows = await update_log.read(parts.database, document.id, after, ROWS_AT_ONCE)
        log.extend(rows)
        if len(rows) < ROWS_AT_ONCE:
            return log


OPERATIONS = (
    Operation(
        "collaboration.blame.get",
        GetBlame,
        Blame,
        get_blame,
        f"GET {ONE}/blame",
        Permission.READ,
        "Tell who wrote what of a document.",
        errors=(TooLarge,),
    ),
)
