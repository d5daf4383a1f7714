"""A fresh installation, made once, whoever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from server.bootstrap import FIRST_USER, FIRST_WORKSPACE, prepare_first_use, signing_secret
from storage import audit, members, users, workspaces
from storage.database import Database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def play(url: str, scenario: Callable[[Database], Awaitable[None]]) -> None:
    async def run() -> None:
        database = await Database.open(url)
        try:
            await scenario(database)
        finally:
            await database.close()

    asyncio.run(run())


def test_a_first_start_makes_a_workspace_and_an_administrator_who_owns_it(database_url: str) -> None:
    async def scenario(database: Database) -> None:
        assert await prepare_first_use(database, NOW)
        async with database.read() as connection:
            user = await users.get(connection, FIRST_USER)
            workspace = await workspaces.get(connection, FIRST_WORKSPACE)
            role = await members.role_of(connection, FIRST_WORKSPACE, FIRST_USER)
            trail = await audit.read(connection, limit=10)
        assert user is not None
        assert (user.is_admin, user.is_active) == (True, True)
        assert workspace is not None
        assert role == "owner"
        assert [entry.action for entry in trail] == ["collaboration.workspaces.create", "users.create"]
        assert {entry.actor for entry in trail} == {"server/cli"}

    play(database_url, scenario)


def test_later_starts_change_nothing(sqlite_url: str) -> None:
    async def scenario(database: Database) -> None:
        await prepare_first_use(database, NOW)
        async with database.write() as connection:
            await users.change(connection, FIRST_USER, is_active=False, is_admin=False)
            await workspaces.delete(connection, FIRST_WORKSPACE, at=NOW)
        assert not await prepare_first_use(database, NOW)
        async with database.read() as connection:
            user = await users.get(connection, FIRST_USER)
            assert await workspaces.get(connection, FIRST_WORKSPACE) is None
            assert len(await audit.read(connection, limit=10)) == 2
        assert user is not None
        assert (user.is_admin, user.is_active) == (False, False)

    play(sqlite_url, scenario)


def test_nodes_that_start_together_make_it_once_and_share_a_key(database_url: str) -> None:
    async def start(number: int) -> tuple[bool, str]:
        database = await Database.open(database_url)
        try:
            first = await prepare_first_use(database, NOW)
            return first, await signing_secret(database, None, lambda: f"made by {number}")
        finally:
            await database.close()

    async def scenario(_: Database) -> None:
        answers = await asyncio.gather(*(start(number) for number in range(4)))
        assert sum(first for first, _ in answers) == 1
        assert len({secret for _, secret in answers}) == 1

    play(database_url, scenario)


def test_the_key_is_long_random_and_kept(sqlite_url: str) -> None:
    async def scenario(database: Database) -> None:
        secret = await signing_secret(database, None)
        assert len(secret) == 64
        assert await signing_secret(database, None) == secret

    play(sqlite_url, scenario)


def test_a_configured_key_is_used_and_not_stored(sqlite_url: str) -> None:
    async def scenario(database: Database) -> None:
        generated = await signing_secret(database, None)
        assert await signing_secret(database, "of the operator") == "of the operator"
        assert await signing_secret(database, None) == generated

    play(sqlite_url, scenario)
