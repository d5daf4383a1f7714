"""Whole nodes that find each other, and what each says of itself."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from migrated import migrated_sqlite

from server.app import Studio, running
from server.bootstrap import installation_name, prepare_first_use, signing_secret
from server.http import utc_now
from server.settings import Settings
from server.startup import StartError
from server.this_node import Load, ThisNode, address_for_others
from server.tokens import ServerIssuer
from storage.bus.directory import LOOK_SECONDS, SILENT_LOOKS
from storage.database import Database
from tests.storage.bus.playing import Ear, connected

DEADLINE = 20.0


@contextlib.asynccontextmanager
async def started(settings: Settings, port: int | None = None) -> AsyncIterator[tuple[Studio, httpx.AsyncClient]]:
    """A node over a migrated database, and its administrator's client."""
    database = await Database.open(settings.database_url)
    try:
        await prepare_first_use(database, utc_now())
        secret = await signing_secret(database, None)
        token = ServerIssuer(secret, utc_now).issue("admin", timedelta(hours=1))
        async with running(settings, database, secret, port=port) as studio:
            transport = httpx.ASGITransport(app=studio.app)
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(transport=transport, base_url="http://studio", headers=headers) as client:
                yield studio, client
    finally:
        await database.close()


async def names_at(client: httpx.AsyncClient) -> set[str]:
    answer = await client.get("/nodes")
    assert answer.status_code == 200, answer.text
    return {item["node_id"] for item in answer.json()["items"]}


async def until_names(client: httpx.AsyncClient, *studios: Studio) -> None:
    while await names_at(client) != {studio.parts.bus.node_id for studio in studios}:  # noqa: ASYNC110 - the test's deadline
        await asyncio.sleep(0.01)


def test_nodes_on_one_database_find_each_other_and_part(postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, database_url=postgres_url, redis_url=redis_url)

    async def scenario() -> None:
        async with started(settings, 8401) as (one, client):
            async with started(settings, 8402) as (two, other_client):
                await until_names(client, one, two)
                await until_names(other_client, one, two)
                items = (await client.get("/nodes")).json()["items"]
                assert {item["address"] for item in items} == {"http://127.0.0.1:8401", "http://127.0.0.1:8402"}
                assert {item["is_self"] for item in items} == {True, False}
                lost: list[str] = []
                one.parts.nodes.on_node_lost(lost.append)
            assert await names_at(client) <= {one.parts.bus.node_id, two.parts.bus.node_id}
            # Long before it would be missed.
            async with asyncio.timeout(SILENT_LOOKS * LOOK_SECONDS / 2):
                await until_names(client, one)
            assert lost == [two.parts.bus.node_id]

    asyncio.run(asyncio.wait_for(scenario(), DEADLINE))


def test_nodes_on_two_databases_share_a_redis_and_nothing_else(redis_url: str, tmp_path: Path) -> None:
    def settings_of(name: str) -> Settings:
        file = tmp_path / f"{name}.sqlite3"
        shutil.copy(migrated_sqlite(), file)
        return Settings(database_url=f"sqlite:///{file}", redis_url=redis_url)

    async def scenario() -> None:
        async with started(settings_of("one")) as (one, client), started(settings_of("two")) as (two, _):
            ear = Ear()
            for studio in (one, two):
                await connected(studio.parts.bus)
                studio.parts.bus.subscribe("c", ear)
            await ear.until_resumed(2)
            one.parts.bus.publish("c", b"of one")
            one.parts.bus.publish("c", b"only")
            await ear.until_heard(b"of one", b"only")
            assert await names_at(client) == {one.parts.bus.node_id}

    asyncio.run(asyncio.wait_for(scenario(), DEADLINE))


def test_a_node_starts_without_its_redis_and_lists_itself(sqlite_url: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"

        async def scenario() -> None:
            async with started(Settings(database_url=sqlite_url, redis_url=nowhere)) as (studio, client):
                assert await names_at(client) == {studio.parts.bus.node_id}
                assert not studio.parts.bus.is_connected

        asyncio.run(asyncio.wait_for(scenario(), DEADLINE))


def test_a_redis_url_that_cannot_be_used_is_told_in_one_line(sqlite_url: str) -> None:
    async def scenario() -> None:
        with pytest.raises(StartError, match=r"the Redis URL cannot be used: .*nonsense"):
            async with started(Settings(database_url=sqlite_url, redis_url="redis://host/0?nonsense=1")):
                await asyncio.Event().wait()

    asyncio.run(scenario())


def test_an_installation_keeps_its_name(database_url: str) -> None:
    async def scenario() -> None:
        database = await Database.open(database_url)
        try:
            names = {await installation_name(database) for _ in range(3)}
            assert [len(name) for name in names] == [12]
        finally:
            await database.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("settings", "port", "address"),
    [
        (Settings(host="10.0.0.7", port=0), 4711, "http://10.0.0.7:4711"),
        (Settings(host="::1", port=8400), None, "http://[::1]:8400"),
        (Settings(host="0.0.0.0"), None, f"http://{socket.gethostname()}:8400"),
        (Settings(host="::"), None, f"http://{socket.gethostname()}:8400"),
        (Settings(public_url="https://studio.example.org"), 8400, "https://studio.example.org"),
    ],
)
def test_the_address_is_one_that_others_can_use(settings: Settings, port: int | None, address: str) -> None:
    assert address_for_others(settings, port) == address


def test_the_load_is_that_of_the_moment() -> None:
    load = Load(1, 2, draining=False)
    node = ThisNode("n", Settings(), None, datetime(2026, 3, 1, tzinfo=UTC), lambda: load)
    assert (node.describe().connections, node.describe().rooms, node.describe().draining) == (1, 2, False)
    load = Load(3, 4, draining=True)
    assert (node.describe().connections, node.describe().rooms, node.describe().draining) == (3, 4, True)
