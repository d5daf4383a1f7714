"""The audit trail: it grows, it tells of tampering, and nothing else."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from storage import audit, audit_verification
from storage.audit import NO_HASH, Entry, Head
from storage.database import Database
from storage.errors import StorageError
from tests.storage.opened import NOW, SECOND, with_database

DETAILS = {"via": "token", "é": ["x", 1, None, True, 1.5], "nothing\x00": "'\";--"}


async def add(database: Database, count: int, **changes: Any) -> None:
    row = {"actor": "ann", "action": "documents.create", "target": "default/one", "outcome": "done", "at": NOW}
    async with database.write() as connection:
        for _ in range(count):
            await audit.append(connection, **{**row, **changes})


async def tamper(database: Database, *statements: str) -> None:
    """What somebody with the database's password can do."""
    async with database.write() as connection:
        if database.is_sqlite:
            for event in ("update", "delete"):
                await connection.execute(text(f"DROP TRIGGER IF EXISTS audit_no_{event}"))
        else:
            await connection.execute(text("DROP TRIGGER IF EXISTS audit_append_only ON audit"))
        for statement in statements:
            await connection.execute(text(statement))


async def verify(database: Database, kept: Head | None = None) -> int | None:
    async with database.read() as connection:
        fault = await audit_verification.verify(connection, anchors=[kept] if kept else [])
    return fault.id if fault else None


def test_rows_are_chained(database_url: str) -> None:
    async def body(database: Database) -> None:
        await add(database, 1, details=DETAILS)
        await add(database, 1, at=NOW + SECOND)
        async with database.read() as connection:
            second, first = await audit.read(connection, limit=10)
            head = await audit.head(connection)
        assert first == Entry(
            1, NOW, "ann", "documents.create", "default/one", "done", DETAILS, NO_HASH, second.previous_hash
        )
        assert (second.id, second.at, second.details) == (2, NOW + SECOND, {})
        assert head == Head(2, second.hash)
        assert await verify(database) is None
        assert await verify(database, head) is None

    with_database(database_url, body)


def test_an_empty_trail_is_whole(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.read() as connection:
            assert await audit.head(connection) is None
            assert await audit.read(connection, limit=10) == []
        assert await verify(database) is None
        assert await verify(database, Head(1, NO_HASH)) == 1

    with_database(database_url, body)


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE audit SET actor = 'bob' WHERE id = 3", 3),
        ("UPDATE audit SET at = at + 1 WHERE id = 3", 3),
        ("UPDATE audit SET outcome = 'refused' WHERE id = 5", 5),
        ("UPDATE audit SET details = '[]' WHERE id = 1", 1),
        ("UPDATE audit SET hash = previous_hash WHERE id = 4", 4),
        ("UPDATE audit SET id = 9 WHERE id = 5", 5),
        ("DELETE FROM audit WHERE id = 3", 3),
        ("DELETE FROM audit WHERE id = 1", 1),
        ("DELETE FROM audit WHERE id = 5", 5),
        ("DELETE FROM audit", 1),
    ],
)
def test_tampering_shows(database_url: str, statement: str, broken: int) -> None:
    async def body(database: Database) -> None:
        await add(database, 5)
        async with database.read() as connection:
            kept = await audit.head(connection)
        await tamper(database, statement)
        assert await verify(database, kept) == broken

    with_database(database_url, body)


def test_a_trail_written_anew_shows_against_a_kept_head(database_url: str) -> None:
    async def body(database: Database) -> None:
        await add(database, 3)
        async with database.read() as connection:
            kept = await audit.head(connection)
        await tamper(database, "DELETE FROM audit WHERE id = 3")
        await add(database, 2, actor="bob")
        assert await verify(database) is None
        assert await verify(database, kept) == 3

    with_database(database_url, body)


