"""Transactions: what is committed, what is not, and who waits for whom."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from storage import leases, members, users
from storage.database import Database
from storage.errors import BrokenReference, StorageError, Unavailable
from tests.storage.opened import NOW, with_database


async def names(database: Database) -> list[str]:
    async with database.read() as connection:
        return [user.id for user in await users.list_all(connection, limit=1000)]


def test_a_block_that_ends_is_committed(database_url: str) -> None:
    async def write(database: Database) -> None:
        async with database.write() as connection:
            await users.ensure(connection, "ann", at=NOW)
        assert await names(database) == ["ann"]

    with_database(database_url, write)
    assert with_database(database_url, names) == ["ann"]


def test_a_block_that_raises_is_undone(database_url: str) -> None:
    async def body(database: Database) -> None:
        async def write() -> None:
            async with database.write() as connection:
                await users.ensure(connection, "ann", at=NOW)
                raise KeyError

        with pytest.raises(KeyError):
            await write()
        assert await names(database) == []

    with_database(database_url, body)


def test_a_broken_rule_is_a_storage_error(database_url: str) -> None:
    async def body(database: Database) -> None:
        async def write() -> None:
            async with database.write() as connection:
                await users.ensure(connection, "ann", at=NOW)
                await members.put(connection, "nowhere", "ann", "owner", added_by="ann", at=NOW)

        with pytest.raises(BrokenReference):
            await write()
        assert await names(database) == []

    with_database(database_url, body)


def test_a_wrong_statement_is_a_storage_error(database_url: str) -> None:
    async def body(database: Database) -> None:
        with pytest.raises(StorageError):
            async with database.read() as connection:
                await connection.execute(text("SELECT nonsense FROM nowhere"))
        assert await names(database) == []

    with_database(database_url, body)


def test_a_read_sees_one_state(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.read() as connection:
            assert await users.count(connection) == 0
            async with database.write() as other:
                await users.ensure(other, "ann", at=NOW)
            assert await users.count(connection) == 0
        assert await names(database) == ["ann"]

    with_database(database_url, body)


def test_many_writers_take_turns(database_url: str) -> None:
    async def body(database: Database) -> None:
        elsewhere = await Database.open(database_url)

        async def write(node: Database, name: str) -> None:
            async with node.write() as connection:
                await users.ensure(connection, name, at=NOW)

        try:
            await asyncio.gather(*[write(node, f"{i:02}") for i in range(40) for node in (database, elsewhere)])
        finally:
            await elsewhere.close()
        assert await names(database) == [f"{i:02}" for i in range(40)]

    with_database(database_url, body)


def test_a_cancelled_write_is_undone_and_the_next_goes_on(database_url: str) -> None:
    async def body(database: Database) -> None:
        async def write() -> None:
            async with database.write() as connection:
                for i in range(1000):
                    await users.ensure(connection, f"{i}", at=NOW)

        for turns in (1, 2, 5, 10, 30, 60, 120):
            task = asyncio.ensure_future(write())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with database.write() as connection:
                await users.ensure(connection, f"after {turns:03}", at=NOW)
        assert await names(database) == [f"after {turns:03}" for turns in (1, 2, 5, 10, 30, 60, 120)]

    with_database(database_url, body)


def test_a_write_that_is_cancelled_at_any_moment_keeps_no_lock(sqlite_url: str) -> None:
    """Also in the middle of the rows that it returns: whoever remembers the cancellation has them, and had the lock."""

    async def scenario(database: Database) -> None:
        remembered: list[object] = []
        async with database.write() as connection:
            lease = await leases.take(connection, "work", "me", at=NOW, until=NOW)
        assert lease is not None

        async def write() -> None:
            async with database.write() as connection:
                await leases.keep(connection, lease, until=NOW)

        for turns in range(60):
            task = asyncio.create_task(write())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            remembered += await asyncio.gather(task, return_exceptions=True)
            await write()

    with_database(sqlite_url, scenario)


def test_more_readers_than_connections(database_url: str) -> None:
    async def body(database: Database) -> None:
        assert await asyncio.gather(*[names(database) for _ in range(60)]) == [[]] * 60

    with_database(database_url, body)


def test_another_process_that_writes_is_waited_for_and_not_for_ever(sqlite_url: str) -> None:
    async def body(database: Database) -> None:
        other = sqlite3.connect(database.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"):
            async with database.write():
                pytest.fail("it is locked")
        other.execute("ROLLBACK")
        other.close()
        async with database.write() as connection:
            await users.ensure(connection, "ann", at=NOW)

    with_database(sqlite_url, body, busy_timeout=0.05)


def test_reading_does_not_wait_for_writers(sqlite_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            await users.ensure(connection, "ann", at=NOW)
            assert await names(database) == []

    with_database(sqlite_url, body)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    async def run() -> None:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await Database.open("postgresql://ann:secret@127.0.0.1:1/studio")
        with pytest.raises(Unavailable, match="cannot be reached"):
            await Database.open(f"postgresql:///studio?host={tmp_path}")

    asyncio.run(run())


def test_a_database_that_is_not_there(postgres_url: str) -> None:
    async def run() -> None:
        with pytest.raises(StorageError, match="does not exist"):
            await Database.open(postgres_url.replace("test_", "other_"))

    asyncio.run(run())


def test_reading_connections_cannot_write_in_postgresql(postgres_url: str) -> None:
    async def body(database: Database) -> None:
        with pytest.raises(StorageError, match="read-only"):
            async with database.read() as connection:
                await users.ensure(connection, "ann", at=NOW)

    with_database(postgres_url, body)


def test_a_restarted_server_costs_no_request(postgres_url: str) -> None:
    async def body(database: Database) -> None:
        assert await asyncio.gather(*[names(database) for _ in range(5)]) == [[]] * 5
        async with database.write() as connection:
            await connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            )
        assert await asyncio.gather(*[names(database) for _ in range(5)]) == [[]] * 5

    with_database(postgres_url, body)


def test_closing_twice_calls_back_once(database_url: str) -> None:
    async def body(database: Database) -> None:
        called = []

        async def first() -> None:
            called.append("first")

        async def second() -> None:
            called.append("second")

        database.at_close(first)
        database.at_close(second)
        await database.close()
        await database.close()
        assert called == ["second", "first"]

    with_database(database_url, body)


def test_only_sqlite_has_a_path(sqlite_url: str, postgres_url: str) -> None:
    async def path(database: Database) -> Path:
        return database.path

    assert with_database(sqlite_url, path) == Path(sqlite_url.removeprefix("sqlite:///"))
    with pytest.raises(StorageError):
        with_database(postgres_url, path)
