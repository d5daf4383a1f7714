"""Words about changes: who hears them, how often they are said, and what they are about."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from handlers.changes import CHANNEL, EVERYTHING, Changed, Changes, topic_of
from handlers.feed_events import Batch, FeedEvent
from storage.bus.memory_bus import Hub, MemoryBus

DEADLINE = 10.0


class Ear:
    """Keeps what is heard."""

    def __init__(self, changes: Changes) -> None:
        self.heard: list[Changed] = []
        self._news = asyncio.Event()
        self.leave = changes.listen(self._hear)

    def _hear(self, changed: Changed) -> None:
        self.heard.append(changed)
        self._news.set()

    async def until(self, *words: Changed) -> None:
        async with asyncio.timeout(DEADLINE):
            while not set(words) <= set(self.heard):
                self._news.clear()
                await self._news.wait()


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), DEADLINE))


def batch(*types: str) -> Batch:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    events = [FeedEvent(offset=n, type=type_, at=at, actor=None, data={}) for n, type_ in enumerate(types, 1)]
    return Batch("epoch", events)


def test_topics_are_the_first_words_of_names() -> None:
    names: dict[str, Any] = {
        "collaboration.members.put": "members",
        "collaboration.content.patch": "documents",
        "member.added": "members",
        "version.named": "documents",
        "scan.finished": "scans",
        "scan_rules.create": "scans",
        "data_sources.test": "data_sources",
        "lineage.sql.follow": "catalog",
        "backup.succeeded": "backups",
        "analytics.forecast": "analytics",
    }
    assert {name: topic_of(name) for name in names} == names


def test_other_nodes_hear_it_and_each_once() -> None:
    async def scenario() -> None:
        hub = Hub()
        one, two = Changes(MemoryBus("one", hub)), Changes(MemoryBus("two", hub))
        near, far = Ear(one), Ear(two)
        await near.until(EVERYTHING)  # what was said before it listened may be lost
        await far.until(EVERYTHING)
        one.done("scans.create", "lab")
        two.done("catalog.datasets.update", None, "dataset:3")
        words = Changed("scans", "lab"), Changed("catalog", None, "dataset:3")
        await near.until(*words)
        await far.until(*words)
        assert len(near.heard) == len(far.heard) == 3
        near.leave()
        assert CHANNEL in hub.listeners
        far.leave()
        assert CHANNEL not in hub.listeners

    play(scenario)


def test_events_of_the_server_are_words_and_those_of_users_are_not() -> None:
    async def scenario() -> None:
        changes = Changes()
        ear = Ear(changes)
        changes.committed("lab/scans.3", batch("scan.progress"))
        changes.committed("lab/builds", batch("scan.finished"))
        changes.committed("@ada/notifications", batch("membership.added"))
        assert ear.heard == []
        changes.committed("lab/scans.3", batch("scan.dataset", "scan.finished"))
        changes.committed("lab/activity", batch("member.added"))
        assert ear.heard == [Changed("scans", "lab"), Changed("members", "lab")]

    play(scenario)


def test_a_word_that_is_said_often_is_said_now_and_then_and_once_more_at_the_end() -> None:
    async def scenario() -> None:
        now = 0.0
        changes = Changes(clock=lambda: now)
        ear = Ear(changes)
        for _ in range(100):
            changes.tell("documents", "lab")
        assert ear.heard == [Changed("documents", "lab")]
        changes.tell("documents", "attic")
        await ear.until(Changed("documents", "attic"))
        while len(ear.heard) < 3:
            ear._news.clear()
            await ear._news.wait()
        assert ear.heard[2] == Changed("documents", "lab")
        changes.tell("documents", "attic")
        changes.close()

    play(scenario)


def test_what_makes_no_sense_is_taken_for_everything() -> None:
    async def scenario() -> None:
        changes = Changes()
        ear = Ear(changes)
        changes.received(b"\xc1 of another version")
        assert ear.heard == [EVERYTHING]

    play(scenario)
