"""Rooms across nodes: what one node stores reaches the others, also when the bus loses it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from editor import Editor
from lossy_bus import LossyBus
from pycrdt import Text

from crdt.replay import replay
from handlers import relay
from handlers.parts import Workers
from handlers.rooms import Rooms
from storage import documents, update_log, workspaces
from storage.bus.memory_bus import Hub
from storage.database import Database
from storage.documents import Document
from storage.update_log import open_update_log

DEADLINE = 10.0


@dataclass
class Node:
    """A node's rooms and its place on the bus."""

    rooms: Rooms
    bus: LossyBus
    running: asyncio.Task[None]

    async def edit(self, document: Document, user: str) -> Editor:
        return Editor(self.rooms, await self.rooms.open(document), user)

    def die(self) -> None:
        """As by SIGKILL: nothing more is said."""
        self.bus.cut_off()
        self.running.cancel()


@dataclass
class Cluster:
    database: Database
    workers: Workers
    random: random.Random
    hub: Hub
    nodes: list[Node]

    def start(self, share: float = 0.0) -> Node:
        bus = LossyBus(f"node-{len(self.nodes)}", self.hub, self.random, share)
        log = open_update_log(self.database)
        rooms = Rooms(self.database, log, self.workers, commit_interval=0.0, presence_interval=0.0, bus=bus)
        self.nodes.append(Node(rooms, bus, asyncio.create_task(rooms.run())))
        return self.nodes[-1]

    async def document(self, name: str) -> Document:
        now = datetime.now(UTC)
        async with self.database.write() as connection:
            await workspaces.ensure(connection, "default", created_by="admin", at=now)
            return await documents.create(connection, "default", name, created_by="admin", at=now)

    async def logged(self, document: Document) -> str:
        rows = await update_log.read(self.database, document.id, 0, 100_000)
        return str(replay(None, [row.data for row in rows]).get("content", type=Text))


@asynccontextmanager
async def cluster(url: str, seed: int = 0) -> AsyncIterator[Cluster]:
    database = await Database.open(url)
    nodes: list[Node] = []
    try:
        yield Cluster(database, Workers(), random.Random(seed), Hub(), nodes)
    finally:
        for node in nodes:
            node.running.cancel()
        await asyncio.gather(*(node.running for node in nodes), return_exceptions=True)
        await database.close()


def play(url: str, scenario: Callable[[Cluster], Coroutine[Any, Any, None]], seed: int = 0) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE), cluster(url, seed) as nodes:
            await scenario(nodes)

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the surrounding deadline ends it
        await asyncio.sleep(0.005)


