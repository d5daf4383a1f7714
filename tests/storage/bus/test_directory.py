"""Who is there: nodes that come, leave, die, and cannot be heard."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from lossy_bus import LossyBus
from redis_server import RedisServer

from storage.bus import directory
from storage.bus.channels import Bus
from storage.bus.directory import CHANNEL, LOOK_SECONDS, SILENT_LOOKS, NodeCard, NodeDirectory
from storage.bus.memory_bus import Hub, MemoryBus
from storage.bus.redis_bus import RedisBus
from tests.storage.bus.playing import StateLog, listen, play, running, until

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Member:
    """A node of the test: its directory, and whom it has been told to have lost. Its clock goes when told."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.clock = START
        self.rooms = 0
        self.directory = NodeDirectory(bus, self.describe, lambda: self.clock)
        self.lost: list[str] = []
        self.directory.on_node_lost(self.lost.append)
        self.task: asyncio.Task[None] | None = None

    def describe(self) -> NodeCard:
        return NodeCard(
            node_id=self.bus.node_id,
            host="host",
            address=f"http://{self.bus.node_id}:8400",
            pid=7,
            version="1.2.3",
            started_at=START,
            connections=3,
            rooms=self.rooms,
            draining=False,
        )

    @property
    def known(self) -> list[str]:
        return [sighting.card.node_id for sighting in self.directory.nodes()]

    def look(self, times: int) -> None:
        for _ in range(times):
            self.directory.look()

    async def until_known(self, *names: str) -> None:
        await until(lambda: self.known == list(names))

    async def die(self) -> None:
        """As by SIGKILL: without a word."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait((self.task,))


@contextlib.asynccontextmanager
async def started(*buses: Bus) -> AsyncIterator[list[Member]]:
    members = [Member(bus) for bus in buses]
    async with running(*buses):
        for member in members:
            member.task = asyncio.create_task(member.directory.run())
        try:
            yield members
        finally:
            for member in members:
                await member.die()


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody speaks or looks but when asked to, and then at once."""
    monkeypatch.setattr(directory, "LOOK_SECONDS", 1_000.0)
    monkeypatch.setattr(directory, "ANSWER_SECONDS", 0.0)


def test_nodes_know_each_other_as_soon_as_they_start(by_hand: None) -> None:
    async def scenario() -> None:
        hub = Hub()
        async with started(MemoryBus("a", hub), MemoryBus("b", hub)) as [a, b]:
            await a.until_known("a", "b")
            async with started(MemoryBus("c", hub)) as [c]:
                for member in (a, b, c):
                    await member.until_known("a", "b", "c")
                assert [sighting.card for sighting in c.directory.nodes()] == [m.describe() for m in (a, b, c)]

    play(scenario())


def test_what_a_node_says_of_itself_is_what_it_is_now(by_hand: None) -> None:
    async def scenario() -> None:
        hub = Hub()
        async with started(MemoryBus("a", hub), MemoryBus("b", hub)) as [a, b]:
            await b.until_known("a", "b")
            a.rooms = 5
            b.clock += timedelta(seconds=2)
            assert a.directory.nodes()[0].card.rooms == 5
            assert b.directory.nodes()[0].card.rooms == 0
            a.directory.speak()
            await until(lambda: b.directory.nodes()[0].card.rooms == 5)
            assert b.directory.nodes()[0].heard_at == START + timedelta(seconds=2)

    play(scenario())


def test_a_node_that_leaves_is_gone_at_once_and_silent(by_hand: None) -> None:
    async def scenario() -> None:
        hub = Hub()
        async with started(MemoryBus("a", hub), MemoryBus("b", hub)) as [a, b]:
            await a.until_known("a", "b")
            ear = await listen(a.bus, CHANNEL)
            b.directory.leave()
            b.directory.leave()
            b.directory.speak()
            await a.until_known("a")
            a.directory.speak(asks=True)
            for number in range(3):
                a.bus.publish(CHANNEL, b"%d" % number)
                await ear.until_heard(b"%d" % number)
            # Its goodbye, the question, and no answer.
            assert (a.lost, len(ear.messages)) == (["b"], 2 + 3)

    play(scenario())


def test_a_node_that_dies_is_gone_within_six_seconds(by_hand: None) -> None:
    assert SILENT_LOOKS * LOOK_SECONDS <= 6.0

    async def scenario() -> None:
        hub = Hub()
        async with started(MemoryBus("a", hub), MemoryBus("b", hub)) as [a, b]:
            await a.until_known("a", "b")
            await b.die()
            a.look(SILENT_LOOKS - 1)
            assert (a.known, a.lost) == (["a", "b"], [])
            a.look(1)
            assert (a.known, a.lost) == (["a"], ["b"])
            a.look(SILENT_LOOKS)
            assert a.lost == ["b"]

    play(scenario())


