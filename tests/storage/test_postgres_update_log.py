"""What PostgreSQL's update log promises beyond the contract."""

import asyncio
import random

import pytest
from sqlalchemy import text

from storage import update_log
from storage.database import Database
from storage.errors import BrokenReference, Unavailable
from storage.postgres_update_log import PostgresUpdateLog
from tests.storage.opened import append_of, make_documents, with_database


def test_a_refused_row_takes_the_others_with_it(postgres_url: str) -> None:
    async def body(database: Database) -> None:
        one, other = await make_documents(database, "one", "other")
        async with database.write() as connection:
            await connection.execute(text("ALTER TABLE updates ADD CHECK (length(data) < 10)"))
        log = PostgresUpdateLog(database)
        await log.append([append_of(one, b"a")])
        with pytest.raises(BrokenReference):
            await log.append([append_of(one, b"b"), append_of(other, b"x", bytes(10))])
        for document, head in ((one, 1), (other, 0)):
            stored = await update_log.load(database, document.id)
            assert (stored.head, len(stored.updates)) == (head, head)
        assert await log.append([append_of(one, b"b"), append_of(other, b"x")]) == {one.id: 2, other.id: 1}

    with_database(postgres_url, body)


def test_a_lost_connection_stores_nothing_and_is_made_anew(postgres_url: str) -> None:
    async def body(database: Database) -> None:
        (document,) = await make_documents(database, "one")
        log = PostgresUpdateLog(database)
        await log.append([append_of(document, b"a")])
        async with database.write() as connection:
            await connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            )
        with pytest.raises(Unavailable):
            await log.append([append_of(document, b"b")])
        assert await log.append([append_of(document, b"b")]) == {document.id: 2}

    with_database(postgres_url, body)


def test_many_nodes_in_any_order_do_not_block_each_other(postgres_url: str) -> None:
    async def body(database: Database) -> None:
        made = await make_documents(database, *[f"document {i}" for i in range(12)])
        appended: dict[int, int] = dict.fromkeys((document.id for document in made), 0)

        async def node(seed: int) -> None:
            choice = random.Random(seed)
            log = PostgresUpdateLog(database)
            for i in range(25):
                chosen = choice.sample(made, choice.randint(1, 12))
                heads = await log.append([append_of(document, b"%d" % i, b"more") for document in chosen])
                assert heads.keys() == {document.id for document in chosen}
                for document in chosen:
                    appended[document.id] += 2

        await asyncio.gather(*[node(seed) for seed in range(5)])
        for document in made:
            stored = await update_log.load(database, document.id)
            assert [row.number for row in stored.updates] == list(range(1, appended[document.id] + 1))

    with_database(postgres_url, body)


def test_commits_are_on_disk_whatever_the_server_says(postgres_url: str) -> None:
    async def turn_off(database: Database) -> None:
        async with database.write() as connection:
            name = database.url.database
            await connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))

    async def shown(database: Database) -> str:
        async with database.read() as connection:
            return str(await connection.scalar(text("SHOW synchronous_commit")))

    with_database(postgres_url, turn_off)
    assert with_database(postgres_url, shown) == "on"
