"""What feeds no longer hold: events beyond an age or a count are deleted, the oldest first and a few at a time."""

from datetime import datetime

from sqlalchemy import and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.feeds import Feed
from storage.tables import feed_events, feeds, read_events


async def due(connection: AsyncConnection, *, before: datetime, keep: int, after: int = 0, limit: int) -> list[Feed]:
    """Feeds that hold more than `keep` events, or one from before that time, by row id; `after` is the last id seen."""
    oldest = and_(feed_events.c.feed_id == feeds.c.id, feed_events.c.offset == feeds.c.oldest)
    query = (
        select(feeds)
        .join(feed_events, oldest)
        .where(feeds.c.id > after, (feed_events.c.at < before) | (feeds.c.head - feeds.c.oldest >= keep))
        .order_by(feeds.c.id)
        .limit(limit)
    )
    return [Feed(*row) for row in await connection.execute(query)]


async def trim(connection: AsyncConnection, feed_id: int, *, before: datetime, keep: int, at_most: int) -> int:
    """Deletes up to so many events that are too old or too many: how many it were.

    The feed is locked, so that nobody appends or marks events as read meanwhile.
    """
    row = (await connection.execute(select(feeds).where(feeds.c.id == feed_id).with_for_update())).first()
    if row is None:
        return 0
    feed = Feed(*row)
    wanted = max(feed.head - keep + 1, await _first_young(connection, feed, before))
    oldest = min(wanted, feed.oldest + at_most)
    if oldest <= feed.oldest:
        return 0
    await connection.execute(update(feeds).where(feeds.c.id == feed_id).values(oldest=oldest))
    for table in (feed_events, read_events):
        await connection.execute(delete(table).where(table.c.feed_id == feed_id, table.c.offset < oldest))
    return oldest - feed.oldest


async def _first_young(connection: AsyncConnection, feed: Feed, before: datetime) -> int:
    """The offset of the first event that is not from before the time, or the next one that there will be."""
    query = (
        select(feed_events.c.offset)
        .where(feed_events.c.feed_id == feed.id, feed_events.c.at >= before)
        .order_by(feed_events.c.offset)
        .limit(1)
    )
    found: int | None = await connection.scalar(query)
    return feed.head + 1 if found is None else found
