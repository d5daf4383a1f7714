"""Integrations as they are stored: leases, positions and the feeds that are behind."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from storage import feeds, integrations, workspaces
from storage.database import Database
from storage.integrations import Integration, Lease, Position
from tests.storage.opened import NOW, SECOND, with_database

LONG = timedelta(seconds=60)


async def make(database: Database, **values: Any) -> Integration:
    async with database.write() as connection:
        await workspaces.ensure(connection, "lab", created_by="ann", at=NOW)
        common: dict[str, Any] = {"workspace_id": "lab", "name": "Hook", "kind": "webhook", "settings": {"a": 1}}
        common |= {"feeds": ["*"], "events": ["x"], "owner": "ann", "enabled": True, "at": NOW}
        return await integrations.create(connection, **{**common, **values})


async def take(database: Database, made: Integration, holder: str, *, at: Any = NOW) -> Lease | None:
    async with database.write() as connection:
        return await integrations.take_lease(connection, made.id, holder, at=at, until=at + LONG)


def test_what_is_stored_comes_back(database_url: str) -> None:
    async def body(database: Database) -> None:
        made = await make(database)
        assert (made.settings, made.feeds, made.events, made.lease_number) == ({"a": 1}, ["*"], ["x"], 0)
        async with database.write() as connection:
            changed = await integrations.change(connection, made.id, feeds=["a", "b"], credentials=b"\x00", key_id="k")
            assert changed is not None
            assert (changed.feeds, changed.credentials) == (["a", "b"], b"\x00")
            assert await integrations.get(connection, made.id) == changed
            assert await integrations.count_of(connection, "lab") == 1
            assert await integrations.remove(connection, made.id)
            assert not await integrations.remove(connection, made.id)
            assert await integrations.change(connection, made.id, name="x") is None

    with_database(database_url, body)


def test_of_many_only_one_gets_the_lease(database_url: str) -> None:
    async def body(database: Database) -> None:
        made = await make(database)
        leases = await asyncio.gather(*(take(database, made, f"node-{at}") for at in range(8)))
        assert sum(lease is not None for lease in leases) == 1

    with_database(database_url, body)


def test_a_lease_ends_by_itself_and_its_holder_is_told(database_url: str) -> None:
    async def body(database: Database) -> None:
        made = await make(database)
        first = await take(database, made, "a")
        assert first is not None
        assert await take(database, made, "a", at=NOW + LONG - SECOND) is None
        second = await take(database, made, "a", at=NOW + LONG)
        assert second is not None
        assert second.number == first.number + 1
        async with database.write() as connection:
            # The same process: its former self is told all the same.
            assert await integrations.keep_lease(connection, first, until=NOW + 9 * LONG) is None
            await integrations.end_lease(connection, first)
            assert await integrations.keep_lease(connection, second, until=NOW + 9 * LONG) is not None
            assert await integrations.unattended(connection, at=NOW + 8 * LONG) == []
            await integrations.end_lease(connection, second)
            assert [each.id for each in await integrations.unattended(connection, at=NOW)] == [made.id]

    with_database(database_url, body)


def test_a_disabled_one_is_not_leased(database_url: str) -> None:
    async def body(database: Database) -> None:
        made = await make(database, enabled=False)
        assert await take(database, made, "a") is None

    with_database(database_url, body)


def test_which_feeds_are_behind(database_url: str) -> None:
    async def body(database: Database) -> None:
        made = await make(database)
        async with database.write() as connection:
            for name in ("lab/a", "lab/b", "lab-2/c", "la/d", "@ann/notifications"):
                await feeds.append(connection, name, "x", {}, at=NOW)

        async def behind() -> list[str]:
            async with database.read() as connection:
                return [feed.name for _, feed in await integrations.behind(connection, [made.id])]

        assert await behind() == ["lab/a", "lab/b"]
        async with database.write() as connection:
            found = await feeds.get_many(connection, ["lab/a", "lab/b"])
            reached = {feed.id: Position(feed.epoch, feed.head) for feed in found.values()}
            await integrations.set_positions(connection, made.id, reached)
            assert await integrations.positions(connection, made.id) == reached
        assert await behind() == []
        async with database.write() as connection:
            await feeds.append(connection, "lab/b", "x", {}, at=NOW)
            back = {found["lab/b"].id: Position("e", 0)}
            await integrations.set_positions(connection, made.id, back, keep=True)
        assert await behind() == ["lab/b"]
        async with database.read() as connection:
            assert await integrations.positions(connection, made.id) == reached

    with_database(database_url, body)
