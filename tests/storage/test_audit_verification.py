"""Each way of tampering is told from the others, and the first row that it shows in is named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from storage import audit
from storage.audit import Head
from storage.audit_verification import Fault, Span, What, span_between, verify
from storage.database import Database
from storage.tables import audit as table
from tests.storage.opened import NOW, SECOND, with_database
from tests.storage.test_audit import add, tamper

Tamper = Callable[[Database], Awaitable[None]]


async def found(database: Database, *anchors: Head, first: int | None = None, last: int | None = None) -> Fault | None:
    async with database.read() as connection:
        return await verify(connection, anchors=anchors, span=Span(first, last))


async def heads(database: Database) -> dict[int, Head]:
    async with database.read() as connection:
        return {row.id: Head(row.id, row.hash) for row in await audit.read(connection, limit=100)}


def sealed(row: dict[str, Any]) -> dict[str, Any]:
    """The row with a seal of the tamperer's own."""
    content = {name: value for name, value in row.items() if name != "hash"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return {**content, "hash": hashlib.sha256(text.encode()).hexdigest()}


async def rewrite(database: Database, first: int) -> None:
    """Writes all rows from here on anew, as whoever knows how rows are sealed can: the chain is whole again."""
    await tamper(database, f"UPDATE audit SET actor = 'eve' WHERE id = {first}")
    async with database.write() as connection:
        rows = (await connection.execute(select(table).order_by(table.c.id))).mappings().all()
        before = rows[first - 2]["hash"]
        for row in rows[first - 1 :]:
            anew = sealed({**row, "previous_hash": before})
            await connection.execute(update(table).where(table.c.id == row["id"]).values(anew))
            before = anew["hash"]


async def swap(database: Database) -> None:
    await tamper(
        database,
        "UPDATE audit SET id = 99 WHERE id = 2",
        "UPDATE audit SET id = 2 WHERE id = 3",
        "UPDATE audit SET id = 3 WHERE id = 99",
    )


async def insert_at_the_end(database: Database) -> None:
    """A row with a good seal, chained to one that is not the last."""
    async with database.write() as connection:
        row = (await connection.execute(select(table).where(table.c.id == 3))).mappings().one()
        await connection.execute(insert(table).values(sealed({**row, "id": 6, "actor": "eve"})))


async def insert_between(database: Database) -> None:
    """A row in the middle: all later ones have to move."""
    await tamper(
        database,
        *[f"UPDATE audit SET id = {number + 1} WHERE id = {number}" for number in (5, 4, 3)],
        "INSERT INTO audit SELECT 3, at, 'eve', action, target, outcome, details, previous_hash, hash FROM audit "
        "WHERE id = 2",
    )


def doing(*statements: str) -> Tamper:
    async def run(database: Database) -> None:
        await tamper(database, *statements)

    return run


@pytest.mark.parametrize(
    ("tampering", "row", "what"),
    [
        (doing("UPDATE audit SET actor = 'eve' WHERE id = 3"), 3, What.CHANGED),
        (doing("DELETE FROM audit WHERE id = 3"), 3, What.MISSING),
        (doing("DELETE FROM audit WHERE id <= 2"), 1, What.MISSING),
        (doing("DELETE FROM audit WHERE id >= 4"), 4, What.CUT_OFF),
        (doing("DELETE FROM audit"), 1, What.CUT_OFF),
        (
            doing(
                "INSERT INTO audit SELECT 0, at, 'eve', action, target, outcome, details, hash, hash FROM audit "
                "WHERE id = 1"
            ),
            0,
            What.EXTRA,
        ),
        (insert_at_the_end, 6, What.FOREIGN),
        (insert_between, 3, What.CHANGED),
        (swap, 2, What.CHANGED),
        (lambda database: rewrite(database, 3), 5, What.NOT_KEPT),
    ],
)
def test_what_was_done_is_told(database_url: str, tampering: Tamper, row: int, what: What) -> None:
    async def body(database: Database) -> None:
        await add(database, 5)
        kept = (await heads(database))[5]
        assert await found(database, kept) is None
        await tampering(database)
        assert await found(database, kept) == Fault(row, what)

    with_database(database_url, body)


def test_more_anchors_narrow_down_where_it_was_written_anew(database_url: str) -> None:
    async def body(database: Database) -> None:
        await add(database, 6)
        kept = await heads(database)
        await rewrite(database, 4)
        assert await found(database) is None
        assert await found(database, kept[6]) == Fault(6, What.NOT_KEPT)
        assert await found(database, kept[2], kept[6], kept[4]) == Fault(4, What.NOT_KEPT)
        assert await found(database, kept[2], kept[3]) is None

    with_database(database_url, body)


def test_an_altered_anchor_shows_wherever_it_is(database_url: str) -> None:
    async def body(database: Database) -> None:
        await add(database, 5)
        altered = Head(3, (await heads(database))[4].hash)
        assert await found(database, altered) == Fault(3, What.NOT_KEPT)
        assert await found(database, altered, first=4) == Fault(3, What.NOT_KEPT)

    with_database(database_url, body)


def test_a_part_hangs_on_the_row_before_it(database_url: str) -> None:
    async def body(database: Database) -> None:
        await add(database, 6)
        await tamper(database, "UPDATE audit SET actor = 'eve' WHERE id = 2")
        assert await found(database, first=3, last=5) is None
        assert await found(database, first=2, last=5) == Fault(2, What.CHANGED)
        assert await found(database, last=1) is None
        await tamper(database, "UPDATE audit SET hash = 'x' WHERE id = 2")
        assert await found(database, first=3) == Fault(3, What.FOREIGN)
        await tamper(database, "DELETE FROM audit WHERE id = 2")
        assert await found(database, first=3) == Fault(2, What.MISSING)
        assert await found(database, first=4, last=6) is None
        assert await found(database, first=4, last=7) == Fault(7, What.CUT_OFF)

    with_database(database_url, body)


def test_a_part_by_time_takes_all_rows_between(database_url: str) -> None:
    async def body(database: Database) -> None:
        # A clock that is behind: the fourth row is written later and says that it is earlier.
        for seconds in (0, 10, 20, 5, 30):
            await add(database, 1, at=NOW + seconds * SECOND)
        async with database.read() as connection:
            assert await span_between(connection, NOW + 6 * SECOND, NOW + 25 * SECOND) == Span(2, 3)
            assert await span_between(connection, NOW + 5 * SECOND, NOW + 5 * SECOND) == Span(4, 4)
            assert await span_between(connection, None, NOW + 9 * SECOND) == Span(None, 4)
            assert await span_between(connection, NOW + 20 * SECOND, None) == Span(3, None)
            assert await span_between(connection, NOW + 31 * SECOND, None) is None

    with_database(database_url, body)
