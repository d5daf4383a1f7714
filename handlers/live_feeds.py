"""Feeds on one node: events are published with the transaction that causes them, and watched live.

After the commit the node's own watchers and the bus are told. Both are only a word: whoever watches takes an event if
it is the very next one, and otherwise reads what comes next from the database. A word that is lost is made up for by a
look at the heads of all watched feeds, now and then and whenever the bus comes back. Nodes get it back one after the
other: whoever is late says again what the others could not hear.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.access import Access, Change
from handlers.feed_channel import FeedChannel, State, Watch, Watcher
from handlers.feed_events import Batch, Position, bare_hint_of, hint_of, holds_all_after, position_of, read_hint
from handlers.feed_reading import HEADS_AT_ONCE, FeedReading
from handlers.feed_standing import Watches, has_ended, key_in_doubt, refusal, show_key_again, token_expired
from handlers.outbox import Outbox
from handlers.registry import OperationError, Principal, Unavailable
from storage.bus.channels import Bus
from storage.database import Database
from storage.errors import StorageError

logger = logging.getLogger(__name__)

# Watches whose token has ended, or that could not be brought on, are looked for this often.
TICK_SECONDS = 1.0
# A node that died between its commit and its word about it is noticed by this look at the heads.
LOOK_SECONDS = 5.0
# Without a bus this look is all that tells of other nodes.
LOOK_SECONDS_WITHOUT_BUS = 1.0
# Of more feeds than this the others learn by their own look.
MOST_UNSAID = 1_000


class Ear:
    """What hears of one feed on the bus."""

    __slots__ = ("_channel", "_live")

    def __init__(self, live: LiveFeeds, channel: FeedChannel) -> None:
        self._live = live
        self._channel = channel

    def received(self, message: bytes) -> None:
        self._live.hear(self._channel, message)

    def resumed(self) -> None:
        self._live.look_now(self._channel)


def bus_channel_of(name: str) -> str:
    return f"feed:{name}"


class LiveFeeds:
    """All feeds, as this node publishes and watches them. `run` has to run for as long as anybody watches."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        access: Access,
        now: Callable[[], datetime],
        *,
        look_seconds: float = LOOK_SECONDS,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        self._database = database
        self._bus = bus
        self._access = access
        self._now = now
        self._look_seconds = look_seconds
        self._tick_seconds = tick_seconds
        self._channels: dict[str, tuple[FeedChannel, Ear]] = {}
        self._watches: Watches[Watch] = Watches()
        self._listeners: list[Callable[[str, Batch], None]] = []
        self._behind: dict[str, FeedChannel] = {}
        # How far the feeds went to which something came while there was no bus to say so, the latest last.
        self._unsaid: dict[str, Position] = {}
        self._wake = asyncio.Event()
        self._looked_at = self._tended_at = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()
        self.reading = FeedReading(database, self.look_now)
        bus.on_state_change(self._bus_changed)
        access.on_change(self._standing_changed)

    # Publishing

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[tuple[AsyncConnection, Outbox]]:
        """A transaction as `Database.write` has it, and the outbox for the events that it causes."""
        outbox = Outbox()
        async with self._database.write() as connection:
            yield connection, outbox
            batches = await outbox.append_to(connection, self._now())
        for name, batch in batches.items():
            self.committed(name, batch)

    def committed(self, name: str, batch: Batch) -> None:
        """These events are in the database now: tell whoever watches the feed."""
        if (known := self._channels.get(name)) is not None:
            self._hear(known[0], batch.epoch, batch.last, batch)
        if not self._bus.is_connected:
            self._keep_unsaid(name, Position(batch.epoch, batch.last))
        self._bus.publish(bus_channel_of(name), hint_of(batch))
        for listener in self._listeners:
            listener(name, batch)

    def on_committed(self, listener: Callable[[str, Batch], None]) -> None:
        """Calls `listener` with the name of a feed and what this node has stored in it. It must not block or raise."""
        self._listeners.append(listener)

    def _keep_unsaid(self, name: str, position: Position) -> None:
        self._unsaid.pop(name, None)
        self._unsaid[name] = position
        if len(self._unsaid) > MOST_UNSAID:
            del self._unsaid[next(iter(self._unsaid))]

    def _bus_changed(self, is_connected: bool) -> None:
        self._wake.set()
        if is_connected:
            unsaid, self._unsaid = self._unsaid, {}
            for name, position in unsaid.items():
                self._bus.publish(bus_channel_of(name), bare_hint_of(position))

    # Hearing

    def hear(self, channel: FeedChannel, message: bytes) -> None:
        """A node's word about a feed; one that makes no sense is of another version, and is left to the database."""
        try:
            hint = read_hint(message)
        except msgspec.MsgspecError:
            logger.exception("a message about the feed %s could not be read", channel.name)
            self.look_now(channel)
        else:
            self._hear(channel, hint.epoch, hint.head, Batch(hint.epoch, hint.events) if hint.events else None)

    def _hear(self, channel: FeedChannel, epoch: str, head: int, batch: Batch | None) -> None:
        if not channel.hear(epoch, head, batch):
            self.look_now(channel)

    def look_now(self, channel: FeedChannel) -> None:
        """Compare the channel with the database as soon as possible."""
        if channel.watches:
            self._behind[channel.name] = channel
            self._wake.set()

    # Watching

    def watch(
        self, name: str, watcher: Watcher, principal: Principal, workspace_id: str | None, since: Position | None
    ) -> Watch:
        """Begin to watch a feed by its whole name. The watcher is told what comes of it, also where it is refused.

        Without `since` the watch begins with the next event. `workspace_id` is None for the principal's own inbox.
        """
        watch = Watch(self._channel(name), watcher, principal, workspace_id)
        watch.channel.watches.add(watch)
        self._watches.add(watch)
        self._spawn(self._start(watch, since))
        return watch

    def resume(self, watch: Watch) -> None:
        """The watcher takes events again."""
        if watch.state is State.LAGGING and not watch.watcher.is_congested:
            watch.state = State.BEHIND
            self._spawn(self._bring_on(watch))

    def close(self, watch: Watch) -> None:
        """The watcher wants no more, and is told nothing more."""
        watch.channel.end(watch)

    async def _start(self, watch: Watch, since: Position | None) -> None:
        error, feed = await refusal(self._access, watch, self._now()), None
        if error is None:
            try:
                feed = await self.reading.current(watch.channel)
            except StorageError:
                error = Unavailable("The database cannot be used at this moment; watch again.")
        if watch.is_over:
            return
        if error is not None:
            self._end(watch, error)
        elif since is not None and not holds_all_after(feed, since):
            watch.channel.resync(watch, feed, since)
        else:
            here = position_of(feed)
            watch.begin(Position(here.epoch, since.offset) if since else here, recovered=since is not None)
            await self._bring_on(watch)

    async def _bring_on(self, watch: Watch) -> None:
        try:
            await self.reading.bring_on(watch)
        except StorageError as error:
            logger.warning("events of %s cannot be read, trying again: %s", watch.channel.name, error)

    def _channel(self, name: str) -> FeedChannel:
        known = self._channels.get(name)
        if known is not None:
            return known[0]
        channel = FeedChannel(name, self._ended)
        ear = Ear(self, channel)
        self._channels[name] = channel, ear
        self._bus.subscribe(bus_channel_of(name), ear)
        return channel

    def _ended(self, watch: Watch) -> None:
        """Forget a watch, and its channel with the last one."""
        channel = watch.channel
        self._watches.discard(watch)
        if not channel.watches:
            _, ear = self._channels.pop(channel.name)
            self._behind.pop(channel.name, None)
            self._bus.unsubscribe(bus_channel_of(channel.name), ear)

    def _end(self, watch: Watch, error: OperationError) -> None:
        watch.channel.end(watch)
        watch.watcher.ended(error)

    # Standing

    def _standing_changed(self, change: Change) -> None:
        for watch in self._watches.concerned(change):
            if key_in_doubt(watch, change):
                self._end(watch, show_key_again())
            else:
                self._spawn(self._reconsider(watch))

    async def _reconsider(self, watch: Watch) -> None:
        error = await refusal(self._access, watch, self._now())
        if error is not None and not watch.is_over:
            self._end(watch, error)

    # What nobody said, or nobody heard

    async def run(self) -> None:
        """Look at the database where something may be missing, and at all feeds now and then, until cancelled."""
        try:
            while True:
                await self._until_next_turn()
                try:
                    self._tend_if_due()
                    await self._look()
                except StorageError as error:
                    logger.warning("feeds cannot be looked at, trying again: %s", error)
                    await asyncio.sleep(self._tick_seconds)
                except Exception:
                    logger.exception("looking at feeds failed; trying again")
                    await asyncio.sleep(self._tick_seconds)
        finally:
            for task in self._tasks:
                task.cancel()

    async def _until_next_turn(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._tended_at + self._tick_seconds - time.monotonic())):
                await self._wake.wait()

    def _tend_if_due(self) -> None:
        now = time.monotonic()
        if now >= self._tended_at + self._tick_seconds:
            self._tended_at = now
            self._tend()
        pause = self._look_seconds if self._bus.is_connected else min(self._look_seconds, LOOK_SECONDS_WITHOUT_BUS)
        if now >= self._looked_at + pause:
            self._looked_at = now
            self._behind.update((name, channel) for name, (channel, _) in self._channels.items())

    def _tend(self) -> None:
        """End the watches whose credential has ended, and go on with those that somebody has to go on with."""
        now = self._now()
        for watch in self._watches.all():
            if has_ended(watch, now):
                self._end(watch, token_expired())
            else:
                self.resume(watch)

    async def _look(self) -> None:
        """Compare with the database whatever may be behind it now."""
        self._wake.clear()
        waiting, self._behind = self._behind, {}
        while waiting:
            # From here on, what is said of them is a reason to look once more.
            channels = [waiting.pop(name) for name in list(waiting)[:HEADS_AT_ONCE]]
            try:
                unclear = await self.reading.look(channels)
            except BaseException:
                for channel in (*channels, *waiting.values()):
                    self.look_now(channel)
                raise
            for channel in unclear:
                self.look_now(channel)

    # Tasks

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a watch failed", exc_info=error)
