"""What watchers have not been given yet, out of the database: for one that is behind, or for all of a feed at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from handlers.feed_channel import FeedChannel, State, Watch
from handlers.feed_events import Batch, Position, batch_of
from storage import feeds
from storage.database import Database
from storage.feeds import Event, Feed

HEADS_AT_ONCE = 500
# With the largest events some MB, which is what one watcher may make us hold for a moment.
EVENTS_AT_ONCE = 100
# A thousand watchers that come back at once share the database's connections with requests.
READS_AT_ONCE = 4


class FeedReading:
    """Brings channels and watches on. Whatever is read is compared with what the channel knows."""

    def __init__(self, database: Database, on_news: Callable[[FeedChannel], None]) -> None:
        """`on_news` is called with a channel whose feed turned out to have more events than it knew of."""
        self._database = database
        self._on_news = on_news
        self._turns = asyncio.Semaphore(READS_AT_ONCE)
        # How many times events were read.
        self.reads = 0

    async def current(self, channel: FeedChannel) -> Feed | None:
        """The feed as it is now, and the channel in line with it. Raises StorageError."""
        while True:
            before = channel.position
            async with self._turns, self._database.read() as connection:
                feed = await feeds.get(connection, channel.name)
            if channel.meet(feed, before):
                self._note_news(channel, feed)
                return feed

    async def look(self, channels: Sequence[FeedChannel]) -> list[FeedChannel]:
        """Compares channels with their feeds and brings them on; those that have to be looked at again."""
        before = [channel.position for channel in channels]
        async with self._database.read() as connection:
            found = await feeds.get_many(connection, [channel.name for channel in channels])
        unclear = []
        for channel, position in zip(channels, before, strict=True):
            if not await self._compare(channel, found.get(channel.name), position):
                unclear.append(channel)
        return unclear

    async def _compare(self, channel: FeedChannel, feed: Feed | None, before: Position | None) -> bool:
        if not channel.meet(feed, before):
            return False
        while feed is not None and feed.head > channel.head:
            if not channel.has_live_watches:
                channel.skip_to(feed)
                return True
            feed = await self._bring_channel_on(channel)
        return True

    async def _bring_channel_on(self, channel: FeedChannel) -> Feed | None:
        """The next events, for everybody who is live."""
        after = channel.head
        feed, events = await self._read(channel, after)
        if batch := _next(feed, events, after):
            channel.advance(batch)
        elif feed is not None and feed.head > channel.head:
            channel.lose(feed, State.LIVE)
        return feed

    async def bring_on(self, watch: Watch) -> None:
        """The events that the watch has missed, as long as its watcher takes them. Raises StorageError."""
        try:
            while not (watch.is_over or watch.has_everything or watch.watcher.is_congested):
                await self._give_next(watch)
        finally:
            watch.settle()

    async def _give_next(self, watch: Watch) -> None:
        channel = watch.channel
        async with self._turns:
            feed, events = await self._read(channel, watch.offset)
        if watch.is_over:
            return
        if batch := _next(feed, events, watch.offset):
            watch.give(batch)
            self._note_news(channel, feed)
        else:
            channel.resync(watch, feed, Position(feed.epoch if feed else "", watch.offset))

    def _note_news(self, channel: FeedChannel, feed: Feed | None) -> None:
        if feed is not None and feed.head > channel.head:
            self._on_news(channel)

    async def _read(self, channel: FeedChannel, after: int) -> tuple[Feed | None, list[Event]]:
        """Events and the feed that they are of, in one moment; the channel is in line with it."""
        while True:
            before = channel.position
            async with self._database.read() as connection:
                feed = await feeds.get(connection, channel.name)
                events = await feeds.read(connection, feed.id, after=after, limit=EVENTS_AT_ONCE) if feed else []
            self.reads += 1
            if channel.meet(feed, before):
                return feed, events


def _next(feed: Feed | None, events: list[Event], offset: int) -> Batch | None:
    """The events, if they are those right behind the offset."""
    if feed is None or not events or events[0].offset != offset + 1:
        return None
    return batch_of(feed.epoch, events)
