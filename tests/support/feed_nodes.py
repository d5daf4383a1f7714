"""The feeds of several nodes over one database and lossy buses, and watchers that keep what they get."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lossy_bus import LossyBus

from handlers.access import Access, Role
from handlers.feed_channel import Watch
from handlers.feed_events import Batch, FeedEvent, Position
from handlers.live_feeds import LiveFeeds
from handlers.registry import OperationError, Principal
from storage import feeds, members, users, workspaces
from storage.bus.channels import Bus
from storage.bus.memory_bus import Hub
from storage.database import Database
from storage.feeds import Feed

DEADLINE = 10.0
LAB = "lab"
# Short, so that what nobody said is noticed within a test; long against a turn of the loop.
LOOK_SECONDS = 0.05


class Panel:
    """A watcher that keeps what it is given. `is_congested` is the test's to set."""

    def __init__(self) -> None:
        self.is_congested = False
        self.position: Position | None = None
        self.recovered: bool | None = None
        self.events: list[FeedEvent] = []
        self.resynced: Position | None = None
        self.error: OperationError | None = None
        self._news = asyncio.Event()

    def started(self, position: Position, *, recovered: bool) -> None:
        assert self.position is None
        self.position, self.recovered = position, recovered
        self._news.set()

    def take(self, batch: Batch) -> None:
        assert self.position is not None
        assert not self.is_over
        self.events += batch.events
        self.position = Position(batch.epoch, batch.last)
        self._news.set()

    def resync(self, position: Position, reason: str) -> None:
        assert reason.endswith(".")
        self.resynced = position
        self._news.set()

    def ended(self, error: OperationError) -> None:
        self.error = error
        self._news.set()

    @property
    def is_over(self) -> bool:
        return self.resynced is not None or self.error is not None

    @property
    def offsets(self) -> list[int]:
        return [event.offset for event in self.events]

    async def until(self, condition: Callable[[Panel], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition(self):
                self._news.clear()
                await self._news.wait()

    async def until_offset(self, offset: int) -> None:
        await self.until(lambda panel: panel.position is not None and panel.position.offset >= offset)


@dataclass
class FeedNode:
    """A node: what it publishes and who watches there."""

    live: LiveFeeds
    access: Access
    bus: Bus
    running: asyncio.Task[None] | None

    async def publish(self, feed: str, *types: str, fails: bool = False) -> None:
        async with self.live.writing() as (_, outbox):
            for type_ in types:
                outbox.add(feed, type_, {"type": type_}, actor="ann")
            if fails:
                raise ZeroDivisionError

    def watch(
        self, feed: str, since: Position | None = None, *, user: str = "ann", panel: Panel | None = None
    ) -> tuple[Panel, Watch]:
        panel = panel or Panel()
        workspace_id = None if feed.startswith("@") else feed.partition("/")[0]
        return panel, self.live.watch(feed, panel, principal_of(user), workspace_id, since)

    async def watching(self, feed: str, since: Position | None = None, *, user: str = "ann") -> tuple[Panel, Watch]:
        panel, watch = self.watch(feed, since, user=user)
        await panel.until(lambda panel: panel.position is not None or panel.is_over)
        return panel, watch

    @property
    def line(self) -> LossyBus:
        """The bus, where it is one that can be told to lose."""
        assert isinstance(self.bus, LossyBus)
        return self.bus


def principal_of(user: str, *, via: str = "token", expires_at: datetime | None = None) -> Principal:
    return Principal(user, False, via, expires_at)


@dataclass
class Nodes:
    database: Database
    random: random.Random
    hub: Hub = field(default_factory=Hub)
    all: list[FeedNode] = field(default_factory=list)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def start(
        self,
        *,
        share: float = 0.0,
        bus: Bus | None = None,
        look_seconds: float = LOOK_SECONDS,
        tick_seconds: float = LOOK_SECONDS,
        runs: bool = True,
    ) -> FeedNode:
        """A node over that bus, or over one that loses this share of what the node says."""
        bus = bus or LossyBus(f"node-{len(self.all)}", self.hub, self.random, share)
        access = Access(self.database)
        live = LiveFeeds(
            self.database, bus, access, lambda: self.now, look_seconds=look_seconds, tick_seconds=tick_seconds
        )
        running = asyncio.create_task(live.run()) if runs else None
        self.all.append(FeedNode(live, access, bus, running))
        return self.all[-1]

    async def feed(self, name: str) -> Feed | None:
        async with self.database.read() as connection:
            return await feeds.get(connection, name)

    async def enlist(self, user: str, role: Role = Role.EDITOR) -> None:
        async with self.database.write() as connection:
            await users.ensure(connection, user, at=self.now)
            await members.put(connection, LAB, user, role, added_by="admin", at=self.now)

    async def dismiss(self, user: str) -> None:
        async with self.database.write() as connection:
            await members.remove(connection, LAB, user)


@asynccontextmanager
async def feed_nodes(url: str, seed: int = 0) -> AsyncIterator[Nodes]:
    """Nodes over the database; `ann` is an editor of `lab`."""
    database = await Database.open(url)
    nodes = Nodes(database, random.Random(seed))
    try:
        async with database.write() as connection:
            await workspaces.ensure(connection, LAB, created_by="admin", at=nodes.now)
        await nodes.enlist("ann")
        yield nodes
    finally:
        running = [node.running for node in nodes.all if node.running is not None]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        await database.close()
