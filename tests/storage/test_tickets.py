"""Tickets."""

import asyncio

from storage import tickets
from storage.database import Database
from storage.tickets import Bearer
from tests.storage.opened import NOW, SECOND, with_database


def test_a_ticket_is_good_once_and_for_a_while(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            await tickets.create(connection, b"1", "ann", expires_at=NOW + SECOND, sid="a session")
            await tickets.create(connection, b"2", "bob", expires_at=NOW + SECOND)
            assert await tickets.consume(connection, b"?", at=NOW) is None
            assert await tickets.consume(connection, b"1", at=NOW) == Bearer("ann", "a session")
            assert await tickets.consume(connection, b"1", at=NOW) is None
            assert await tickets.consume(connection, b"2", at=NOW + SECOND) is None

    with_database(database_url, body)


def test_of_many_who_come_with_it_at_once_one_gets_in(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            await tickets.create(connection, b"1", "ann", expires_at=NOW + SECOND)
        elsewhere = await Database.open(database_url)

        async def consume(node: Database) -> Bearer | None:
            async with node.write() as connection:
                return await tickets.consume(connection, b"1", at=NOW)

        try:
            answers = await asyncio.gather(*[consume(node) for node in (database, elsewhere) * 4])
        finally:
            await elsewhere.close()
        assert [answer for answer in answers if answer] == [Bearer("ann")]
        assert len(answers) == 8

    with_database(database_url, body)


def test_expired_tickets_are_forgotten(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            for i in range(4):
                await tickets.create(connection, b"%d" % i, "ann", expires_at=NOW + i * SECOND)
            assert await tickets.purge_expired(connection, at=NOW + 2 * SECOND) == 3
            assert await tickets.consume(connection, b"3", at=NOW) == Bearer("ann")

    with_database(database_url, body)