@pytest.fixture
def only_the_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks at the log without a reason, so that what arrives has come another way."""
    monkeypatch.setattr(relay, "LOOK_SECONDS", 1_000.0)


def test_n1_an_edit_reaches_the_members_on_another_node(database_url: str, only_the_bus: None) -> None:
    async def scenario(cluster: Cluster) -> None:
        document = await cluster.document("notes")
        ada = await cluster.start().edit(document, "ada")
        bob = await cluster.start().edit(document, "bob")
        ada.type("from one ")
        await until(lambda: bob.text() == "from one ")
        bob.type("to the other")
        await until(lambda: ada.text() == "from one to the other")
        assert await cluster.logged(document) == ada.text()
        assert ada.room.number == bob.room.number == 2

    play(database_url, scenario)


def test_n2_a_lost_message_is_noticed_by_the_next_and_read_from_the_log(sqlite_url: str, only_the_bus: None) -> None:
    async def scenario(cluster: Cluster) -> None:
        document = await cluster.document("notes")
        first, second = cluster.start(), cluster.start()
        ada, bob = await first.edit(document, "ada"), await second.edit(document, "bob")
        await ada.saved()
        first.bus.share = 1.0
        ada.type("lost ")
        await ada.saved()
        await until(lambda: first.bus.lost > 0)
        first.bus.share = 0.0
        ada.type("and found")
        await until(lambda: bob.text() == "lost and found")
        assert second.rooms.relay is not None
        assert second.rooms.relay.log_reads > 0

    play(sqlite_url, scenario)


def test_n3_what_was_missed_while_cut_off_comes_with_the_connection(sqlite_url: str, only_the_bus: None) -> None:
    async def scenario(cluster: Cluster) -> None:
        document = await cluster.document("notes")
        first, second = cluster.start(), cluster.start()
        ada, bob = await first.edit(document, "ada"), await second.edit(document, "bob")
        first.bus.cut_off()
        ada.type("while nobody heard")
        await ada.saved()
        second.bus.connect_again()
        await until(lambda: bob.text() == "while nobody heard")

    play(sqlite_url, scenario)


def test_n4_without_a_bus_nodes_hear_of_each_other_through_the_log(sqlite_url: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        document = await cluster.document("notes")
        first, second = cluster.start(), cluster.start()
        ada, bob = await first.edit(document, "ada"), await second.edit(document, "bob")
        first.bus.cut_off()
        second.bus.cut_off()
        ada.type("slowly, but surely")
        await until(lambda: bob.text() == "slowly, but surely")

    play(sqlite_url, scenario)


def test_n5_what_a_node_stored_and_had_no_time_to_tell_is_found(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "LOOK_SECONDS", 0.2)

    async def scenario(cluster: Cluster) -> None:
        document = await cluster.document("notes")
        first, second = cluster.start(), cluster.start()
        ada, bob = await first.edit(document, "ada"), await second.edit(document, "bob")
        first.bus.share = 1.0
        ada.type("last words")
        await ada.saved()
        first.die()
        await until(lambda: bob.text() == "last words")

    play(sqlite_url, scenario)


def test_n6_updates_come_in_the_order_of_the_log(sqlite_url: str, only_the_bus: None) -> None:
    """Others may have stored in between: what follows them waits for them."""

    async def scenario(cluster: Cluster) -> None:
        document = await cluster.document("notes")
        nodes = [cluster.start() for _ in range(3)]
        editors = [await node.edit(document, f"user-{at}") for at, node in enumerate(nodes)]
        for round_number in range(20):
            for editor in editors:
                editor.set(f"{editor.user}-{round_number}", round_number, root="map")
        for editor in editors:
            await editor.saved()
        await until(lambda: all(editor.room.number == 60 for editor in editors))
        states = {tuple(sorted(editor.room.clocks.values())) for editor in editors}
        assert len(states) == 1
        assert not any(editor.room.waiting for editor in editors)

    play(sqlite_url, scenario)


def test_n7_a_document_that_one_node_discards_is_parted_from_on_the_others(sqlite_url: str, only_the_bus: None) -> None:
    async def scenario(cluster: Cluster) -> None:
        document = await cluster.document("notes")
        first, second = cluster.start(), cluster.start()
        bob = await second.edit(document, "bob")
        await until(lambda: bool(cluster.hub.listeners))
        await first.rooms.discard(document)
        await until(lambda: bob.refused == ["this document was moved to the trash"])
        await until(lambda: second.rooms.live(document.id) is None)

    play(sqlite_url, scenario)


def test_n7_a_document_in_the_trash_is_noticed_without_a_word(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "LOOK_SECONDS", 0.2)

    async def scenario(cluster: Cluster) -> None:
        document = await cluster.document("notes")
        bob = await cluster.start().edit(document, "bob")
        async with cluster.database.write() as connection:
            await documents.trash(connection, document.id, by="admin", at=datetime.now(UTC))
        await until(lambda: len(bob.refused) == 1)

    play(sqlite_url, scenario)


def test_a_room_listens_only_as_long_as_it_is_open(sqlite_url: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        document = await cluster.document("notes")
        node = cluster.start()
        editor = await node.edit(document, "ada")
        assert list(cluster.hub.listeners) == [relay.channel_of(document.id)]
        editor.leave()
        node.rooms.sweep(float("inf"))
        assert cluster.hub.listeners == {}

    play(sqlite_url, scenario)


def test_who_reads_after_writing_elsewhere_reads_what_was_written(sqlite_url: str, only_the_bus: None) -> None:
    async def scenario(cluster: Cluster) -> None:
        document = await cluster.document("notes")
        first, second = cluster.start(), cluster.start()
        await second.edit(document, "bob")
        first.bus.cut_off()
        number = await first.rooms.edit(document, "ada", lambda doc: doc.get("content", type=Text).insert(0, "news"))
        state, at = await second.rooms.state(document)
        assert at == number
        assert str(replay(state, []).get("content", type=Text)) == "news"

    play(sqlite_url, scenario)


def test_an_update_too_large_for_the_bus_is_read_from_the_log(
    sqlite_url: str, only_the_bus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.relay_messages.MAX_CARRIED_BYTES", 1000)

    async def scenario(cluster: Cluster) -> None:
        document = await cluster.document("notes")
        ada = await cluster.start().edit(document, "ada")
        bob = await cluster.start().edit(document, "bob")
        ada.type("x" * 2000)
        await until(lambda: bob.text() == ada.text())

    play(sqlite_url, scenario)


@pytest.mark.parametrize("seed", range(6))
def test_n8_nodes_converge_whatever_the_bus_loses(
    database_url: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three nodes, a bus that loses a third of everything and is cut off at times."""
    print(f"seed {seed}")
    monkeypatch.setattr(relay, "LOOK_SECONDS", 0.3)
    monkeypatch.setattr(relay, "LOOK_SECONDS_WITHOUT_BUS", 0.2)

    async def scenario(cluster: Cluster) -> None:
        chance = cluster.random
        document = await cluster.document("notes")
        nodes = [cluster.start(share=0.3) for _ in range(3)]
        editors = [await chance.choice(nodes).edit(document, f"user-{number}") for number in range(6)]
        for _ in range(120):
            chance.choice(editors).type(chance.choice("abcdefgh "))
            if chance.random() < 0.1:
                bus = chance.choice(nodes).bus
                bus.connect_again() if bus.is_cut_off else bus.cut_off()
            if chance.random() < 0.5:
                await asyncio.sleep(0)
        for editor in editors:
            await editor.saved()
        for node in nodes:
            if node.bus.is_cut_off:
                node.bus.connect_again()
        stored = await cluster.logged(document)
        assert len(stored) == 120
        await until(lambda: all(editor.text() == stored for editor in editors))
        await until(lambda: {editor.room.number for editor in editors} == {120})

    play(database_url, scenario, seed)
