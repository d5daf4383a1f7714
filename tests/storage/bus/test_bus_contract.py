"""What every bus does, in one process and over Redis."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from storage.bus.channels import Bus
from storage.bus.memory_bus import Hub, MemoryBus
from storage.bus.redis_bus import RedisBus
from tests.storage.bus.playing import DEADLINE, Ear, connected, listen, running

Scenario = Callable[[Bus, Bus], Awaitable[None]]
Play = Callable[[Scenario], None]


@pytest.fixture(params=["memory", "redis", "redis on uvloop"])
def play(request: pytest.FixtureRequest) -> Play:
    """Runs a scenario with the buses of two nodes."""
    url = request.getfixturevalue("redis_url") if "redis" in request.param else None
    new_loop = uvloop.new_event_loop if "uvloop" in request.param else asyncio.new_event_loop

    def pair() -> tuple[Bus, Bus]:
        if url is not None:
            return RedisBus(url, "a"), RedisBus(url, "b")
        hub = Hub()
        return MemoryBus("a", hub), MemoryBus("b", hub)

    def play(scenario: Scenario) -> None:
        async def run() -> None:
            buses = pair()
            async with asyncio.timeout(DEADLINE), running(*buses):
                for bus in buses:
                    await connected(bus)
                await scenario(*buses)

        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(run())

    return play


def test_b1_messages_arrive_in_order_on_every_node_the_senders_too(play: Play) -> None:
    async def scenario(a: Bus, b: Bus) -> None:
        mine, theirs = await listen(a, "c"), await listen(b, "c")
        sent = [b"%d" % number for number in range(500)]
        for message in sent:
            a.publish("c", message)
        await mine.until_heard(sent[-1])
        await theirs.until_heard(sent[-1])
        assert mine.messages == theirs.messages == sent

    play(scenario)


def test_b2_a_channel_carries_only_its_own_messages(play: Play) -> None:
    async def scenario(a: Bus, b: Bus) -> None:
        one, other = await listen(b, "room:1"), await listen(b, "room:2")
        a.publish("room:1", b"one")
        a.publish("room:", b"nobody")
        a.publish("room:2", b"other")
        await one.until_heard(b"one")
        await other.until_heard(b"other")
        assert (one.messages, other.messages) == ([b"one"], [b"other"])

    play(scenario)


@pytest.mark.parametrize(
    "message", [b"", b"\r\n$5\r\n\x00\xff", bytes(range(256)) * 4096], ids=["empty", "odd", "1MiB"]
)
def test_b3_any_bytes_are_carried(play: Play, message: bytes) -> None:
    async def scenario(a: Bus, b: Bus) -> None:
        ear = await listen(b, "c")
        for _ in range(3):
            a.publish("c", message)
            a.publish("c", b"after")
        await ear.until(lambda: len(ear.messages) == 6)
        assert ear.messages == [message, b"after"] * 3

    play(scenario)


@pytest.mark.parametrize("channel", ["with spaces and\r\nlines", "größer:☃", "{a}:{b}", "x" * 500])
def test_b4_a_channel_has_any_name(play: Play, channel: str) -> None:
    async def scenario(a: Bus, b: Bus) -> None:
        ear = await listen(b, channel)
        a.publish(channel, b"hello")
        await ear.until_heard(b"hello")

    play(scenario)


def test_b5_a_listener_resumes_once_before_its_first_message(play: Play) -> None:
    async def scenario(a: Bus, b: Bus) -> None:
        await listen(b, "c")
        ears = []
        for number in range(50):
            a.publish("c", b"%d" % number)
            b.publish("c", b"%d" % number)
            ears.append(Ear())
            # The second of a channel and later ones are confirmed by what the first has asked for.
            b.subscribe("c", ears[-1])
            await asyncio.sleep(0)
        # Another node's words may overtake the own ones, but not each other.
        b.publish("c", b"last")
        for ear in ears:
            await ear.until_any(b"last")
            assert ear.heard[0] is None
            assert ear.times_resumed == 1

    play(scenario)


def test_b6_subscribing_is_heard_of_later_not_during_the_call(play: Play) -> None:
    async def scenario(a: Bus, b: Bus) -> None:
        for _ in range(2):
            ear = Ear()
            a.subscribe("c", ear)
            assert ear.heard == []
            await ear.until_resumed()

    play(scenario)


def test_b7_after_unsubscribing_nothing_is_heard(play: Play) -> None:
    async def scenario(a: Bus, b: Bus) -> None:
        leaving, staying = await listen(b, "c"), await listen(b, "c")
        a.publish("c", b"before")
        await staying.until_heard(b"before")
        a.publish("c", b"on its way")
        b.unsubscribe("c", leaving)
        a.publish("c", b"after")
        await staying.until_heard(b"on its way", b"after")
        assert leaving.messages == [b"before"]

    play(scenario)


def test_b8_the_last_listener_gives_the_channel_up_and_the_next_takes_it_again(play: Play) -> None:
    async def scenario(a: Bus, b: Bus) -> None:
        first, elsewhere = await listen(b, "c"), await listen(b, "other")
        b.unsubscribe("c", first)
        b.unsubscribe("c", first)
        a.publish("c", b"unheard")
        a.publish("other", b"heard")
        await elsewhere.until_heard(b"heard")
        second = await listen(b, "c")
        a.publish("c", b"again")
        await second.until_heard(b"again")
        assert (first.messages, second.messages) == ([], [b"again"])

    play(scenario)


@pytest.mark.parametrize("turns", [0, 1, 3])
def test_b9_given_up_and_taken_again_at_once_ends_subscribed(play: Play, turns: int) -> None:
    async def scenario(a: Bus, b: Bus) -> None:
        ear = await listen(b, "c")
        for _ in range(20):
            b.unsubscribe("c", ear)
            for _ in range(turns):
                await asyncio.sleep(0)
            b.subscribe("c", ear)
            for _ in range(turns):
                await asyncio.sleep(0)
        # Confirmed after everything before it.
        await listen(b, "barrier")
        resumed = ear.times_resumed
        a.publish("c", b"still here")
        await ear.until_heard(b"still here")
        assert ear.times_resumed == resumed >= 2

    play(scenario)


def test_b10_taken_and_given_up_at_once_ends_silent(play: Play) -> None:
    async def scenario(a: Bus, b: Bus) -> None:
        for turns in range(4):
            ear = Ear()
            b.subscribe("c", ear)
            for _ in range(turns):
                await asyncio.sleep(0)
            b.unsubscribe("c", ear)
            known = list(ear.heard)
            barrier = await listen(b, "barrier")
            a.publish("c", b"?")
            a.publish("barrier", b"!")
            await barrier.until_heard(b"!")
            assert ear.heard == known

    play(scenario)


def test_b11_many_channels(play: Play) -> None:
    async def scenario(a: Bus, b: Bus) -> None:
        ears = [Ear() for _ in range(2_500)]
        for number, ear in enumerate(ears):
            b.subscribe(f"room:{number}", ear)
        for ear in ears:
            await ear.until_resumed()
        for number in range(len(ears)):
            a.publish(f"room:{number}", b"%d" % number)
        for number, ear in enumerate(ears):
            await ear.until_heard(b"%d" % number)
        assert all(ear.heard == [None, b"%d" % number] for number, ear in enumerate(ears))

    play(scenario)


class Broken(Ear):
    """Hears, and raises."""

    def received(self, message: bytes) -> None:
        super().received(message)
        raise RuntimeError("received")

    def resumed(self) -> None:
        super().resumed()
        raise RuntimeError("resumed")


def test_b12_a_listener_that_raises_is_logged_and_keeps_nobody_from_hearing(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(a: Bus, b: Bus) -> None:
        broken, fine = Broken(), Ear()
        b.subscribe("c", broken)
        b.subscribe("c", fine)
        await fine.until_resumed()
        for message in (b"1", b"2"):
            a.publish("c", message)
        await fine.until_heard(b"1", b"2")
        assert broken.heard == fine.heard == [None, b"1", b"2"]
        assert b.is_connected

    play(scenario)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [str(record.exc_info[1]) for record in errors if record.exc_info] == ["resumed", "received", "received"]


class Leaving(Ear):
    """Sends another listener away as soon as it hears something."""

    def __init__(self, bus: Bus, other: Ear) -> None:
        super().__init__()
        self._bus = bus
        self._other = other

    def received(self, message: bytes) -> None:
        super().received(message)
        self._bus.unsubscribe("c", self._other)


def test_b13_a_listener_may_send_another_away_while_it_hears(play: Play) -> None:
    async def scenario(a: Bus, b: Bus) -> None:
        other, last = Ear(), Ear()
        for listener in (Leaving(b, other), other, last):
            b.subscribe("c", listener)
        await last.until_resumed()
        a.publish("c", b"1")
        await last.until_heard(b"1")
        assert other.messages == []

    play(scenario)


def test_b14_what_was_said_before_closing_is_heard_and_nothing_after(play: Play) -> None:
    async def scenario(a: Bus, b: Bus) -> None:
        mine, theirs = await listen(a, "c"), await listen(b, "c")
        a.publish("c", b"x" * 1_000_000)
        a.publish("c", b"last words")
        await a.close()
        await a.close()
        assert not a.is_connected
        a.publish("c", b"too late")
        await theirs.until_heard(b"last words")
        b.publish("c", b"among us")
        await theirs.until_heard(b"last words", b"among us")
        assert b"among us" not in mine.messages

    play(scenario)
