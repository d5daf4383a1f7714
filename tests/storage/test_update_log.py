"""The update log's contract, the same for SQLite and PostgreSQL."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete

from storage import documents, update_log, users
from storage.database import Database
from storage.errors import IncompleteLog, MissingDocument
from storage.tables import updates
from storage.update_log import Append, PendingUpdate, UpdateRow, open_update_log
from tests.storage.opened import NOW, append_of, make_documents, pending, with_database

MANY = [b"%d" % i for i in range(700)]


async def contents(database: Database, document_id: int) -> list[bytes]:
    stored = await update_log.load_until(database, document_id, 10**9)
    return [row.data for row in stored.updates]


def test_numbers_count_from_one_without_gaps(database_url: str) -> None:
    async def body(database: Database) -> None:
        one, other = await make_documents(database, "one", "other")
        log = open_update_log(database)
        assert await log.append([append_of(one, b"a", b"b"), append_of(other, b"x")]) == {one.id: 2, other.id: 1}
        assert await log.append([append_of(other, b"y")]) == {other.id: 2}
        assert await log.append([append_of(one, b"c"), append_of(other, b"z")]) == {one.id: 3, other.id: 3}
        assert [row.number for row in await update_log.read(database, one.id, 0, 10)] == [1, 2, 3]
        assert await contents(database, one.id) == [b"a", b"b", b"c"]
        assert await contents(database, other.id) == [b"x", b"y", b"z"]

    with_database(database_url, body)


def test_a_row_comes_back_as_it_was(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        at = datetime(2038, 1, 19, 3, 14, 7, 999_999, tzinfo=UTC)
        microseconds = round(at.timestamp()) * 1_000_000 - 1
        update = PendingUpdate("zoë", 3, microseconds, bytes(range(256)))
        await open_update_log(database).append([Append(document.id, [update])])
        assert await update_log.read(database, document.id, 0, 1) == [
            UpdateRow(1, "zoë", 3, at, bytes(range(256))),
        ]

    with_database(database_url, body)


def test_the_document_tells_of_its_newest_update(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        log = open_update_log(database)
        await log.append([append_of(document, b"12", b"345")])
        await log.append([append_of(document, b"6", author="bob", at=5_000_000)])
        async with database.read() as connection:
            found = await documents.get_by_id(connection, document.id)
        assert found is not None
        assert (found.head, found.size_bytes, found.updated_by) == (3, 6, "bob")
        assert found.updated_at == datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)
        assert (found.created_by, found.created_at) == ("ann", NOW)

    with_database(database_url, body)


@pytest.mark.parametrize("count", [127, 128, 129, 700])
def test_many_updates_at_once(database_url: str, count: int) -> None:
    async def body(database: Database) -> None:
        one, other = await make_documents(database, "one", "other")
        log = open_update_log(database)
        for round_number in (1, 2):
            heads = await log.append([append_of(one, *MANY[:count]), append_of(other, *MANY[:3])])
            assert heads == {one.id: round_number * count, other.id: round_number * 3}
        assert await contents(database, one.id) == MANY[:count] * 2
        assert await contents(database, other.id) == MANY[:3] * 2

    with_database(database_url, body)


def test_a_document_twice_in_one_append(database_url: str) -> None:
    async def body(database: Database) -> None:
        one, other = await make_documents(database, "one", "other")
        log = open_update_log(database)
        for head in (3, 6):
            appends = [append_of(one, b"a"), append_of(other, b"x"), append_of(one, b"b", b"c")]
            assert await log.append(appends) == {one.id: head, other.id: head // 3}
        assert await contents(database, one.id) == [b"a", b"b", b"c"] * 2

    with_database(database_url, body)


def test_appending_nothing(database_url: str) -> None:
    async def body(database: Database) -> None:
        one, other = await make_documents(database, "one", "other")
        log = open_update_log(database)
        assert await log.append([]) == {}
        assert await log.append([Append(one.id, [])]) == {one.id: 0}
        await log.append([append_of(one, b"a")])
        assert await log.append([Append(one.id, []), append_of(other, b"x")]) == {one.id: 1, other.id: 1}
        assert await log.append([Append(one.id, [])]) == {one.id: 1}
        async with database.read() as connection:
            found = await documents.get_by_id(connection, one.id)
        assert found is not None
        assert (found.head, found.updated_by) == (1, "ann")

    with_database(database_url, body)


def test_updates_of_a_missing_document_append_nothing(database_url: str) -> None:
    async def body(database: Database) -> None:
        one, other = await make_documents(database, "one", "other")
        log = open_update_log(database)
        await log.append([append_of(one, b"a")])
        appends = [append_of(one, b"b"), append_of(98, b"x"), append_of(other, b"y"), append_of(99, b"z")]
        with pytest.raises(MissingDocument) as raised:
            await log.append(appends)
        assert raised.value.ids == (98, 99)
        assert await contents(database, one.id) == [b"a"]
        # What the caller does next: the same without the missing ones.
        assert await log.append([appends[0], appends[2]]) == {one.id: 2, other.id: 1}

    with_database(database_url, body)


def test_updates_of_a_document_purged_meanwhile(database_url: str) -> None:
    async def body(database: Database) -> None:
        one, other = await make_documents(database, "one", "other")
        log = open_update_log(database)
        await log.append([append_of(one, b"a"), append_of(other, b"x")])
        async with database.write() as connection:
            assert await documents.purge(connection, one.id)
        (successor,) = await make_documents(database, "one")
        assert successor.id != one.id
        with pytest.raises(MissingDocument) as raised:
            await log.append([append_of(one, b"b"), append_of(other, b"y")])
        assert raised.value.ids == (one.id,)
        assert await log.append([append_of(other, b"y")]) == {other.id: 2}
        assert await contents(database, successor.id) == []

    with_database(database_url, body)


def test_the_last_row_id_is_not_given_out_again(database_url: str) -> None:
    async def body(database: Database) -> None:
        (first,) = await make_documents(database, "first")
        async with database.write() as connection:
            await documents.purge(connection, first.id)
        (second,) = await make_documents(database, "second")
        assert second.id > first.id

    with_database(database_url, body)


def test_several_nodes_append_to_the_same_documents(database_url: str) -> None:
    async def body(database: Database) -> None:
        made = await make_documents(database, "one", "other", "third")
        elsewhere = await Database.open(database_url)

        async def write(node: Database, author: str) -> None:
            log = open_update_log(node)
            for i in range(40):
                # Each in another order, as rooms become ready.
                turned = [made[(i + j) % 3] for j in range(3)]
                if author == "b":
                    turned.reverse()
                await log.append([append_of(document, b"%s%d" % (author.encode(), i)) for document in turned])

        try:
            await asyncio.gather(write(database, "a"), write(elsewhere, "b"))
        finally:
            await elsewhere.close()
        for document in made:
            stored = await update_log.load(database, document.id)
            assert [row.number for row in stored.updates] == list(range(1, 81))
            for author in ("a", "b"):
                # Nothing twice, nothing lost, each author's in order.
                mine = [row.data for row in stored.updates if row.data.startswith(author.encode())]
                assert mine == [b"%s%d" % (author.encode(), i) for i in range(40)]

    with_database(database_url, body)


def test_appends_and_other_writes_at_once(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        log = open_update_log(database)

        async def append() -> None:
            for i in range(50):
                await log.append([append_of(document, b"%d" % i)])

        async def make_users() -> None:
            for i in range(50):
                async with database.write() as connection:
                    await users.ensure(connection, f"user{i}", at=NOW)

        await asyncio.gather(append(), make_users(), append())
        async with database.read() as connection:
            assert await users.count(connection) == 50
        assert (await update_log.load(database, document.id)).head == 100

    with_database(database_url, body)


def test_a_cancelled_append_leaves_all_or_nothing(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        log = open_update_log(database)
        await log.append([append_of(document, b"first")])
        for turns in range(12):
            task = asyncio.ensure_future(log.append([append_of(document, *MANY[:50])]))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        head = (await log.append([append_of(document, b"last")]))[document.id]
        assert head % 50 == 2
        stored = await update_log.load(database, document.id)
        assert [row.number for row in stored.updates] == list(range(1, head + 1))

    with_database(database_url, body)


def test_closing_twice_and_with_the_database(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        log, never_used = open_update_log(database), open_update_log(database)
        await log.append([append_of(document, b"a")])
        await log.close()
        await log.close()
        await never_used.close()

    with_database(database_url, body)


def test_loading_begins_at_the_newest_snapshot(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        empty = await update_log.load(database, document.id)
        assert (empty.snapshot_number, empty.snapshot, empty.updates, empty.head) == (0, None, [], 0)
        await open_update_log(database).append([append_of(document, b"1", b"2", b"3", b"4", b"5")])
        whole = await update_log.load(database, document.id)
        assert (whole.snapshot_number, [row.number for row in whole.updates], whole.head) == (0, [1, 2, 3, 4, 5], 5)
        await update_log.save_snapshot(database, document.id, 4, b"1234")
        await update_log.save_snapshot(database, document.id, 2, b"12")
        stored = await update_log.load(database, document.id)
        assert (stored.snapshot_number, stored.snapshot, stored.head) == (4, b"1234", 5)
        assert [row.data for row in stored.updates] == [b"5"]

    with_database(database_url, body)


@pytest.mark.parametrize(
    ("until", "snapshot", "data", "head"),
    [
        (-1, None, [], 0),
        (0, None, [], 0),
        (1, None, [b"1"], 1),
        (2, b"12", [], 2),
        (3, b"12", [b"3"], 3),
        (4, b"1234", [], 4),
        (5, b"1234", [b"5"], 5),
        (99, b"1234", [b"5"], 5),
    ],
)
def test_loading_up_to_a_number(
    sqlite_url: str, until: int, snapshot: bytes | None, data: list[bytes], head: int
) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        await open_update_log(database).append([append_of(document, b"1", b"2", b"3", b"4", b"5")])
        await update_log.save_snapshot(database, document.id, 2, b"12")
        await update_log.save_snapshot(database, document.id, 4, b"1234")
        stored = await update_log.load_until(database, document.id, until)
        assert (stored.snapshot, [row.data for row in stored.updates], stored.head) == (snapshot, data, head)

    with_database(sqlite_url, body)


def test_a_long_log_is_loaded_whole(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        log = open_update_log(database)
        for _ in range(7):
            await log.append([append_of(document, *MANY)])
        stored = await update_log.load(database, document.id)
        assert [row.number for row in stored.updates] == list(range(1, 4901))

    with_database(database_url, body)


def test_a_log_with_a_hole_is_not_loaded(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        await open_update_log(database).append([append_of(document, b"1", b"2", b"3")])
        async with database.write() as connection:
            await connection.execute(delete(updates).where(updates.c.number == 2))
        with pytest.raises(IncompleteLog):
            await update_log.load(database, document.id)

    with_database(database_url, body)


def test_reading_in_pages(database_url: str) -> None:
    async def body(database: Database) -> None:
        one, other = await make_documents(database, "one", "other")
        await open_update_log(database).append([append_of(one, *MANY[:25]), append_of(other, *MANY[:5])])

        async def pages() -> list[list[int]]:
            found, after = [], 0
            while rows := await update_log.read(database, one.id, after, 10):
                found.append([row.number for row in rows])
                after = rows[-1].number
            return found

        assert await pages() == [list(range(1, 11)), list(range(11, 21)), list(range(21, 26))]

    with_database(database_url, body)


def test_the_number_at_a_time(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        log = open_update_log(database)
        start = datetime(2026, 1, 1, tzinfo=UTC)
        for i in range(3):
            at = round((start + timedelta(minutes=i)).timestamp()) * 1_000_000
            await log.append([Append(document.id, pending(b"x", at=at))])
        times = [start - timedelta(microseconds=1), start, start + timedelta(seconds=119), start + timedelta(days=1)]
        assert [await update_log.number_at(database, document.id, at) for at in times] == [0, 1, 2, 3]

    with_database(database_url, body)


def test_snapshots_are_replaced_listed_and_dropped(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        await open_update_log(database).append([append_of(document, b"1", b"2", b"3")])
        for number, state in ((1, b"one"), (3, b"three"), (2, b"two"), (3, b"again")):
            await update_log.save_snapshot(database, document.id, number, state)
        assert await update_log.snapshot_numbers(database, document.id) == [1, 2, 3]
        assert (await update_log.load(database, document.id)).snapshot == b"again"
        await update_log.drop_snapshots(database, document.id, [1, 3])
        assert await update_log.snapshot_numbers(database, document.id) == [2]

    with_database(database_url, body)


def test_snapshots_of_what_is_not_there(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        with pytest.raises(MissingDocument):
            await update_log.save_snapshot(database, 99, 1, b"x")
        for number in (0, 1):
            with pytest.raises(ValueError, match="a document with 0 updates"):
                await update_log.save_snapshot(database, document.id, number, b"x")
        with pytest.raises(MissingDocument):
            await update_log.load(database, 99)

    with_database(database_url, body)


def test_trimming_keeps_what_no_snapshot_holds(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        log = open_update_log(database)
        await log.append([append_of(document, *MANY[:10])])
        assert await update_log.trim(database, document.id, 10) == 0
        await update_log.save_snapshot(database, document.id, 6, b"six")
        assert await update_log.trim(database, document.id, 4) == 4
        assert await update_log.trim(database, document.id, 10) == 2
        stored = await update_log.load(database, document.id)
        assert (stored.snapshot, [row.number for row in stored.updates]) == (b"six", [7, 8, 9, 10])
        with pytest.raises(IncompleteLog):
            await update_log.load_until(database, document.id, 5)
        assert await log.append([append_of(document, b"next")]) == {document.id: 11}

    with_database(database_url, body)


def test_purging_takes_the_log_along(database_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        await open_update_log(database).append([append_of(document, b"1")])
        await update_log.save_snapshot(database, document.id, 1, b"1")
        async with database.write() as connection:
            await documents.purge(connection, document.id)
        assert await update_log.read(database, document.id, 0, 10) == []
        assert await update_log.snapshot_numbers(database, document.id) == []

    with_database(database_url, body)
