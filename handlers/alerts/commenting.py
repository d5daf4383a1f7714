"""What people say of an alert."""

from __future__ import annotations

import msgspec

from handlers import alert_transitions as transitions
from handlers.alerts.standing import ONE, Text, require_alert
from handlers.audit_trail import record
from handlers.names import RowId
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.registry import Context, Forbidden, Instant, Operation, Page, Permission, Watched
from storage import alert_history


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    at: Instant
    author: str
    text: str


class ListComments(msgspec.Struct, frozen=True, kw_only=True):
    """The oldest first."""

    alert_id: RowId
    cursor: Cursor | None = None
    limit: Limit = 50


class AddComment(msgspec.Struct, frozen=True, kw_only=True):
    """Also on what is resolved already."""

    alert_id: RowId
    text: Text


async def list_comments(context: Context, request: ListComments) -> Page[Comment]:
    alert = await require_alert(context, request.alert_id, Permission.READ)
    after = decode_cursor("alerts.comments", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await alert_history.of_alert(
            connection, alert.id, kind=transitions.COMMENTED, after=after, limit=request.limit + 1
        )
    return page_of(
        rows,
        request.limit,
        "alerts.comments",
        key=lambda row: row.id,
        item=lambda row: Comment(at=row.at, author=row.actor or "", text=row.note or ""),
    )


async def add_comment(context: Context, request: AddComment) -> Comment:
    alert = await require_alert(context, request.alert_id, Permission.WRITE)
    now, author = context.now(), context.user.user_id
    async with context.parts.feeds.writing() as (connection, outbox):
        await transitions.comment(connection, outbox, alert.id, request.text, at=now, actor=author)
        await record(connection, context, "alerts.comments.add", str(alert.id), {"text": request.text})
    return Comment(at=now, author=author, text=request.text)


OPERATIONS = (
    Operation(
        "alerts.comments.list",
        ListComments,
        Page[Comment],
        list_comments,
        f"GET {ONE}/comments",
        Permission.SIGNED_IN,
        "List what was said of an alert.",
        errors=(Forbidden,),
        watched=Watched(frozenset({"alerts"}), is_personal=True),
    ),
    Operation(
        "alerts.comments.add",
        AddComment,
        Comment,
        add_comment,
        f"POST {ONE}/comments",
        Permission.SIGNED_IN,
        "Say something of an alert.",
        status=201,
        errors=(Forbidden,),
    ),
)
