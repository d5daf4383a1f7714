"""What SQLite's update log promises beyond the contract: what is left when it fails, and how it uses the file."""

import _sqlite3
import asyncio
import ctypes
import itertools
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from storage import sqlite_update_log, update_log
from storage.database import Database
from storage.errors import BrokenReference, Unavailable
from storage.sqlite_update_log import SqliteUpdateLog, insert_statement, number
from storage.update_log import Append, PendingUpdate
from tests.storage.appender import UPDATES
from tests.storage.opened import append_of, make_documents, with_database

ROOT = Path(__file__).parents[2]


def make_document(url: str) -> int:
    async def body(database: Database) -> int:
        (document,) = await make_documents(database, "one")
        return document.id

    return with_database(url, body)


async def set_pragma(log: SqliteUpdateLog, pragma: str) -> None:
    await log.thread.run(lambda connection: connection.execute(f"PRAGMA {pragma}").fetchall())


def test_the_connection_writes_through(sqlite_url: str) -> None:
    async def body(database: Database) -> None:
        log = SqliteUpdateLog(database)

        def pragmas(connection: sqlite3.Connection) -> list[object]:
            names = ("journal_mode", "synchronous", "foreign_keys")
            return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

        assert await log.thread.run(pragmas) == ["wal", 2, 1]

    with_database(sqlite_url, body)


@pytest.mark.parametrize("count", [1, 100, 1000])
def test_a_full_disk_stores_nothing(sqlite_url: str, count: int) -> None:
    async def body(database: Database) -> None:
        one, other = await make_documents(database, "one", "other")
        log = SqliteUpdateLog(database)
        await log.append([append_of(one, b"a")])
        await set_pragma(log, "max_page_count = 1")
        large = [append_of(one, b"b"), append_of(other, *[bytes(8000)] * count)]
        for _ in range(2):
            with pytest.raises(Unavailable, match="full"):
                await log.append(large)
        for document, head in ((one, 1), (other, 0)):
            stored = await update_log.load(database, document.id)
            assert (stored.head, len(stored.updates)) == (head, head)
        await set_pragma(log, "max_page_count = 1000000")
        assert await log.append(large) == {one.id: 2, other.id: count}

    with_database(sqlite_url, body)


