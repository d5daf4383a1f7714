"""Leases: one holder at a time, and nobody writes under one that is gone."""

import asyncio

from storage import leases
from storage.database import Database
from storage.leases import Lease
from tests.storage.opened import NOW, SECOND, with_database


def test_of_many_who_try_at_once_one_gets_it(database_url: str) -> None:
    async def body(database: Database) -> None:
        elsewhere = await Database.open(database_url)

        async def take(node: Database, holder: str) -> Lease | None:
            async with node.write() as connection:
                return await leases.take(connection, "evaluation", holder, at=NOW, until=NOW + SECOND)

        try:
            taken = await asyncio.gather(*[take((database, elsewhere)[i % 2], f"node{i}") for i in range(8)])
        finally:
            await elsewhere.close()
        (lease,) = [each for each in taken if each is not None]
        assert lease.number == 1

    with_database(database_url, body)


def test_one_that_has_ended_is_taken_by_the_next_and_kept_by_nobody_else(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            first = await leases.take(connection, "evaluation", "a", at=NOW, until=NOW + SECOND)
            assert first is not None
            assert await leases.keep(connection, first, until=NOW + 2 * SECOND)
            assert await leases.take(connection, "evaluation", "b", at=NOW + SECOND, until=NOW + 3 * SECOND) is None
            # The same node again, after it has lost it: another number.
            second = await leases.take(connection, "evaluation", "a", at=NOW + 2 * SECOND, until=NOW + 3 * SECOND)
            assert second is not None
            assert second.number == 2
            assert not await leases.keep(connection, first, until=NOW + 9 * SECOND)
            await leases.end(connection, first)
            assert await leases.keep(connection, second, until=NOW + 4 * SECOND)
            names = ("evaluation", "other")
            assert await leases.free_at(connection, names, at=NOW + 3 * SECOND) == {"other"}
            await leases.end(connection, second)
            assert await leases.free_at(connection, names, at=NOW + 3 * SECOND) == {"evaluation", "other"}

    with_database(database_url, body)


def test_all_of_a_holder_are_kept_at_once_and_those_it_has_lost_are_told(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            held = []
            for name in ("a", "b", "c"):
                lease = await leases.take(connection, name, "here", at=NOW, until=NOW + SECOND)
                assert lease is not None
                held.append(lease)
            assert await leases.take(connection, "b", "there", at=NOW + SECOND, until=NOW + 3 * SECOND) is not None
            # Here it was taken again, so what was held before is lost.
            assert await leases.take(connection, "c", "here", at=NOW + SECOND, until=NOW + 3 * SECOND) is not None
            assert await leases.keep_all(connection, held, until=NOW + 9 * SECOND) == {"a"}
            assert await leases.free_at(connection, ("a", "b"), at=NOW + 5 * SECOND) == {"b"}

    with_database(database_url, body)
