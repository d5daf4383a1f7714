"""Feeds on both databases: offsets without gaps, in the order in which they become visible, whoever appends."""

import asyncio
import random
from typing import Any

import pytest
from sqlalchemy import delete, select

from storage import feeds
from storage.database import Database
from storage.errors import AlreadyExists
from storage.feeds import MAX_DATA_BYTES, Draft, Event, Feed
from storage.tables import feed_events
from storage.tables import feeds as feeds_table
from tests.storage.opened import NOW, SECOND, with_database

NAME = "default/builds"


async def append(database: Database, *types: str, name: str = NAME) -> list[int]:
    async with database.write() as connection:
        drafts = [Draft(type_, {"type": type_}) for type_ in types]
        return (await feeds.append_all(connection, name, drafts, at=NOW)).offsets


async def append_in_vain(database: Database) -> None:
    async with database.write() as connection:
        await feeds.append(connection, NAME, "lost", {}, at=NOW)
        raise ZeroDivisionError


async def everything(database: Database, name: str = NAME) -> tuple[Feed, list[Event]]:
    async with database.read() as connection:
        feed = await feeds.get(connection, name)
        assert feed is not None
        return feed, await feeds.read(connection, feed.id, after=0, limit=10_000)


def test_events_come_back_as_they_were(database_url: str) -> None:
    data = {"text": "über 😀 \0", "list": [1, 2.5, None, True], "nested": {"big": 2**63}}

    async def body(database: Database) -> None:
        async with database.write() as connection:
            appended = await feeds.append(connection, NAME, "build.done", data, at=NOW, actor="ann")
            plain = await feeds.append(connection, NAME, "build.begun", {}, at=NOW + SECOND)
        feed, events = await everything(database)
        assert events == [Event(1, "build.done", NOW, "ann", data), Event(2, "build.begun", NOW + SECOND, None, {})]
        assert (feed.head, feed.oldest, feed.created_at) == (2, 1, NOW)
        assert appended.events == events[:1]
        assert appended.epoch == plain.epoch == feed.epoch != ""
        assert ":" not in feed.epoch

    with_database(database_url, body)


def test_each_feed_counts_for_itself_and_has_an_epoch_of_its_own(database_url: str) -> None:
    async def body(database: Database) -> None:
        assert await append(database, "a", "b") == [1, 2]
        assert await append(database, "c", name="default/other") == [1]
        assert await append(database, "d") == [3]
        async with database.read() as connection:
            found = await feeds.get_many(connection, [NAME, "default/other", "default/missing"])
            assert await feeds.get(connection, "default/missing") is None
        assert {name: feed.head for name, feed in found.items()} == {NAME: 3, "default/other": 1}
        assert len({feed.epoch for feed in found.values()}) == 2

    with_database(database_url, body)


def test_e2_a_feed_that_is_made_anew_has_another_epoch(database_url: str) -> None:
    async def body(database: Database) -> None:
        await append(database, "a")
        before, _ = await everything(database)
        async with database.write() as connection:
            await connection.execute(delete(feeds_table))
        await append(database, "b")
        after, events = await everything(database)
        assert (after.head, [event.type for event in events]) == (1, ["b"])
        assert after.epoch != before.epoch

    with_database(database_url, body)


def test_what_is_rolled_back_leaves_no_gap(database_url: str) -> None:
    async def body(database: Database) -> None:
        with pytest.raises(ZeroDivisionError):
            await append_in_vain(database)
        assert await append(database, "first") == [1]
        with pytest.raises(ZeroDivisionError):
            await append_in_vain(database)
        assert await append(database, "second") == [2]
        assert [event.type for event in (await everything(database))[1]] == ["first", "second"]

    with_database(database_url, body)


def test_e1_concurrent_transactions_leave_no_gap(database_url: str) -> None:
    """Twenty at once, a third of them rolled back, into a feed that none of them found there."""
    chance = random.Random(20)

    async def transaction(database: Database, number: int, fails: bool) -> list[int]:
        async with database.write() as connection:
            appended = await feeds.append(connection, NAME, "a", {"of": number}, at=NOW)
            await asyncio.sleep(0)
            more = await feeds.append_all(connection, NAME, [Draft("b", {"of": number})] * (number % 3), at=NOW)
            if fails:
                raise ZeroDivisionError
        return appended.offsets + more.offsets

    async def body(database: Database) -> None:
        fates = [chance.random() < 1 / 3 for _ in range(20)]
        work = [transaction(database, number, fails) for number, fails in enumerate(fates)]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        kept = {number: outcome for number, outcome in enumerate(outcomes) if isinstance(outcome, list)}
        assert len(kept) == fates.count(False) < 20
        feed, events = await everything(database)
        assert [event.offset for event in events] == list(range(1, feed.head + 1))
        assert feed.head == sum(map(len, kept.values()))
        written = {number: [event.offset for event in events if event.data["of"] == number] for number in kept}
        assert written == kept

    with_database(database_url, body)