def test_a_node_that_speaks_is_never_taken_for_gone(by_hand: None) -> None:
    """Two of its words may be lost on the way."""
    looks_between = 3 * directory.LOOKS_A_WORD - 1
    assert looks_between < SILENT_LOOKS

    async def scenario() -> None:
        hub = Hub()
        async with started(MemoryBus("a", hub), MemoryBus("b", hub)) as [a, b]:
            await a.until_known("a", "b")
            for second in range(1, 4):
                a.look(looks_between)
                a.clock = START + timedelta(seconds=second)
                b.directory.speak()
                await until(lambda: a.directory.nodes()[1].heard_at == a.clock)
            assert a.lost == []

    play(scenario())


def test_nodes_speak_and_look_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "LOOK_SECONDS", 0.02)

    async def scenario() -> None:
        hub = Hub()
        async with started(MemoryBus("a", hub), MemoryBus("b", hub)) as [a, b]:
            await a.until_known("a", "b")
            ear = await listen(a.bus, CHANNEL)
            await ear.until(lambda: len(ear.messages) > 20)
            assert (a.lost, b.lost) == ([], [])
            await b.die()
            await a.until_known("a")
            assert a.lost == ["b"]

    play(scenario())


def test_one_taken_for_gone_by_mistake_comes_back(by_hand: None) -> None:
    async def scenario() -> None:
        hub = Hub()
        async with started(MemoryBus("a", hub), MemoryBus("b", hub)) as [a, b]:
            await a.until_known("a", "b")
            a.look(SILENT_LOOKS)
            assert a.known == ["a"]
            b.directory.speak()
            await a.until_known("a", "b")

    play(scenario())


def test_without_the_bus_everybody_is_kept_and_grows_old(by_hand: None) -> None:
    async def scenario() -> None:
        hub, numbers = Hub(), random.Random(1)
        buses = LossyBus("a", hub, numbers), LossyBus("b", hub, numbers)
        async with started(*buses) as [a, _]:
            await a.until_known("a", "b")
            for bus in buses:
                bus.cut_off()
            a.clock += timedelta(minutes=5)
            a.look(300)
            mine, other = a.directory.nodes()
            assert (mine.heard_at, other.heard_at) == (a.clock, START)
            buses[0].connect_again()
            a.look(SILENT_LOOKS - 1)
            assert a.lost == []
            a.look(1)
            assert a.lost == ["b"]
            # From here on only the database is the same.
            buses[1].connect_again()
            await a.until_known("a", "b")

    play(scenario())


def test_a_listener_that_raises_keeps_nobody_from_hearing(by_hand: None, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        hub = Hub()
        async with started(MemoryBus("a", hub), MemoryBus("b", hub)) as [a, b]:
            await a.until_known("a", "b")
            later: list[str] = []
            a.directory.on_node_lost(list[str]().remove)
            a.directory.on_node_lost(later.append)
            b.directory.leave()
            await a.until_known("a")
            assert a.lost == later == ["b"]

    play(scenario())
    assert "could not take the loss of a node" in caplog.text


def test_words_of_other_versions(by_hand: None) -> None:
    async def scenario() -> None:
        hub = Hub()
        async with started(MemoryBus("a", hub)) as [a]:
            ear = await listen(a.bus, CHANNEL)
            await ear.until(lambda: bool(ear.messages))
            card = {**msgspec.to_builtins(a.describe(), builtin_types=(datetime,)), "node_id": "new", "region": "north"}
            for word in (b"", b"\xc1", {"type": "sings"}, {"type": "here", "card": card, "mood": "fine"}):
                a.bus.publish(CHANNEL, word if isinstance(word, bytes) else msgspec.msgpack.encode(word))
            await a.until_known("a", "new")

    play(scenario())


def test_over_redis_and_without_it(by_hand: None) -> None:
    async def scenario(server: RedisServer) -> None:
        buses = RedisBus(server.url, "a"), RedisBus(server.url, "b")
        states = StateLog(buses[0])
        async with started(*buses) as [a, b]:
            await a.until_known("a", "b")
            await b.until_known("a", "b")
            server.kill()
            await states.until(False)
            dropped = buses[0].dropped
            a.directory.speak()
            # What nobody would hear is not said, so that it does not count as dropped.
            assert buses[0].dropped == dropped
            a.look(100)
            assert (a.known, a.lost) == (["a", "b"], [])
            b.rooms = 9
            server.start()
            # Heard again without having been asked for.
            await until(lambda: a.directory.nodes()[1].card.rooms == 9)
            b.directory.leave()
            await b.bus.close()
            await a.until_known("a")

    with RedisServer() as server:
        play(scenario(server))
