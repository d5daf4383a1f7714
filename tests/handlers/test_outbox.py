"""Events and the transactions that cause them: both or neither, and nothing before the commit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from feed_nodes import LAB, FeedNode, Nodes, feed_nodes
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.registry import Conflict
from storage.errors import Unavailable as StorageUnavailable

FEED = f"{LAB}/builds"
DEADLINE = 30.0


def play(url: str, scenario: Callable[[Nodes], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE), feed_nodes(url) as nodes:
            await scenario(nodes)

    asyncio.run(run())


def test_e1_nothing_is_said_before_the_commit(database_url: str) -> None:
    """Neither of what is rolled back, nor too early."""

    async def scenario(nodes: Nodes) -> None:
        node = nodes.start()
        panel, _ = await node.watching(FEED)
        async with node.live.writing() as (_, outbox):
            entry = outbox.add(FEED, "a", {})
            for _ in range(20):
                await asyncio.sleep(0)
            assert panel.events == []
        assert (entry.offset, panel.offsets) == (1, [1])
        with pytest.raises(ZeroDivisionError):
            await node.publish(FEED, "lost", fails=True)
        await node.publish(FEED, "b")
        await panel.until_offset(2)
        assert [event.type for event in panel.events] == ["a", "b"]

    play(database_url, scenario)


def test_a_commit_that_fails_says_nothing(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(nodes: Nodes) -> None:
        node = nodes.start(look_seconds=1000)
        panel, _ = await node.watching(FEED)
        write = nodes.database.write

        @asynccontextmanager
        async def write_in_vain() -> AsyncIterator[AsyncConnection]:
            async with write() as connection:
                yield connection
                raise StorageUnavailable("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(nodes.database, "write", write_in_vain)
            with pytest.raises(StorageUnavailable):
                await node.publish(FEED, "lost")
        await node.publish(FEED, "a")
        await panel.until_offset(1)
        assert [event.type for event in panel.events] == ["a"]

    play(sqlite_url, scenario)


def test_a_key_that_stands_for_another_event_undoes_the_transaction(database_url: str) -> None:
    async def publish(node: FeedNode, n: int) -> None:
        async with node.live.writing() as (_, outbox):
            outbox.add(f"{LAB}/another", "a", {})
            outbox.add(FEED, "a", {"n": n}, key="K")

    async def scenario(nodes: Nodes) -> None:
        node = nodes.start()
        await publish(node, 1)
        with pytest.raises(Conflict, match="the key 'K' stands for another event"):
            await publish(node, 2)
        assert [feed and feed.head for feed in (await nodes.feed(FEED), await nodes.feed(f"{LAB}/another"))] == [1, 1]

    play(database_url, scenario)


def test_two_transactions_that_publish_to_the_same_feeds_do_not_wait_for_each_other_forever(database_url: str) -> None:
    names = [f"{LAB}/{name}" for name in "abcd"]

    async def scenario(nodes: Nodes) -> None:
        node = nodes.start()

        async def publish(order: list[str]) -> None:
            async with node.live.writing() as (_, outbox):
                for name in order:
                    outbox.add(name, "x", {})

        await asyncio.gather(*(publish(nodes.random.sample(names, 4)) for _ in range(30)))
        heads = [await nodes.feed(name) for name in names]
        assert [feed and feed.head for feed in heads] == [30] * 4

    play(database_url, scenario)