def test_a_locked_database_stores_nothing(sqlite_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        log = SqliteUpdateLog(database)
        with sqlite3.connect(database.path, isolation_level=None) as other:
            for updates in ([b"a"], [b"a"] * 500):
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(Unavailable, match="locked"):
                    await log.append([append_of(document, *updates)])
                other.execute("ROLLBACK")
            head = await log.append([append_of(document, b"a")])
        other.close()
        assert head == {document.id: 1}

    with_database(sqlite_url, body, busy_timeout=0.01)


def test_a_refused_row_takes_the_others_with_it(sqlite_url: str) -> None:
    async def body(database: Database) -> None:
        one, other = await make_documents(database, "one", "other")
        log = SqliteUpdateLog(database)
        await log.append([append_of(one, b"a"), append_of(other, b"x")])
        bad = PendingUpdate(None, 0, 1, b"y")  # type: ignore[arg-type]
        with pytest.raises(BrokenReference):
            await log.append([append_of(one, b"b"), Append(other.id, [bad])])
        assert await log.append([append_of(one, b"b"), append_of(other, b"y")]) == {one.id: 2, other.id: 2}

    with_database(sqlite_url, body)


@pytest.mark.parametrize("acknowledged", [1, 2, 3, 5, 8, 13, 21, 34])
def test_a_killed_process_leaves_whole_appends(sqlite_url: str, acknowledged: int) -> None:
    document_id = make_document(sqlite_url)
    command = [sys.executable, "-m", "tests.storage.appender", sqlite_url, str(document_id)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = list(itertools.islice(process.stdout, acknowledged))
        process.kill()
        lines += process.stdout.readlines()
    whole = [line for line in lines if line.endswith("\n")]
    append, head = map(int, whole[-1].split())

    async def body(database: Database) -> None:
        stored = await update_log.load(database, document_id)
        assert stored.head >= head >= acknowledged * UPDATES
        assert [row.number for row in stored.updates] == list(range(1, stored.head + 1))
        counts = Counter(int(row.data) for row in stored.updates)
        assert set(counts) >= set(range(1, append + 1))
        assert set(counts.values()) == {UPDATES}
        heads = await SqliteUpdateLog(database).append([append_of(document_id, b"after")])
        assert heads == {document_id: stored.head + 1}

    with_database(sqlite_url, body)


def test_the_trigger_refuses_a_number_that_is_not_next(sqlite_url: str) -> None:
    document_id = make_document(sqlite_url)
    connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    row = [document_id, 1, "ann", 0, 1, b"x"]
    connection.execute(insert_statement(1), row)
    for wrong in (1, 3, 0, -1):
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(insert_statement(1), [document_id, wrong, *row[2:]])
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(insert_statement(1), [document_id + 1, *row[1:]])
    assert connection.execute("SELECT head, size_bytes FROM documents").fetchall() == [(1, 1)]
    connection.close()


def test_numbers_remembered_wrongly_are_read_again(sqlite_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        mine, theirs = SqliteUpdateLog(database), SqliteUpdateLog(database)
        heads = [(await log.append([append_of(document, b"x")]))[document.id] for log in (mine, theirs, mine, mine)]
        assert heads == [1, 2, 3, 4]

    with_database(sqlite_url, body)


def test_an_append_that_is_cancelled_keeps_other_writers_out_until_it_is_done(sqlite_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        log = SqliteUpdateLog(database)
        with sqlite3.connect(database.path, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            task = asyncio.ensure_future(log.append([append_of(document, b"a")]))
            await asyncio.sleep(0)
            assert database.write_lock.locked()
            task.cancel()
            await asyncio.sleep(0)
            assert database.write_lock.locked()
            other.execute("ROLLBACK")
        other.close()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not database.write_lock.locked()
        assert await log.append([append_of(document, b"b")]) == {document.id: 2}

    with_database(sqlite_url, body)


def test_few_documents_numbers_are_remembered(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_update_log, "_MAX_HEADS", 3)

    async def body(database: Database) -> None:
        made = await make_documents(database, *(f"d{number}" for number in range(9)))
        log = SqliteUpdateLog(database)
        for head in range(1, 4):
            for document in made:
                assert await log.append([append_of(document, b"a")]) == {document.id: head}
                assert len(log._heads) <= 4

    with_database(sqlite_url, body)


def test_what_is_kept_of_the_file_and_of_statements_is_bounded(sqlite_url: str) -> None:
    """SQLite counts what it has for all connections of this process, so this one looks at what is added."""
    library = ctypes.CDLL(_sqlite3.__file__)
    if not hasattr(library, "sqlite3_memory_used"):
        pytest.skip("this Python has SQLite built in, and its count cannot be asked for")
    library.sqlite3_memory_used.restype = ctypes.c_longlong

    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        log = SqliteUpdateLog(database)
        await log.append([append_of(document, b"a")])
        before = library.sqlite3_memory_used()
        for rows in range(1, 129):
            await log.append([append_of(document, *[bytes(200)] * rows)])
        for rows in range(2, 20):
            await log.append([append_of(document, *[bytes(500_000)] * rows)])
        await log.append([append_of(document, b"a")])
        async with database.write() as connection:
            await connection.exec_driver_sql("UPDATE updates SET author = 'bob'")
        assert library.sqlite3_memory_used() - before < 8 * 2**20

    with_database(sqlite_url, body)


def test_numbering() -> None:
    updates = [PendingUpdate("ann", 0, 7, b"a"), PendingUpdate("bob", 1, 8, b"b")]
    appends = [Append(1, updates), Append(2, updates[:1]), Append(1, updates[:1])]
    assert number(appends, {1: 10}) is None
    assert number(appends, {1: 10, 2: 0}) == (
        {1: 13, 2: 1},
        [1, 11, "ann", 0, 7, b"a", 1, 12, "bob", 1, 8, b"b", 2, 1, "ann", 0, 7, b"a", 1, 13, "ann", 0, 7, b"a"],
    )


def test_a_closed_log_refuses(sqlite_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        log = SqliteUpdateLog(database)
        await log.close()
        with pytest.raises(RuntimeError, match="closed"):
            await log.append([append_of(document, b"a")])

    with_database(sqlite_url, body)
