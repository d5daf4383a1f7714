"""Everybody's own inbox: what concerns one user, and what of it is new to them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from handlers.feed_events import FeedEvent, Position
from handlers.feed_names import inbox_of
from handlers.feeds.reading import read_back
from handlers.paging import Cursor, Limit
from handlers.registry import Conflict, Context, InvalidRequest, Operation, Permission
from storage import feeds, read_events

PATH = "/notifications"
MAX_MARKED = 1_000

Offset = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class Notification(FeedEvent, frozen=True, kw_only=True):
    """An event of the caller's inbox."""

    unread: bool


class Inbox(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the caller's inbox. `unread` counts all that is new; watch from `position` for what comes next."""

    items: list[Notification]
    next_cursor: str | None
    position: Position
    unread: int


class GetNotifications(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first. As server-sent events: `GET /notifications/stream`."""

    cursor: Cursor | None = None
    limit: Limit = 50


class MarkRead(msgspec.Struct, frozen=True, kw_only=True):
    """Everything up to an offset, or single ones, or both."""

    up_to: Offset | None = None
    offsets: Annotated[list[Offset], Meta(max_length=MAX_MARKED)] = []


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """How many notifications are still new."""

    unread: int


async def get_notifications(context: Context, request: GetNotifications) -> Inbox:
    async with context.parts.database.read() as connection:
        feed = await feeds.get(connection, inbox_of(context.user.user_id))
        page = await read_back(connection, feed, request.cursor, request.limit)
        read, unread = set[int](), 0
        if feed is not None:
            read = await read_events.read_among(connection, feed.id, [event.offset for event in page.items])
            unread = await read_events.count_unread(connection, feed)
    items = [_shown(event, unread=event.offset not in read) for event in page.items]
    return Inbox(items=items, next_cursor=page.next_cursor, position=page.position, unread=unread)


async def mark_read(context: Context, request: MarkRead) -> Unread:
    if request.up_to is None and not request.offsets:
        raise InvalidRequest("Say what was read: `up_to` an offset, or its `offsets`.", details={"parameter": "up_to"})
    name = inbox_of(context.user.user_id)
    async with context.parts.database.write() as connection:
        feed = await read_events.mark(
            connection, name, up_to=request.up_to or 0, offsets=request.offsets, at=context.now()
        )
        unread = await read_events.count_unread(connection, feed) if feed else 0
    return Unread(unread=unread)


def _shown(event: FeedEvent, *, unread: bool) -> Notification:
    return Notification(**msgspec.structs.asdict(event), unread=unread)


OPERATIONS = (
    Operation(
        "notifications.get",
        GetNotifications,
        Inbox,
        get_notifications,
        f"GET {PATH}",
        Permission.SIGNED_IN,
        "Read the caller's notifications.",
        errors=(Conflict,),
    ),
    Operation(
        "notifications.mark_read",
        MarkRead,
        Unread,
        mark_read,
        f"POST {PATH}/read",
        Permission.SIGNED_IN,
        "Mark notifications as read.",
        # What somebody has looked at is nobody else's business.
        audited=False,
        changes=True,
    ),
)
