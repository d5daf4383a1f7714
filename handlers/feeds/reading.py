"""Which feeds a workspace has, and what is in them, page by page."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.feed_events import FeedEvent, Position, holds_all_after, parse_position, position_of, shown, why_not
from handlers.feed_names import FeedName, feed_of, names_in, short
from handlers.names import WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, encode_cursor, page_of
from handlers.registry import Conflict, Context, Instant, Operation, Page, Permission
from storage import feeds

PATH = "/feeds/{workspace_id}"
ONE = PATH + "/{feed}"

PositionText = Annotated[
    str, Meta(max_length=100, description="A position as `epoch:offset`, such as an answer's `position`.")
]
_Offset = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed: watch it from `position` for what comes next. It holds the events from `oldest` on."""

    name: str
    position: Position
    oldest: int
    created_at: Instant


class ListFeeds(msgspec.Struct, frozen=True, kw_only=True):
    """By name. A feed is there once something was published to it."""

    workspace_id: WorkspaceId
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class ReadFeed(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first; with `after` those behind a position, the oldest first.

    Watch from `position` for what comes next, over `/ws` or as server-sent events at `…/stream`. Where the feed cannot
    give everything behind `after`, the answer is 409 `resync_required` with the position to go on from.
    """

    workspace_id: WorkspaceId
    feed: FeedName
    after: PositionText | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class FeedPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a feed. `next_cursor` asks for the next page; null on the last.

    `position` is with `after` that of the page's last event, else where the feed was when the first page was read.
    """

    items: list[FeedEvent]
    next_cursor: str | None
    position: Position


async def list_feeds(context: Context, request: ListFeeds) -> Page[Feed]:
    first, beyond = names_in(request.workspace_id)
    after = decode_cursor("feeds", request.cursor, str)
    async with context.parts.database.read() as connection:
        rows = await feeds.list_of(connection, first=first, beyond=beyond, after=after, limit=request.limit + 1)
    return page_of(rows, request.limit, "feeds", key=lambda row: row.name, item=_shown_feed)


async def read_feed(context: Context, request: ReadFeed) -> FeedPage:
    async with context.parts.database.read() as connection:
        feed = await feeds.get(connection, feed_of(request.workspace_id, request.feed))
        if request.after is not None:
            after = _cursor_on(request.cursor) or parse_position(request.after, "after")
            return await _read_on(connection, feed, after, request.limit)
        return await read_back(connection, feed, request.cursor, request.limit)


def _cursor_on(cursor: str | None) -> Position | None:
    key = decode_cursor("feed_on", cursor, tuple[str, _Offset])
    return Position(*key) if key is not None else None


async def _read_on(connection: AsyncConnection, feed: feeds.Feed | None, after: Position, limit: int) -> FeedPage:
    """A page of what is behind a position, the oldest events first."""
    if not holds_all_after(feed, after):
        raise resync_required(feed, after)
    rows = await feeds.read(connection, feed.id, after=after.offset, limit=limit) if feed else []
    offset = rows[-1].offset if rows else after.offset
    here = Position(feed.epoch if feed else "", offset)
    follows = feed is not None and offset < feed.head
    next_cursor = encode_cursor("feed_on", (here.epoch, here.offset)) if follows else None
    return FeedPage(items=[shown(row) for row in rows], next_cursor=next_cursor, position=here)


async def read_back(connection: AsyncConnection, feed: feeds.Feed | None, cursor: str | None, limit: int) -> FeedPage:
    """A page of a feed, the newest events first. Raises Conflict if the feed is not the one the cursor is of."""
    here, before = _place_back(feed, cursor)
    if here.epoch != position_of(feed).epoch:
        raise resync_required(feed, here)
    rows = await feeds.read_back(connection, feed.id, before=before, limit=limit) if feed else []
    follows = feed is not None and bool(rows) and rows[-1].offset > feed.oldest
    next_cursor = encode_cursor("feed", (here.epoch, here.offset, rows[-1].offset)) if follows else None
    return FeedPage(items=[shown(row) for row in rows], next_cursor=next_cursor, position=here)


def _place_back(feed: feeds.Feed | None, cursor: str | None) -> tuple[Position, int | None]:
    """The position that the first page told, and the offset of the last event that was given."""
    key = decode_cursor("feed", cursor, tuple[str, _Offset, _Offset])
    return (Position(key[0], key[1]), key[2]) if key is not None else (position_of(feed), None)


def resync_required(feed: feeds.Feed | None, asked: Position) -> Conflict:
    """The feed cannot go on from where the client is."""
    details = {"position": msgspec.to_builtins(position_of(feed))}
    return Conflict(f"{why_not(feed, asked)} Read the feed anew.", code="resync_required", details=details)


def _shown_feed(row: feeds.Feed) -> Feed:
    return Feed(name=short(row.name), position=position_of(row), oldest=row.oldest, created_at=row.created_at)


OPERATIONS = (
    Operation(
        "feeds.list",
        ListFeeds,
        Page[Feed],
        list_feeds,
        f"GET {PATH}",
        Permission.READ,
        "List a workspace's feeds.",
    ),
    Operation(
        "feeds.read",
        ReadFeed,
        FeedPage,
        read_feed,
        f"GET {ONE}",
        Permission.READ,
        "Read a feed.",
        errors=(Conflict,),
    ),
)
