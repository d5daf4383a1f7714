"""Members."""

import asyncio

import pytest

from storage import members, workspaces
from storage.database import Database
from storage.errors import BrokenReference
from storage.members import Member
from tests.storage.opened import NOW, SECOND, with_database


async def make_workspace(database: Database) -> None:
    async with database.write() as connection:
        await workspaces.create(connection, "data", created_by="ann", at=NOW)


def test_a_member_gets_a_role_and_another(database_url: str) -> None:
    async def body(database: Database) -> None:
        await make_workspace(database)
        async with database.write() as connection:
            first = await members.put(connection, "data", "bob", "viewer", added_by="ann", at=NOW)
            assert first == Member("data", "bob", "viewer", "ann", NOW)
            second = await members.put(connection, "data", "bob", "editor", added_by="eve", at=NOW + SECOND)
            assert second == Member("data", "bob", "editor", "ann", NOW)
        async with database.read() as connection:
            assert await members.get(connection, "data", "bob") == second
            assert await members.role_of(connection, "data", "bob") == "editor"
            assert await members.get(connection, "data", "ann") is None

    with_database(database_url, body)


def test_strangers_and_hidden_workspaces_have_no_role(database_url: str) -> None:
    async def body(database: Database) -> None:
        await make_workspace(database)
        async with database.write() as connection:
            await members.put(connection, "data", "bob", "viewer", added_by="ann", at=NOW)
            assert await members.role_of(connection, "data", "eve") is None
            assert await members.role_of(connection, "nowhere", "bob") is None
            await workspaces.delete(connection, "data", at=NOW)
            assert await members.role_of(connection, "data", "bob") is None
            await workspaces.restore(connection, "data")
            assert await members.role_of(connection, "data", "bob") == "viewer"

    with_database(database_url, body)


def test_removing(database_url: str) -> None:
    async def body(database: Database) -> None:
        await make_workspace(database)
        async with database.write() as connection:
            await members.put(connection, "data", "bob", "viewer", added_by="ann", at=NOW)
            assert await members.remove(connection, "data", "bob")
            assert not await members.remove(connection, "data", "bob")
            assert await members.role_of(connection, "data", "bob") is None

    with_database(database_url, body)


def test_a_workspace_that_is_not_there_has_no_members(database_url: str) -> None:
    async def body(database: Database) -> None:
        with pytest.raises(BrokenReference):
            async with database.write() as connection:
                await members.put(connection, "nowhere", "bob", "viewer", added_by="ann", at=NOW)

    with_database(database_url, body)


def test_lists_and_counts(database_url: str) -> None:
    async def body(database: Database) -> None:
        await make_workspace(database)
        async with database.write() as connection:
            for name, role in (("cy", "owner"), ("ann", "owner"), ("bob", "viewer")):
                await members.put(connection, "data", name, role, added_by="ann", at=NOW)
        async with database.read() as connection:
            first = await members.list_of(connection, "data", limit=2)
            rest = await members.list_of(connection, "data", after=first[-1].user_id, limit=2)
            assert [member.user_id for member in first + rest] == ["ann", "bob", "cy"]
            assert await members.count(connection, "data") == 3
            assert await members.count(connection, "data", "owner") == 2
            assert await members.count(connection, "other") == 0

    with_database(database_url, body)


def test_the_last_owner_cannot_be_removed_by_two_at_once(database_url: str) -> None:
    """How a rule over several rows is kept: with the workspace locked."""

    async def body(database: Database) -> None:
        await make_workspace(database)
        async with database.write() as connection:
            for name in ("ann", "bob"):
                await members.put(connection, "data", name, "owner", added_by="ann", at=NOW)

        async def leave(name: str) -> None:
            async with database.write() as connection:
                await workspaces.lock(connection, "data")
                if await members.count(connection, "data", "owner") > 1:
                    await members.remove(connection, "data", name)

        await asyncio.gather(leave("ann"), leave("bob"))
        async with database.read() as connection:
            assert await members.count(connection, "data", "owner") == 1

    with_database(database_url, body)
