"""What feeds no longer hold, and what that leaves of an inbox."""

from datetime import timedelta

from storage import feed_trimming, feeds, read_events
from storage.database import Database
from storage.feeds import Draft, Feed
from tests.storage.opened import NOW, with_database

NAME = "default/builds"
DAY = timedelta(days=1)


async def fill(database: Database, *ages: int, name: str = NAME) -> Feed:
    """An event of each age in days."""
    async with database.write() as connection:
        for age in ages:
            await feeds.append_all(connection, name, [Draft("a", {})], at=NOW - age * DAY)
        feed = await feeds.get(connection, name)
    assert feed is not None
    return feed


async def trim(database: Database, feed: Feed, *, days: int = 1000, keep: int = 1000, at_most: int = 1000) -> int:
    async with database.write() as connection:
        return await feed_trimming.trim(connection, feed.id, before=NOW - days * DAY, keep=keep, at_most=at_most)


async def held(database: Database, name: str = NAME) -> tuple[int, list[int]]:
    async with database.read() as connection:
        feed = await feeds.get(connection, name)
        assert feed is not None
        return feed.oldest, [event.offset for event in await feeds.read(connection, feed.id, after=0, limit=100)]


def test_by_age(database_url: str) -> None:
    async def body(database: Database) -> None:
        feed = await fill(database, 9, 8, 3, 1)
        assert await trim(database, feed, days=5) == 2
        assert await held(database) == (3, [3, 4])
        assert await trim(database, feed, days=5) == 0
        assert await trim(database, feed, days=0) == 2
        assert await held(database) == (5, [])
        assert (await fill(database, 0)).head == 5
        assert await held(database) == (5, [5])

    with_database(database_url, body)


def test_by_count(database_url: str) -> None:
    async def body(database: Database) -> None:
        feed = await fill(database, 0, 0, 0, 0, 0)
        assert await trim(database, feed, keep=5) == 0
        assert await trim(database, feed, keep=2) == 3
        assert await held(database) == (4, [4, 5])

    with_database(database_url, body)


def test_a_few_at_a_time(database_url: str) -> None:
    async def body(database: Database) -> None:
        feed = await fill(database, *[9] * 5, 0)
        assert [await trim(database, feed, days=5, at_most=2) for _ in range(4)] == [2, 2, 1, 0]
        assert await held(database) == (6, [6])

    with_database(database_url, body)


def test_an_event_from_an_earlier_clock_is_not_deleted_before_those_in_front_of_it(database_url: str) -> None:
    async def body(database: Database) -> None:
        feed = await fill(database, 1, 9, 1)
        assert await trim(database, feed, days=5) == 0
        assert await held(database) == (1, [1, 2, 3])

    with_database(database_url, body)


def test_which_are_due(database_url: str) -> None:
    async def body(database: Database) -> None:
        old = await fill(database, 9, 0, name="default/old")
        many = await fill(database, 0, 0, 0, name="default/many")
        await fill(database, 1, 0, name="default/neither")
        both = await fill(database, 9, 9, 9, name="default/both")

        async def due(after: int = 0, limit: int = 10) -> list[int]:
            async with database.read() as connection:
                rows = await feed_trimming.due(connection, before=NOW - 5 * DAY, keep=2, after=after, limit=limit)
            return [feed.id for feed in rows]

        assert await due() == [old.id, many.id, both.id]
        assert await due(limit=2) == [old.id, many.id]
        assert await due(after=many.id) == [both.id]
        for feed in (old, many, both):
            await trim(database, feed, days=5, keep=2)
        assert await due() == []

    with_database(database_url, body)


def test_nobody_is_disturbed_by_a_feed_that_is_gone(database_url: str) -> None:
    async def body(database: Database) -> None:
        feed = await fill(database, 9)
        async with database.write() as connection:
            assert await feed_trimming.trim(connection, feed.id + 1, before=NOW, keep=1, at_most=10) == 0

    with_database(database_url, body)


def test_unread_events_are_counted_over_trimming(database_url: str) -> None:
    async def body(database: Database) -> None:
        feed = await fill(database, 9, 9, 0, 0, 0)

        async def unread() -> int:
            async with database.read() as connection:
                now = await feeds.get(connection, NAME)
                assert now is not None
                return await read_events.count_unread(connection, now)

        async def mark(up_to: int = 0, *offsets: int) -> None:
            async with database.write() as connection:
                marked = await read_events.mark(connection, NAME, up_to=up_to, offsets=offsets, at=NOW)
            assert marked is not None

        assert await unread() == 5
        await mark(1, 4)
        assert await unread() == 3
        # Twice, and what is not there: nothing changes.
        await mark(1, 4, 99)
        assert await unread() == 3
        await trim(database, feed, days=5)
        assert await unread() == 2
        await mark(2)
        assert await unread() == 2
        async with database.read() as connection:
            assert await read_events.read_among(connection, feed.id, [1, 2, 3, 4, 5]) == {4}
        await mark(5)
        assert await unread() == 0

    with_database(database_url, body)


def test_an_inbox_without_events_has_nothing_to_mark(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            assert await read_events.mark(connection, "@ann/notifications", up_to=3, at=NOW) is None

    with_database(database_url, body)
