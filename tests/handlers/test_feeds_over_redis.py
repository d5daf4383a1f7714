"""Feeds over a real Redis: live through it, whole without it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from feed_nodes import LAB, FeedNode, Nodes, feed_nodes
from redis_server import RedisServer

from storage.bus.opening import open_bus

FEED = f"{LAB}/builds"
DEADLINE = 30.0


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis to be killed."""
    with RedisServer() as server:
        yield server


@asynccontextmanager
async def connected(nodes: Nodes, url: str) -> AsyncIterator[tuple[FeedNode, FeedNode]]:
    """Two nodes that look at the database by themselves so seldom that only the bus makes them."""
    buses = [open_bus(url, f"node-{number}") for number in range(2)]
    running = [asyncio.create_task(bus.run()) for bus in buses]
    one, two = (nodes.start(bus=bus, look_seconds=1000) for bus in buses)
    try:
        yield one, two
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        for bus in buses:
            await bus.close()


def test_events_come_through_redis_and_past_a_dead_one(sqlite_url: str, own_redis: RedisServer) -> None:
    async def scenario() -> None:
        async with (
            asyncio.timeout(DEADLINE),
            feed_nodes(sqlite_url) as nodes,
            connected(nodes, f"{own_redis.url}/0") as (one, two),
        ):
            panel, _ = await two.watching(FEED)
            await one.publish(FEED, "a", "b")
            await panel.until_offset(2)
            await asyncio.to_thread(own_redis.kill)
            await one.publish(FEED, "c")
            # Without a bus a node looks by itself.
            await panel.until_offset(3)
            await asyncio.to_thread(own_redis.start)
            for number in range(20):
                await one.publish(FEED, f"e{number}")
            await panel.until_offset(23)
            assert panel.offsets == list(range(1, 24))

    asyncio.run(scenario())
