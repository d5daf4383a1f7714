"""Data sources as rows, on both databases."""

from datetime import timedelta

import pytest

from storage import data_sources, governance_tables, workspaces
from storage.database import Database
from storage.errors import AlreadyExists
from tests.storage.opened import NOW, with_database

LATER = NOW + timedelta(hours=1)
SETTINGS = {"host": "db", "tls": "verify", "schemas": ["ä"], "port": 5432}


async def made(
    database: Database, name: str, workspace_id: str = "lab", kind: str = "mysql"
) -> data_sources.DataSource:
    async with database.write() as connection:
        await workspaces.ensure(connection, workspace_id, created_by="ann", at=NOW)
        return await data_sources.create(
            connection,
            workspace_id=workspace_id,
            name=name,
            kind=kind,
            description=None,
            settings=SETTINGS,
            owner="ann",
            at=NOW,
        )


def test_a_source_is_kept_as_given(database_url: str) -> None:
    async def body(database: Database) -> None:
        source = await made(database, "sales")
        async with database.read() as connection:
            assert await data_sources.get(connection, source.id) == source
            assert await data_sources.find(connection, "lab", "sales") == source
        assert (source.settings, source.credentials, source.last_test) == (SETTINGS, None, None)

    with_database(database_url, body)


def test_a_name_is_taken_once_in_a_workspace_until_it_is_deleted(database_url: str) -> None:
    async def body(database: Database) -> None:
        first = await made(database, "sales")
        await made(database, "sales", "other")
        with pytest.raises(AlreadyExists):
            await made(database, "sales")
        async with database.write() as connection:
            assert await data_sources.delete(connection, first.id, at=LATER)
            assert not await data_sources.delete(connection, first.id, at=LATER)
        second = await made(database, "sales")
        assert second.id > first.id
        async with database.read() as connection:
            assert await data_sources.get(connection, first.id) is None

    with_database(database_url, body)


def test_a_change_is_seen_and_keeps_names_apart(database_url: str) -> None:
    async def body(database: Database) -> None:
        source, other = await made(database, "sales"), await made(database, "stock")
        async with database.write() as connection:
            changed = await data_sources.change(
                connection, source.id, at=LATER, name="sold", settings={"host": "x"}, credentials=b"\0\xff", key_id="k"
            )
            assert changed is not None
            assert (changed.name, changed.settings, changed.credentials) == ("sold", {"host": "x"}, b"\0\xff")
            assert (changed.updated_at, changed.created_at) == (LATER, NOW)
            with pytest.raises(AlreadyExists):
                await data_sources.change(connection, other.id, at=LATER, name="sold")
            assert await data_sources.change(connection, source.id, at=LATER, name="sold") == changed
            assert await data_sources.change(connection, 10**9, at=LATER, name="x") is None

    with_database(database_url, body)


def test_deleting_forgets_the_credentials(database_url: str) -> None:
    async def body(database: Database) -> None:
        source = await made(database, "sales")
        async with database.write() as connection:
            await data_sources.change(connection, source.id, at=NOW, credentials=b"sealed", key_id="k")
            await data_sources.delete(connection, source.id, at=LATER)
            rows = await connection.execute(governance_tables.data_sources.select())
            [row] = rows.all()
            assert (row.credentials, row.key_id) == (None, None)

    with_database(database_url, body)


def test_a_test_is_noted_without_counting_as_a_change(database_url: str) -> None:
    async def body(database: Database) -> None:
        source = await made(database, "sales")
        async with database.write() as connection:
            await data_sources.note_test(connection, source.id, {"ok": True}, at=LATER)
            noted = await data_sources.get(connection, source.id)
        assert noted is not None
        assert (noted.last_test, noted.tested_at, noted.updated_at) == ({"ok": True}, LATER, NOW)

    with_database(database_url, body)


def test_lists_are_of_one_workspace_and_kind(database_url: str) -> None:
    async def body(database: Database) -> None:
        first, second = await made(database, "a"), await made(database, "b", kind="files")
        await made(database, "c", "other")
        async with database.read() as connection:
            assert await data_sources.list_of(connection, "lab", limit=10) == [first, second]
            assert await data_sources.list_of(connection, "lab", limit=1) == [first]
            assert await data_sources.list_of(connection, "lab", after=first.id, limit=10) == [second]
            assert await data_sources.list_of(connection, "lab", kind="files", limit=10) == [second]

    with_database(database_url, body)
