"""Who edited a document when: sittings of one person, or every single update."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from crdt.room import HTTP, LIVE, RESTORE, SYNCED, SYSTEM
from handlers.collaboration.documents import ONE
from handlers.collaboration.naming import DocumentId, find
from handlers.names import WorkspaceId
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.registry import Context, Operation, Page, Permission
from storage import history
from storage.history import LogLine, Sitting, SittingRule

Way = Literal["live", "synced", "http", "restore", "system"]
WAYS: dict[int, Way] = {LIVE: "live", SYNCED: "synced", HTTP: "http", RESTORE: "restore", SYSTEM: "system"}

# Whoever pauses longer began anew. A reconnect in between is the same sitting.
SITTINGS = SittingRule(gap=timedelta(minutes=5), alike=frozenset({LIVE, SYNCED}))


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one person did in one sitting: the updates from `first_number` to `last_number`.

    `way` is how they came: `live` from an editor, `synced` from an editor that had been offline, `http`, `restore` of a
    version, or `system`. `size_bytes` is given for single updates.
    """

    first_number: int
    last_number: int
    author: str
    way: Way
    started_at: datetime
    ended_at: datetime
    size_bytes: int | None = None


class ListHistory(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first.

    Consecutive updates of one person are one entry unless they paused for more than five minutes or came another way;
    with `grouped=false` every update is one.
    """

    workspace_id: WorkspaceId
    document_id: DocumentId
    grouped: bool = True
    cursor: Cursor | None = None
    limit: Limit = 50


async def list_history(context: Context, request: ListHistory) -> Page[Change]:
    document = await find(context.parts, request.workspace_id, request.document_id)
    before = decode_cursor("history", request.cursor, int)
    limit = request.limit + 1
    async with context.parts.database.read() as connection:
        if request.grouped:
            sittings = await history.sittings(connection, document.id, SITTINGS, before=before, limit=limit)
            return page_of(
                sittings, request.limit, "history", key=lambda sitting: sitting.first_number, item=_shown_sitting
            )
        lines = await history.lines(connection, document.id, before=before, limit=limit)
    return page_of(lines, request.limit, "history", key=lambda line: line.number, item=_shown_line)


def _shown_sitting(sitting: Sitting) -> Change:
    return Change(
        first_number=sitting.first_number,
        last_number=sitting.last_number,
        author=sitting.author,
        way=WAYS[sitting.origin],
        started_at=sitting.started_at,
        ended_at=sitting.ended_at,
    )


def _shown_line(line: LogLine) -> Change:
    return Change(
        first_number=line.number,
        last_number=line.number,
        author=line.author,
        way=WAYS[line.origin],
        started_at=line.created_at,
        ended_at=line.created_at,
        size_bytes=line.size,
    )


OPERATIONS = (
    Operation(
        "collaboration.history.list",
        ListHistory,
        Page[Change],
        list_history,
        f"GET {ONE}/history",
        Permission.READ,
        "List who edited a document when.",
    ),
)
