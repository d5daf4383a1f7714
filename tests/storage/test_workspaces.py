"""Workspaces."""

import asyncio

import pytest

from storage import members, workspaces
from storage.database import Database
from storage.errors import AlreadyExists
from storage.workspaces import Workspace
from tests.storage.opened import NOW, SECOND, with_database


def test_a_workspace_is_made_once(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            made = await workspaces.create(connection, "data", title="Data", created_by="ann", at=NOW)
            assert made == Workspace("data", "Data", "ann", NOW, None)
            with pytest.raises(AlreadyExists, match="'data'"):
                await workspaces.create(connection, "data", created_by="bob", at=NOW)
            # A conflict leaves the transaction usable.
            assert (await workspaces.create(connection, "other", created_by="bob", at=NOW)).title == "other"
        async with database.read() as connection:
            assert await workspaces.get(connection, "data") == made
            assert await workspaces.get(connection, "nowhere") is None

    with_database(database_url, body)


def test_nodes_that_start_together_make_one_workspace(database_url: str) -> None:
    async def body(database: Database) -> None:
        elsewhere = await Database.open(database_url)

        async def ensure(node: Database) -> bool:
            async with node.write() as connection:
                return await workspaces.ensure(connection, "default", created_by="admin", at=NOW)

        try:
            made = await asyncio.gather(*[ensure(node) for node in (database, elsewhere) * 3])
        finally:
            await elsewhere.close()
        assert sorted(made) == [False] * 5 + [True]

    with_database(database_url, body)


def test_deleting_hides_and_restoring_shows(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            await workspaces.create(connection, "data", created_by="ann", at=NOW)
            await members.put(connection, "data", "ann", "owner", added_by="ann", at=NOW)
            assert await workspaces.delete(connection, "data", at=NOW + SECOND)
            assert not await workspaces.delete(connection, "data", at=NOW)
            assert await workspaces.get(connection, "data") is None
            hidden = await workspaces.get(connection, "data", deleted=True)
            assert hidden is not None
            assert hidden.deleted_at == NOW + SECOND
            assert await workspaces.get(connection, "data", deleted=None) == hidden
            assert await workspaces.list_all(connection, limit=10) == []
            assert await workspaces.list_for_user(connection, "ann", limit=10) == []
            assert await workspaces.change(connection, "data", title="New") is None
            assert not await workspaces.lock(connection, "data")
            with pytest.raises(AlreadyExists):
                await workspaces.create(connection, "data", created_by="ann", at=NOW)
            assert not await workspaces.ensure(connection, "data", created_by="ann", at=NOW)
            assert await workspaces.restore(connection, "data")
            assert not await workspaces.restore(connection, "data")
            assert await workspaces.lock(connection, "data")
            assert await workspaces.get(connection, "data", deleted=True) is None

    with_database(database_url, body)


def test_changing_the_title(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            await workspaces.create(connection, "data", created_by="ann", at=NOW)
            changed = await workspaces.change(connection, "data", title="All data")
            assert changed == Workspace("data", "All data", "ann", NOW, None)
            assert await workspaces.change(connection, "nowhere", title="x") is None

    with_database(database_url, body)


def test_lists_in_pages(database_url: str) -> None:
    async def body(database: Database) -> None:
        names = [f"w{i:02}" for i in range(9)]
        async with database.write() as connection:
            for i, name in enumerate(names):
                await workspaces.create(connection, name, created_by="ann", at=NOW)
                if i % 2:
                    await members.put(connection, name, "ann", f"role{i}", added_by="ann", at=NOW)
        everything: list[str] = []
        mine: list[tuple[str, str]] = []
        async with database.read() as connection:
            while page := await workspaces.list_all(connection, after=everything[-1] if everything else None, limit=4):
                everything += [workspace.id for workspace in page]
            while memberships := await workspaces.list_for_user(
                connection, "ann", after=mine[-1][0] if mine else None, limit=3
            ):
                mine += [(membership.workspace.id, membership.role) for membership in memberships]
        assert everything == names
        assert mine == [(f"w{i:02}", f"role{i}") for i in (1, 3, 5, 7)]

    with_database(database_url, body)
