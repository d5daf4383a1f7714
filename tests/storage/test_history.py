"""Who changed a document when, and what no version keeps."""

from datetime import timedelta

from storage import history, versions
from storage.database import Database
from storage.documents import Document
from storage.history import SittingRule
from storage.tables import from_microseconds
from storage.update_log import Append, PendingUpdate, open_update_log, save_snapshot, trim
from tests.storage.opened import NOW, append_of, make_documents, with_database

RULE = SittingRule(gap=timedelta(seconds=10), alike=frozenset({0, 1}))
SECOND = 1_000_000


async def with_log(database: Database, *entries: tuple[str, int, int]) -> Document:
    """A document with updates by author, origin and second, and another beside it."""
    document, other = await make_documents(database, "one", "other")
    updates = [PendingUpdate(author, origin, at * SECOND, b"x" * (at + 1)) for author, origin, at in entries]
    log = open_update_log(database)
    await log.append([Append(document.id, updates), append_of(other, b"a", b"b", author="zoe")])
    return document


def test_lines_are_the_log_backwards(database_url: str) -> None:
    async def body(database: Database) -> None:
        document = await with_log(database, ("ann", 0, 1), ("bob", 2, 2), ("ann", 3, 3))
        async with database.read() as connection:
            found = await history.lines(connection, document.id, limit=2)
            rest = await history.lines(connection, document.id, before=2, limit=2)
        assert [(line.number, line.author, line.origin, line.size) for line in [*found, *rest]] == [
            (3, "ann", 3, 4),
            (2, "bob", 2, 3),
            (1, "ann", 0, 2),
        ]
        assert found[0].created_at == from_microseconds(3 * SECOND)

    with_database(database_url, body)


def test_a_sitting_ends_with_another_author_way_or_a_pause(database_url: str) -> None:
    async def body(database: Database) -> None:
        document = await with_log(
            database, ("ann", 0, 0), ("ann", 1, 10), ("ann", 0, 21), ("ann", 2, 22), ("bob", 2, 23), ("bob", 2, 33)
        )
        async with database.read() as connection:
            found = await history.sittings(connection, document.id, RULE, limit=10)
            apart = await history.sittings(connection, document.id, SittingRule(timedelta(days=1)), limit=10)
        assert [(s.first_number, s.last_number, s.author, s.origin) for s in found] == [
            (5, 6, "bob", 2),
            (4, 4, "ann", 2),
            (3, 3, "ann", 0),
            (1, 2, "ann", 0),
        ]
        assert [(s.started_at, s.ended_at) for s in found[:2]] == [
            (from_microseconds(23 * SECOND), from_microseconds(33 * SECOND)),
            (from_microseconds(22 * SECOND), from_microseconds(22 * SECOND)),
        ]
        assert [s.first_number for s in apart] == [5, 4, 3, 2, 1], "without `alike` each origin is a way of its own"

    with_database(database_url, body)


def test_pages_of_sittings_join_seamlessly(database_url: str) -> None:
    async def body(database: Database) -> None:
        entries = [("ann" if second % 7 < 4 else "bob", 0, second * (1 + second % 3)) for second in range(60)]
        document = await with_log(database, *entries)
        async with database.read() as connection:
            whole = await history.sittings(connection, document.id, RULE, limit=100)
            for limit in (1, 3):
                pages: list[history.Sitting] = []
                while page := await history.sittings(
                    connection, document.id, RULE, before=pages[-1].first_number if pages else None, limit=limit
                ):
                    pages += page
                assert pages == whole
        covered = [number for s in whole for number in range(s.last_number, s.first_number - 1, -1)]
        assert covered == list(range(60, 0, -1))

    with_database(database_url, body)


def test_a_trimmed_log_begins_where_it_begins(database_url: str) -> None:
    async def body(database: Database) -> None:
        document = await with_log(database, *(("ann", 0, second) for second in range(5)))
        await save_snapshot(database, document.id, 3, b"state", NOW)
        await trim(database, document.id, 2)
        async with database.read() as connection:
            found = await history.sittings(connection, document.id, RULE, limit=10)
        assert [(s.first_number, s.last_number) for s in found] == [(3, 5)]

    with_database(database_url, body)


def test_an_empty_log_has_no_sittings(database_url: str) -> None:
    async def body(database: Database) -> None:
        [document] = await make_documents(database, "one")
        async with database.read() as connection:
            assert await history.sittings(connection, document.id, RULE, limit=10) == []
            assert await history.lines(connection, document.id, limit=10) == []
            assert await history.latest_versioned(connection, document.id) == 0

    with_database(database_url, body)


def test_what_no_version_keeps_is_found(database_url: str) -> None:
    async def body(database: Database) -> None:
        one, two, three, empty = await make_documents(database, "one", "two", "three", "empty")
        await open_update_log(database).append([append_of(document, b"a", b"b") for document in (one, two, three)])
        async with database.write() as connection:
            await versions.create(connection, two.id, 2, created_by="ann", at=NOW)
            await versions.create(connection, two.id, 1, created_by="ann", at=NOW)
            await versions.create(connection, three.id, 1, created_by="ann", at=NOW)
            assert await history.latest_versioned(connection, two.id) == 2
            assert await history.unversioned(connection, limit=9) == [one.id, three.id]
            assert await history.unversioned(connection, after=one.id, limit=9) == [three.id]
            assert await history.unversioned(connection, limit=1) == [one.id]
            assert empty.id not in await history.unversioned(connection, limit=9)

    with_database(database_url, body)
