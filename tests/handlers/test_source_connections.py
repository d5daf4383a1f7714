"""Connectors are shared, replaced when their source changes, and closed when nobody uses them."""

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from http_node import START, Node, play

from connectors import errors
from connectors.connector import Connector
from connectors.datasets import Kind
from connectors.opening import open_connector
from connectors.settings import SourceSettings
from handlers.registry import NotFound
from handlers.source_connections import IDLE_SECONDS, SourceConnections, purpose_of
from storage import data_sources
from storage.sealing import Sealer, WrongKey


class Openings:
    """Opens connectors as always, and counts them."""

    def __init__(self) -> None:
        self.opened: list[Connector] = []
        self.settings: list[SourceSettings] = []
        self.held = asyncio.Event()
        self.held.set()

    async def open(self, kind: str, settings: SourceSettings) -> Connector:
        await self.held.wait()
        self.settings.append(settings)
        connector = await open_connector(kind, settings)
        self.opened.append(connector)
        return connector


async def a_source(node: Node, folder: Path) -> int:
    path = folder / "shop.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS sold (id)")
    connection.close()
    await node.make_workspace("lab")
    async with node.parts.database.write() as writing:
        source = await data_sources.create(
            writing,
            workspace_id="lab",
            name="shop",
            kind=Kind.SQLITE,
            description=None,
            settings={"path": str(path), "row_cap": 7},
            owner="ada",
            at=START,
        )
    return source.id


def connections_of(node: Node, openings: Openings, sealer: Sealer | None = None) -> SourceConnections:
    return SourceConnections(
        node.parts.database, sealer or Sealer(b"key"), clock=lambda: node.ticks, open_source=openings.open
    )


async def is_closed(connector: Connector) -> bool:
    try:
        await connector.list_datasets()
    except errors.SourceLost:
        return True
    return False


def test_all_who_ask_share_one_connector(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        openings = Openings()
        connections = connections_of(node, openings)
        number = await a_source(node, tmp_path)
        openings.held.clear()

        async def ask() -> Connector:
            async with connections.use(number) as connector:
                return connector

        asking = [asyncio.ensure_future(ask()) for _ in range(5)]
        await asyncio.wait(asking, timeout=0.1)
        # One who goes away takes nobody along.
        asking[0].cancel()
        openings.held.set()
        await asyncio.wait(asking)
        assert {await task for task in asking[1:]} == set(openings.opened)
        assert len(openings.opened) == 1
        assert openings.settings[0].limits.row_cap == 7
        await connections.close()
        assert await is_closed(openings.opened[0])

    play(tmp_path, scenario)


def test_a_changed_source_gets_another_and_those_in_use_finish(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        openings = Openings()
        connections = connections_of(node, openings)
        number = await a_source(node, tmp_path)
        async with connections.use(number) as first:
            async with node.parts.database.write() as connection:
                await data_sources.change(connection, number, at=START + timedelta(1), description="another node's")
            async with connections.use(number) as second:
                assert second is not first
            await first.list_datasets()
        assert await is_closed(first)
        assert not await is_closed(second)
        await connections.close()

    play(tmp_path, scenario)


def test_idle_ones_are_closed(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        openings = Openings()
        connections = connections_of(node, openings)
        number = await a_source(node, tmp_path)
        async with connections.use(number):
            node.ticks += IDLE_SECONDS + 1
            await connections.close_idle()
            assert connections.open_count == 1
        node.ticks += IDLE_SECONDS - 1
        await connections.close_idle()
        assert connections.open_count == 1
        node.ticks += 2
        await connections.close_idle()
        assert connections.open_count == 0
        assert await is_closed(openings.opened[0])

    play(tmp_path, scenario)


def test_one_that_could_not_be_opened_is_tried_anew(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        openings = Openings()
        connections = connections_of(node, openings)
        number = await a_source(node, tmp_path)
        path = tmp_path / "shop.sqlite3"
        path.rename(tmp_path / "away")
        for _ in range(2):
            with pytest.raises(errors.PathNotFound):
                async with connections.use(number):
                    pass
        assert connections.open_count == 0
        (tmp_path / "away").rename(path)
        async with connections.use(number) as connector:
            await connector.test()
        await connections.close()

    play(tmp_path, scenario)


def test_credentials_are_opened_here_and_only_with_their_key(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        openings, sealer = Openings(), Sealer(b"key")
        connections = connections_of(node, openings, sealer)
        number = await a_source(node, tmp_path)
        sealed = sealer.seal(b'{"password": "secret"}', purpose_of(number))
        async with node.parts.database.write() as connection:
            await data_sources.change(connection, number, at=START, credentials=sealed, key_id=sealer.key_id)
        async with connections.use(number):
            assert openings.settings[0].password == "secret"
        await connections.close()
        with pytest.raises(WrongKey):
            async with connections_of(node, openings, Sealer(b"other")).use(number):
                pass

    play(tmp_path, scenario)


def test_a_deleted_source_is_not_there(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        connections = connections_of(node, Openings())
        number = await a_source(node, tmp_path)
        async with node.parts.database.write() as connection:
            await data_sources.delete(connection, number, at=START)
        with pytest.raises(NotFound):
            async with connections.use(number):
                pass

    play(tmp_path, scenario)