def test_e1_offsets_become_visible_in_order(database_url: str) -> None:
    """Whoever reads while others write sees a prefix: never an event without all those before it."""

    async def write(database: Database, writer: int) -> None:
        chance = random.Random(writer)
        for _ in range(10):
            async with database.write() as connection:
                await feeds.append(connection, NAME, "a", {}, at=NOW)
                for _ in range(chance.randrange(5)):
                    await asyncio.sleep(0)

    async def body(database: Database) -> None:
        await append(database, "first")
        writers = asyncio.gather(*(write(database, writer) for writer in range(5)))
        seen = 0
        while seen < 51:
            async with database.read() as connection:
                feed = await feeds.get(connection, NAME)
                assert feed is not None
                offsets = [event.offset for event in await feeds.read(connection, feed.id, after=0, limit=1000)]
            assert offsets == list(range(1, feed.head + 1))
            assert feed.head >= seen
            seen = feed.head
        await writers

    with_database(database_url, body)


def test_e9_a_key_is_taken_once(database_url: str) -> None:
    def draft(key: str | None, **data: Any) -> Draft:
        return Draft("a", data, "ann", key)

    async def publish(database: Database, *drafts: Draft) -> tuple[list[int], int]:
        async with database.write() as connection:
            appended = await feeds.append_all(connection, NAME, drafts, at=NOW)
        return appended.offsets, len(appended.events)

    async def body(database: Database) -> None:
        assert await publish(database, draft("x", n=1), draft(None, n=2), draft("y", n=3)) == ([1, 2, 3], 3)
        assert await publish(database, draft("x", n=1)) == ([1], 0)
        assert await publish(database, draft("z"), draft("x", n=1), draft("z"), draft(None)) == ([4, 1, 4, 5], 2)
        assert (await everything(database))[0].head == 5
        with pytest.raises(AlreadyExists, match="'x' stands for another"):
            await publish(database, draft("new"), draft("x", n=2))
        assert await publish(database, draft("new")) == ([6], 1)
        async with database.write() as connection:
            other = await feeds.append_all(connection, "default/other", [draft("x", n=9)], at=NOW)
        assert other.offsets == [1]

    with_database(database_url, body)


def test_pages_in_both_directions(database_url: str) -> None:
    async def body(database: Database) -> None:
        await append(database, *"abcdefg")
        feed, _ = await everything(database)
        async with database.read() as connection:
            on = await feeds.read(connection, feed.id, after=2, limit=3)
            back = await feeds.read_back(connection, feed.id, limit=3)
            further = await feeds.read_back(connection, feed.id, before=3, limit=3)
        assert [event.type for event in on] == ["c", "d", "e"]
        assert [event.type for event in back] == ["g", "f", "e"]
        assert [event.offset for event in further] == [2, 1]

    with_database(database_url, body)


def test_feeds_are_listed_by_range_of_names(database_url: str) -> None:
    async def body(database: Database) -> None:
        for name in ("lab/b", "lab/a", "lab-2/a", "lab/c", "labor/a", "@ann/notifications"):
            await append(database, "x", name=name)
        async with database.read() as connection:
            found = await feeds.list_of(connection, first="lab/", beyond="lab0", limit=2)
            rest = await feeds.list_of(connection, first="lab/", beyond="lab0", after="lab/b", limit=2)
        assert [feed.name for feed in found] == ["lab/a", "lab/b"]
        assert [feed.name for feed in rest] == ["lab/c"]

    with_database(database_url, body)


def test_large_data_is_refused(database_url: str) -> None:
    async def body(database: Database) -> None:
        fits = {"x": "é" * ((MAX_DATA_BYTES - 8) // 2)}
        async with database.write() as connection:
            await feeds.append(connection, NAME, "a", fits, at=NOW)
        with pytest.raises(ValueError, match="at most 65536"):
            async with database.write() as connection:
                await feeds.append(connection, NAME, "a", {"x": fits["x"] + "!"}, at=NOW)
        async with database.read() as connection:
            assert len((await connection.execute(select(feed_events.c.offset))).all()) == 1

    with_database(database_url, body)
