"""The service that keeps feeds short."""

import asyncio
import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from http_node import START, Node, play

from handlers.feeds import retention
from handlers.feeds.retention import keep_feeds_short, trim_all
from handlers.parts import Limits
from storage import feed_trimming, feeds
from storage.errors import Unavailable
from storage.feeds import Feed

LIMITS = Limits(feed_age=86400.0, feed_events=1_200)


async def publish(node: Node, feed: str, count: int) -> None:
    async with node.parts.feeds.writing() as (_, outbox):
        for _ in range(count):
            outbox.add(feed, "a", {})


async def held(node: Node) -> dict[str, tuple[int, int]]:
    async with node.parts.database.read() as connection:
        rows = await feeds.list_of(connection, first="", beyond="~", limit=1000)
        return {row.name: (row.oldest, len(await feeds.read(connection, row.id, after=0, limit=9999))) for row in rows}


def test_what_is_too_old_and_too_much_goes(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await publish(node, "lab/old", 1_100)
        node.clock += timedelta(days=2)
        await publish(node, "lab/old", 3)
        await publish(node, "lab/many", 1_205)
        await publish(node, "lab/few", 5)
        assert await trim_all(node.parts, node.now) == 1_105
        assert await held(node) == {"lab/old": (1_101, 3), "lab/many": (6, 1_200), "lab/few": (1, 5)}
        assert await trim_all(node.parts, node.now) == 0

    play(database_url, scenario, limits=LIMITS)


def test_more_feeds_than_are_looked_at_at_once(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        for number in range(retention.FEEDS_AT_ONCE + 1):
            await publish(node, f"lab/{number}", 1)
        node.clock = START + timedelta(days=2)
        assert await trim_all(node.parts, node.now) == retention.FEEDS_AT_ONCE + 1

    play(tmp_path, scenario, limits=LIMITS)


def test_the_service_goes_on_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(node: Node) -> None:
        # Long ago by any clock: the service has one of its own.
        await publish(node, "lab/old", 1)
        due, calls, done = feed_trimming.due, itertools.count(1), asyncio.Event()

        async def fail_once(*arguments: Any, **named: Any) -> list[Feed]:
            call = next(calls)
            if call == 1:
                raise Unavailable("gone for a while")
            if call == 3:
                done.set()
            return await due(*arguments, **named)

        monkeypatch.setattr(feed_trimming, "due", fail_once)
        monkeypatch.setattr(retention, "TRIM_SECONDS", 0.001)
        service = asyncio.create_task(keep_feeds_short(node.parts))
        async with asyncio.timeout(10):
            await done.wait()
        service.cancel()
        await asyncio.wait([service])
        assert await held(node) == {"lab/old": (2, 0)}

    play(tmp_path, scenario, limits=LIMITS)
