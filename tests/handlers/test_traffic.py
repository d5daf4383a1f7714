"""What rooms take in and send out is counted as it happens: no more and no less."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from editor import Editor
from node_in_process import Node, running_node
from pycrdt import Doc, Text
from raw_updates import text, update

from crdt.lib0 import MalformedError
from crdt.room import LIVE, SYNCED
from handlers import rooms
from handlers.traffic import BY_ENGINE, MALFORMED, Traffic


@pytest.fixture
def long_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first edit a turn lasts until somebody asks for its end."""
    monkeypatch.setattr(rooms, "TURN_MICROSECONDS", 3600 * 1_000_000)


def play(folder: Path, scenario: Callable[[Node, Traffic], Awaitable[None]]) -> None:
    async def run() -> None:
        async with running_node(folder) as node:
            await scenario(node, node.rooms.traffic)

    asyncio.run(run())


async def editors(node: Node, *users: str) -> list[Editor]:
    room = await node.rooms.open(await node.document("notes"))
    return [Editor(node.rooms, room, user) for user in users]


def test_every_update_is_received_and_stored_once(tmp_path: Path) -> None:
    async def scenario(node: Node, traffic: Traffic) -> None:
        ada, bob, _ = await editors(node, "ada", "bob", "eve")
        for number in range(5):
            (ada if number % 2 else bob).type("x")
            await node.settled()
        assert (traffic.received, traffic.repeated, traffic.turns) == (5, 0, 5)
        assert traffic.deliveries == 10, "each of five edits goes to the two others"
        assert traffic.fanout.count == 5
        assert 0 < traffic.fanout.total < 1
        writer = node.rooms.writer
        assert (writer.stored, writer.lost, writer.backlog()) == (5, 0, (0, None))
        assert writer.latencies.count == 5
        assert writer.commits.count == 5

    play(tmp_path, scenario)


def test_what_comes_in_one_turn_is_one_turn(tmp_path: Path, long_turns: None) -> None:
    async def scenario(node: Node, traffic: Traffic) -> None:
        ada, bob = await editors(node, "ada", "bob")
        ada.type("at once")
        for _ in range(7):
            ada.type("x")
        await ada.saved()
        assert (traffic.received, traffic.turns, traffic.deliveries) == (8, 2, 2)
        bob.type("both")
        ada.type("of us")
        await ada.saved()
        assert (traffic.turns, traffic.deliveries) == (3, 4), "a turn of two authors goes to both"

    play(tmp_path, scenario)


def test_a_repetition_is_told_from_a_new_update(tmp_path: Path) -> None:
    async def scenario(node: Node, traffic: Traffic) -> None:
        (ada,) = await editors(node, "ada")
        ada.type("once")
        node.rooms.receive(ada.room, ada, SYNCED, ada.doc.get_update())
        await node.settled()
        assert (traffic.received, traffic.repeated, node.rooms.writer.stored) == (2, 1, 1)

    play(tmp_path, scenario)


def test_what_is_not_an_update_is_refused(tmp_path: Path) -> None:
    async def scenario(node: Node, traffic: Traffic) -> None:
        (ada,) = await editors(node, "ada")
        with pytest.raises(MalformedError):
            node.rooms.receive(ada.room, ada, LIVE, b"\xff\xff\xff")
        with pytest.raises(MalformedError):
            await node.rooms.receive_large(ada.room, ada, LIVE, b"\xff\xff\xff")
        assert (traffic.received, traffic.refused[MALFORMED]) == (2, 2)

    play(tmp_path, scenario)


def test_what_the_engine_refuses_is_counted_apart_from_the_rest_of_its_turn(tmp_path: Path, long_turns: None) -> None:
    async def scenario(node: Node, traffic: Traffic) -> None:
        (ada,) = await editors(node, "ada")
        ada.type("at once")
        ada.type("good")
        no_place = update((6, 0, [text("x", parent=(ada.doc.client_id, 0))]))
        assert node.rooms.receive(ada.room, ada, LIVE, no_place)
        await ada.saved()
        assert "no shared type" in ada.refused[0]
        assert (traffic.received, traffic.refused[BY_ENGINE], node.rooms.writer.stored) == (3, 1, 2)

    play(tmp_path, scenario)


def test_a_large_update_is_received_once(tmp_path: Path) -> None:
    async def scenario(node: Node, traffic: Traffic) -> None:
        (ada,) = await editors(node, "ada")
        large: Doc[Any] = Doc()
        for _ in range(1000):
            large.get("content", type=Text).insert(0, "word ")
        await node.rooms.receive_large(ada.room, ada, SYNCED, large.get_update())
        await node.settled()
        assert (traffic.received, traffic.repeated) == (1, 0)
        assert node.rooms.writer.stored >= 1

    play(tmp_path, scenario)


def test_http_edits_count_as_well(tmp_path: Path) -> None:
    async def scenario(node: Node, traffic: Traffic) -> None:
        document = await node.document("notes")
        await editors(node, "ada", "bob")
        await node.rooms.edit(document, "eve", lambda doc: doc.get("content", type=Text).insert(0, "over HTTP"))
        assert (traffic.received, traffic.turns, traffic.deliveries, node.rooms.writer.stored) == (1, 1, 2, 1)
        await node.rooms.edit(document, "eve", lambda doc: doc.get("content", type=Text).insert(0, ""))
        assert (traffic.received, traffic.repeated) == (2, 1)

    play(tmp_path, scenario)


def test_what_waits_for_the_disk_is_known_with_its_age(tmp_path: Path) -> None:
    async def scenario(node: Node, traffic: Traffic) -> None:
        (ada,) = await editors(node, "ada")
        async with node.database.write_lock:
            started = time.time_ns() // 1000
            ada.type("first")
            told = time.time_ns() // 1000
            ada.type("second")
            saved = asyncio.create_task(ada.saved())
            await asyncio.sleep(0)
            unstored, oldest = node.rooms.writer.backlog()
            assert unstored == 2
            assert oldest is not None
            assert started <= oldest <= told
        await saved
        assert node.rooms.writer.backlog() == (0, None)

    play(tmp_path, scenario)


def test_what_a_deleted_document_had_is_lost_and_said_to_be(tmp_path: Path) -> None:
    async def scenario(node: Node, traffic: Traffic) -> None:
        (ada,) = await editors(node, "ada")
        await node.purge(await node.document("notes"))
        ada.type("too late")
        await node.settled()
        writer = node.rooms.writer
        assert (writer.stored, writer.lost, writer.backlog()) == (0, 1, (0, None))

    play(tmp_path, scenario)


def test_loads_are_timed(tmp_path: Path) -> None:
    async def scenario(node: Node, traffic: Traffic) -> None:
        document = await node.document("notes")
        loading = [asyncio.create_task(node.rooms.open(document)) for _ in range(3)]
        await asyncio.sleep(0)
        assert node.rooms.loading_count == 1
        await asyncio.gather(*loading)
        assert (node.rooms.loading_count, node.rooms.loader.seconds.count, node.rooms.open_count) == (0, 1, 1)

    play(tmp_path, scenario)
