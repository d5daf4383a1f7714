"""The server's own secrets."""

import asyncio

from storage import secrets
from storage.database import Database
from tests.storage.opened import with_database


def test_a_secret_is_made_once(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            assert await secrets.get(connection, "key") is None
            assert await secrets.get_or_create(connection, "key", lambda: b"\x00first\xff") == b"\x00first\xff"
            assert await secrets.get_or_create(connection, "key", lambda: b"second") == b"\x00first\xff"
            assert await secrets.get_or_create(connection, "other", lambda: b"third") == b"third"
            assert await secrets.get(connection, "key") == b"\x00first\xff"

    with_database(database_url, body)


def test_nodes_that_make_it_at_once_get_the_same(database_url: str) -> None:
    async def body(database: Database) -> None:
        elsewhere = await Database.open(database_url)

        async def make(node: Database, mine: bytes) -> bytes:
            async with node.write() as connection:
                return await secrets.get_or_create(connection, "key", lambda: mine)

        try:
            made = await asyncio.gather(*[make([database, elsewhere][i % 2], b"%d" % i) for i in range(8)])
        finally:
            await elsewhere.close()
        assert len(set(made)) == 1

    with_database(database_url, body)