@pytest.mark.parametrize("length", [20, 21, 22])
def test_a_long_trail_is_verified_in_parts(sqlite_url: str, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_verification, "ROWS_AT_ONCE", 7)

    async def body(database: Database) -> None:
        await add(database, length)
        assert await verify(database) is None
        await tamper(database, "UPDATE audit SET actor = 'bob' WHERE id = 15")
        assert await verify(database) == 15

    with_database(sqlite_url, body)


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'bob'", "DELETE FROM audit"])
def test_rows_cannot_be_changed_by_mistake(database_url: str, statement: str) -> None:
    async def body(database: Database) -> None:
        await add(database, 1)
        with pytest.raises(StorageError, match="append-only"):
            async with database.write() as connection:
                await connection.execute(text(statement))
        assert await verify(database) is None

    with_database(database_url, body)


def test_nodes_that_append_at_once_make_one_chain(database_url: str) -> None:
    async def body(database: Database) -> None:
        elsewhere = await Database.open(database_url)
        try:
            await asyncio.gather(*[add([database, elsewhere][i % 2], 2, actor=f"user{i}") for i in range(12)])
        finally:
            await elsewhere.close()
        async with database.read() as connection:
            rows = await audit.read(connection, limit=100)
        assert [row.id for row in rows] == list(range(24, 0, -1))
        assert await verify(database) is None

    with_database(database_url, body)


def test_a_row_goes_with_its_transaction(database_url: str) -> None:
    async def body(database: Database) -> None:
        await add(database, 1)

        async def fail() -> None:
            async with database.write() as connection:
                await audit.append(connection, actor="ann", action="a", target="t", outcome="done", at=NOW)
                raise KeyError

        with pytest.raises(KeyError):
            await fail()
        await add(database, 1)
        assert await verify(database) is None
        async with database.read() as connection:
            assert await audit.head(connection) == Head(2, (await audit.read(connection, limit=1))[0].hash)

    with_database(database_url, body)


def test_reading_what_one_asks_for_in_pages(database_url: str) -> None:
    async def body(database: Database) -> None:
        for i in range(6):
            await add(database, 1, actor=["ann", "bob"][i % 2], outcome=["done", "refused"][i // 3], target=f"t{i}")
        async with database.read() as connection:
            page = await audit.read(connection, actor="ann", limit=2)
            rest = await audit.read(connection, actor="ann", before=page[-1].id, limit=2)
            assert [row.id for row in page + rest] == [5, 3, 1]
            assert [row.id for row in await audit.read(connection, outcome="refused", limit=9)] == [6, 5, 4]
            assert [row.id for row in await audit.read(connection, actor="bob", outcome="done", limit=9)] == [2]
            assert [row.id for row in await audit.read(connection, target="t3", limit=9)] == [4]
            assert [row.id for row in await audit.read(connection, action="nothing", limit=9)] == []

    with_database(database_url, body)


def test_details_that_are_not_json_are_refused(sqlite_url: str) -> None:
    async def body(database: Database) -> None:
        for details in ({"x": float("nan")}, {"x": object()}):
            with pytest.raises((ValueError, TypeError)):
                await add(database, 1, details=details)
        assert await verify(database) is None

    with_database(sqlite_url, body)


def test_reading_on_from_a_row(database_url: str) -> None:
    async def body(database: Database) -> None:
        await add(database, 5)
        async with database.read() as connection:
            rows = (await audit.read(connection, limit=10))[::-1]
            third = Head(3, rows[2].hash)
            assert await audit.read_after(connection, third, limit=10) == rows[3:]
            assert await audit.read_after(connection, third, limit=1) == rows[3:4]
            assert await audit.read_after(connection, Head(5, rows[4].hash), limit=10) == []
            assert await audit.read_after(connection, Head(0, NO_HASH), limit=2) == rows[:2]
            assert await audit.read_after(connection, Head(3, NO_HASH), limit=10) is None
            assert await audit.read_after(connection, Head(6, NO_HASH), limit=10) is None

    with_database(database_url, body)
