"""Who may watch a feed, and no longer may."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from feed_nodes import LAB, Nodes, Panel, feed_nodes, principal_of
from sqlalchemy import update

from handlers.feed_events import BEGINNING
from handlers.registry import NotAuthenticated, NotFound, Unavailable
from storage import feeds, tables
from storage.errors import Unavailable as StorageUnavailable

FEED = f"{LAB}/builds"
DEADLINE = 30.0


def play(url: str, scenario: Callable[[Nodes], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE), feed_nodes(url) as nodes:
            await scenario(nodes)

    asyncio.run(run())


def test_e6_a_member_who_leaves_watches_no_longer(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        node = nodes.start()
        await nodes.enlist("bob")
        leaver, _ = await node.watching(FEED, user="bob")
        inbox, _ = await node.watching("@bob/notifications", user="bob")
        stayer, _ = await node.watching(FEED)
        await nodes.dismiss("bob")
        node.access.invalidate(LAB, "bob")
        await leaver.until(lambda panel: panel.is_over)
        assert isinstance(leaver.error, NotFound)
        await node.publish(FEED, "secret")
        await node.publish("@bob/notifications", "removed")
        await stayer.until_offset(1)
        await inbox.until_offset(1)
        assert leaver.events == []
        assert not inbox.is_over

    play(database_url, scenario)


def test_strangers_watch_nothing(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        panel, _ = await nodes.start().watching(FEED, BEGINNING, user="eve")
        assert isinstance(panel.error, NotFound)
        assert panel.position is None

    play(database_url, scenario)


def test_a_deactivated_user_and_a_key_in_doubt_watch_no_longer(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        node = nodes.start()
        inbox, _ = await node.watching("@ann/notifications")
        by_key = Panel()
        node.live.watch(FEED, by_key, principal_of("ann", via="api_key"), LAB, None)
        await by_key.until(lambda panel: panel.position is not None)
        async with nodes.database.write() as connection:
            await connection.execute(update(tables.users).values(is_active=False))
        node.access.invalidate(user_id="ann")
        for panel, code in ((inbox, "deactivated"), (by_key, "sign_in_again")):
            await panel.until(lambda panel: panel.is_over)
            assert isinstance(panel.error, NotAuthenticated)
            assert panel.error.code == code

    play(database_url, scenario)


def test_e6_a_token_that_ends_ends_its_watches(database_url: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        node = nodes.start()
        panel, late = Panel(), Panel()
        principal = principal_of("ann", expires_at=nodes.now + timedelta(minutes=1))
        node.live.watch(FEED, panel, principal, LAB, None)
        await panel.until(lambda panel: panel.position is not None)
        nodes.now += timedelta(minutes=1)
        await panel.until(lambda panel: panel.is_over)
        # Where nobody looks after watches that stand.
        nodes.start(runs=False).live.watch(FEED, late, principal, LAB, None)
        await late.until(lambda panel: panel.is_over)
        assert [one.error and one.error.code for one in (panel, late)] == ["token_expired"] * 2
        assert late.position is None

    play(database_url, scenario)


def test_without_a_database_watchers_wait_and_newcomers_are_told(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(nodes: Nodes) -> None:
        node = nodes.start()
        panel, watch = await node.watching(FEED)
        panel.is_congested = True
        await node.publish(FEED, "a", "b")

        async def fail(*_: object, **__: object) -> None:
            raise StorageUnavailable("gone for a while")

        with monkeypatch.context() as patch:
            patch.setattr(feeds, "get", fail)
            patch.setattr(feeds, "get_many", fail)
            newcomer, _ = await node.watching(FEED)
            assert isinstance(newcomer.error, Unavailable)
            panel.is_congested = False
            node.live.resume(watch)
            for _ in range(20):
                await asyncio.sleep(0)
        await panel.until_offset(2)
        assert panel.offsets == [1, 2]

    play(sqlite_url, scenario)
