"""A conflict that was told about beforehand: nothing happens, or the row changes, and the transaction goes on."""

from sqlalchemy import select

from storage.database import Database
from storage.tables import secrets
from storage.upsert import insert
from tests.storage.opened import with_database


async def kept(database: Database) -> dict[str, bytes]:
    async with database.read() as connection:
        return {row.name: row.value for row in await connection.execute(select(secrets))}


def test_a_row_that_is_there_stays_and_the_transaction_goes_on(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            for name, value in (("one", b"1"), ("one", b"2"), ("other", b"3")):
                statement = insert(connection, secrets).values(name=name, value=value)
                await connection.execute(statement.on_conflict_do_nothing())
        assert await kept(database) == {"one": b"1", "other": b"3"}

    with_database(database_url, body)


def test_a_row_that_is_there_changes(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            for value in (b"1", b"2"):
                statement = insert(connection, secrets).values(name="one", value=value)
                changed = statement.on_conflict_do_update(index_elements=["name"], set_={"value": value})
                row = (await connection.execute(changed.returning(secrets.c.value))).one()
                assert row.value == value
        assert await kept(database) == {"one": b"2"}

    with_database(database_url, body)
