"""At random: publish, fail, lose words, stall, leave, come back. Every watcher gets every event once and in order."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest
from feed_nodes import LAB, FeedNode, Nodes, Panel, feed_nodes

from handlers.feed_channel import Watch
from handlers.feed_events import Position

FEEDS = (f"{LAB}/builds", f"{LAB}/deploys")
STEPS = 120
DEADLINE = 60.0


@dataclass
class Visitor:
    """Somebody who watches one feed, on one node after another, from where it was."""

    feed: str
    position: Position | None = None
    seen: list[tuple[int, str]] = field(default_factory=list)
    here: tuple[FeedNode, Panel, Watch] | None = None

    def come(self, node: FeedNode) -> None:
        if self.here is None:
            panel, watch = node.watch(self.feed, self.position)
            self.here = node, panel, watch

    def leave(self) -> None:
        if self.here is not None:
            node, panel, watch = self.here
            node.live.close(watch)
            self.here = None
            assert not panel.is_over, panel.error or panel.resynced
            self.position = panel.position or self.position
            self.seen += [(event.offset, event.type) for event in panel.events]

    def stall(self, stalls: bool) -> None:
        if self.here is not None:
            node, panel, watch = self.here
            panel.is_congested = stalls
            node.live.resume(watch)


@dataclass
class Play:
    """The nodes, the visitors, and what was published: for each feed the types in the order of their offsets."""

    nodes: Nodes
    visitors: list[Visitor]
    published: int = 0

    @property
    def chance(self) -> random.Random:
        return self.nodes.random

    async def publish(self) -> None:
        feeds = self.chance.sample(FEEDS, self.chance.randint(1, 2))
        self.published += 1
        async with self.chance.choice(self.nodes.all).live.writing() as (_, outbox):
            for feed in feeds:
                for number in range(self.chance.randint(1, 3)):
                    outbox.add(feed, f"{self.published}.{number}", {})

    async def publish_in_vain(self) -> None:
        with pytest.raises(ZeroDivisionError):
            await self.chance.choice(self.nodes.all).publish(FEEDS[0], "lost", fails=True)

    async def publish_side_by_side(self) -> None:
        await asyncio.gather(*(self.publish() for _ in range(4)))

    async def come(self) -> None:
        self.chance.choice(self.visitors).come(self.chance.choice(self.nodes.all))

    async def leave(self) -> None:
        self.chance.choice(self.visitors).leave()

    async def stall(self) -> None:
        self.chance.choice(self.visitors).stall(self.chance.random() < 0.5)

    async def cut_off(self) -> None:
        self.chance.choice(self.nodes.all).line.cut_off()

    async def connect_again(self) -> None:
        self.chance.choice(self.nodes.all).line.connect_again()

    async def pause(self) -> None:
        for _ in range(self.chance.randint(1, 20)):
            await asyncio.sleep(0)

    async def step(self) -> None:
        often = [self.publish] * 5 + [self.come] * 4 + [self.pause] * 3 + [self.stall] * 2
        seldom = [self.publish_in_vain, self.publish_side_by_side, self.leave, self.cut_off, self.connect_again]
        await self.chance.choice(often + seldom)()

    async def settle(self) -> None:
        """Everybody is there, takes what there is, and gets it."""
        for visitor in self.visitors:
            visitor.come(self.chance.choice(self.nodes.all))
            visitor.stall(False)
        for visitor in self.visitors:
            feed = await self.nodes.feed(visitor.feed)
            assert visitor.here is not None
            await visitor.here[1].until_offset(feed.head if feed else 0)


async def play(url: str, seed: int) -> None:
    async with asyncio.timeout(DEADLINE), feed_nodes(url, seed) as nodes:
        share = nodes.random.choice((0.0, 0.3, 1.0))
        for _ in range(3):
            nodes.start(share=share)
        play = Play(nodes, [Visitor(nodes.random.choice(FEEDS)) for _ in range(8)])
        for visitor in play.visitors:
            visitor.come(nodes.random.choice(nodes.all))
            assert visitor.here is not None
            await visitor.here[1].until(lambda panel: panel.position is not None)
        for _ in range(STEPS):
            await play.step()
        await play.settle()
        await check(play)


async def check(play: Play) -> None:
    for feed in FEEDS:
        visitors = [visitor for visitor in play.visitors if visitor.feed == feed]
        for visitor in visitors:
            visitor.leave()
        row = await play.nodes.feed(feed)
        # All were there before the first event.
        offsets = list(range(1, row.head + 1)) if row else []
        assert [[offset for offset, _ in visitor.seen] for visitor in visitors] == [offsets] * len(visitors)
        assert len({tuple(visitor.seen) for visitor in visitors}) <= 1


@pytest.mark.parametrize("seed", range(12))
def test_everybody_gets_everything_once_and_in_order(sqlite_url: str, seed: int) -> None:
    asyncio.run(play(sqlite_url, seed))


@pytest.mark.parametrize("seed", range(100, 106))
def test_everybody_gets_everything_on_postgresql(postgres_url: str, seed: int) -> None:
    asyncio.run(play(postgres_url, seed))
