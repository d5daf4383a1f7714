"""Which events of an inbox its owner has read."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.feeds import Feed
from storage.tables import feed_events, feeds, read_events
from storage.upsert import insert


async def mark(
    connection: AsyncConnection,
    name: str,
    *,
    up_to: int = 0,
    offsets: Sequence[int] = (),
    at: datetime,
) -> Feed | None:
    """Marks the events up to an offset, and those with these offsets, as read; the feed, None if there is none.

    Offsets of events that are not there, or no longer, change nothing.
    """
    # Locked, so that no event is deleted between being found and being marked.
    row = (await connection.execute(select(feeds).where(feeds.c.name == name).with_for_update())).first()
    if row is None:
        return None
    feed = Feed(*row)
    wanted = or_(feed_events.c.offset.in_(offsets), feed_events.c.offset <= up_to)
    found = select(feed_events.c.feed_id, feed_events.c.offset, literal(at, read_events.c.at.type)).where(
        feed_events.c.feed_id == feed.id, wanted
    )
    columns = ["feed_id", "offset", "at"]
    await connection.execute(insert(connection, read_events).from_select(columns, found).on_conflict_do_nothing())
    return feed


async def read_among(connection: AsyncConnection, feed_id: int, offsets: Sequence[int]) -> set[int]:
    """Those of the offsets that are marked as read."""
    query = select(read_events.c.offset).where(read_events.c.feed_id == feed_id, read_events.c.offset.in_(offsets))
    return set((await connection.execute(query)).scalars())


async def count_unread(connection: AsyncConnection, feed: Feed) -> int:
    """How many of the feed's events are not marked as read."""
    query = select(func.count()).select_from(read_events).where(read_events.c.feed_id == feed.id)
    return feed.head - feed.oldest + 1 - (await connection.execute(query)).scalar_one()
