"""The bus over Redis when the server is killed, paused, absent, of another kind or of another mind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis_server import RedisServer
from server_process import free_port
from waiting import wait_until

from storage.bus import redis_session
from storage.bus.opening import open_bus
from storage.bus.redis_bus import RedisBus
from storage.errors import InvalidUrl
from tests.storage.bus.cable import cable_to
from tests.storage.bus.encryption import encryption_in
from tests.storage.bus.playing import Ear, StateLog, connected, listen, play, running, until

# The promise is about three seconds; the rest is for a machine that has other things to do.
NOTICED_SECONDS = 4.5


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A server that the test may treat as it likes."""
    with RedisServer() as server:
        yield server


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def several_attempts(bus: RedisBus) -> None:
    """Returns when it has tried to connect twice, and is about to do so again."""
    await until(lambda: bus._reconnection._attempts >= 3)


def test_after_a_restart_of_the_server_everybody_is_told_and_hears_again(
    own_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        a, b = RedisBus(own_server.url, "a"), RedisBus(own_server.url, "b")
        states = StateLog(a)
        async with running(a, b):
            ears = [await listen(b, f"room:{number}") for number in range(50)]
            await connected(a)
            own_server.kill()
            await states.until(False)
            dropped = a.dropped
            a.publish("room:0", b"lost")
            assert a.dropped == dropped + 1
            # What is asked for while the server is away counts as well.
            late, gone = Ear(), ears.pop()
            b.subscribe("room:1", late)
            b.unsubscribe("room:49", gone)
            own_server.start()
            await states.until(True)
            for ear in ears:
                await ear.until_resumed(2)
            await late.until_resumed()
            for number, ear in enumerate(ears):
                a.publish(f"room:{number}", b"again")
                await ear.until_heard(b"again")
            assert all(ear.heard == [None, None, b"again"] for ear in ears)
            assert (late.heard, gone.heard) == ([None, b"again"], [None])
        assert states.states == [True, False, True, False]

    play(scenario())
    # Each node that it is lost, and perhaps that it is not there.
    assert 2 <= len(warnings(caplog)) <= 4


def test_a_paused_server_is_noticed_and_found_again(own_server: RedisServer) -> None:
    """It keeps its connections and accepts new ones, as a machine behind a cut cable does for minutes."""

    async def scenario() -> None:
        bus = RedisBus(own_server.url, "a")
        states = StateLog(bus)
        async with running(bus):
            ear = await listen(bus, "c")
            own_server.pause()
            paused = time.monotonic()
            await states.until(False)
            assert 1.0 < time.monotonic() - paused < NOTICED_SECONDS
            own_server.resume()
            await ear.until_resumed(2)
            bus.publish("c", b"again")
            await ear.until_heard(b"again")

    play(scenario())


def test_clients_that_the_server_makes_wait_notice_too(
    own_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_session, "SIGN_SECONDS", 0.2)

    async def scenario() -> None:
        bus = RedisBus(own_server.url, "a")
        states = StateLog(bus)
        async with running(bus):
            ear = await listen(bus, "c")
            await asyncio.to_thread(order, own_server, "CLIENT", "PAUSE", 1_500, "ALL")
            await states.until(False)
            await ear.until_resumed(2)

    play(scenario())


@pytest.mark.parametrize("which", [0, 1], ids=["listening", "publishing"])
def test_either_connection_may_go_dead_while_others_talk_on(
    redis_url: str, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    monkeypatch.setattr(redis_session, "SIGN_SECONDS", 0.2)

    async def scenario() -> None:
        async with cable_to(redis_server) as cable:
            number = redis_url.rpartition("/")[2]
            deaf, other = RedisBus(f"redis://localhost:{cable.port}/{number}", "a"), RedisBus(redis_url, "b")
            states = StateLog(deaf)
            async with running(deaf, other), talking(other):
                ear = await listen(deaf, "c")
                cable.carries[which].clear()
                async with asyncio.timeout(8 * redis_session.SIGN_SECONDS):
                    await states.until(False)
                await ear.until_resumed(2)

    play(scenario())


@contextlib.asynccontextmanager
async def talking(bus: RedisBus) -> AsyncIterator[None]:
    """It says something all the time."""

    async def talk() -> None:
        while True:
            bus.publish("c", b"and")
            await asyncio.sleep(0.01)

    task = asyncio.create_task(talk())
    try:
        yield
    finally:
        task.cancel()


class Slow(Ear):
    """Takes its time over each message."""

    def received(self, message: bytes) -> None:
        time.sleep(0.002)
        super().received(message)


def test_a_node_that_is_behind_is_not_taken_for_cut_off(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own echo waits behind what others have said."""
    monkeypatch.setattr(redis_session, "SIGN_SECONDS", 0.2)

    async def scenario() -> None:
        slow, other = RedisBus(redis_url, "a"), RedisBus(redis_url, "b")
        states, ear = StateLog(slow), Slow()
        async with running(slow, other):
            await connected(other)
            slow.subscribe("c", ear)
            await ear.until_resumed()
            for number in range(500):
                other.publish("c", b"%04d" % number * 1_000)
            await ear.until(lambda: len(ear.messages) == 500)
            assert states.states == [True]

    play(scenario())


@pytest.mark.parametrize("kind", ["pubsub", "normal"])
def test_either_connection_may_be_cut(own_server: RedisServer, kind: str) -> None:
    """The one that listens is of the kind pubsub, the one that publishes is not."""

    async def scenario() -> None:
        bus = RedisBus(own_server.url, "a")
        states = StateLog(bus)
        async with running(bus):
            ear = await listen(bus, "c")
            await asyncio.to_thread(order, own_server, "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
            # Long before it would be missed.
            async with asyncio.timeout(redis_session.SIGN_SECONDS):
                await states.until(False)
            await ear.until_resumed(2)
            bus.publish("c", b"again")
            await ear.until_heard(b"again")
            # At once, and not again and again.
            assert states.states == [True, False, True]

    play(scenario())


def test_the_server_may_come_later_than_the_node(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        server = RedisServer()
        bus = RedisBus(server.url, "a")
        states = StateLog(bus)
        ear = Ear()
        bus.subscribe("c", ear)
        async with running(bus):
            await several_attempts(bus)
            assert states.states == []
            bus.publish("c", b"lost")
            assert (bus.dropped, ear.heard) == (1, [])
            await asyncio.to_thread(server.__enter__)
            try:
                await ear.until_resumed()
            finally:
                await bus.close()
                server.__exit__()

    play(scenario())
    [warning] = warnings(caplog)
    assert "the bus between nodes" in warning
    assert "trying again" in warning


def test_a_server_that_says_no_is_told_of_once_and_without_the_password(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(server: RedisServer) -> None:
        bus = RedisBus(server.url.replace("//", "//:hunter2@"), "a")
        async with running(bus):
            await several_attempts(bus)
            assert not bus.is_connected

    with RedisServer("--requirepass", "swordfish") as server:
        play(scenario(server))
    [warning] = warnings(caplog)
    assert "invalid username-password pair" in warning
    assert "hunter2" not in caplog.text


def test_what_does_not_fit_into_the_queue_is_dropped_and_counted(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_session, "MAX_UNSENT_BYTES", 10_000)

    async def scenario() -> None:
        bus = RedisBus(redis_url, "a")
        async with running(bus):
            ear = await listen(bus, "c")
            for number in range(20):
                bus.publish("c", b"%d" % (number % 10) * 1_000)
            await ear.until(lambda: len(ear.messages) == 9)
            assert bus.dropped == 11
            bus.publish("c", b"after")
            await ear.until_heard(b"after")
            assert len(ear.messages) == 10

    play(scenario())


def test_what_a_paused_server_does_not_take_is_bounded(
    own_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's buffers are full at some time, and then ours."""
    monkeypatch.setattr(redis_session, "MAX_UNSENT_BYTES", 1_000_000)

    async def scenario() -> None:
        bus = RedisBus(own_server.url, "a")
        async with running(bus):
            await connected(bus)
            own_server.pause()
            for _ in range(200):
                bus.publish("c", bytes(200_000))
                await asyncio.sleep(0)
            assert bus.is_connected
            assert bus.dropped > 100
            own_server.resume()

    play(scenario())


def test_half_of_a_connection_is_given_back() -> None:
    """The server has room for one of the two."""

    async def scenario() -> None:
        bus = RedisBus(server.url, "a")
        async with running(bus):
            await several_attempts(bus)
            assert not bus.is_connected
        # One that were left open would take the only place.
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"PING\r\n")
        assert await reader.readline() == b"+PONG\r\n"
        writer.close()

    with RedisServer("--maxclients", "1") as server:
        # uvloop would not end over a connection that was left open.
        asyncio.run(scenario())


def test_a_server_that_cuts_off_each_time_is_not_asked_all_the_time() -> None:
    async def scenario() -> None:
        asked = 0

        def cut_off(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal asked
            asked += 1
            writer.close()

        async with await asyncio.start_server(cut_off, "127.0.0.1", 0) as server:
            bus = RedisBus(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", "a")
            async with running(bus):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.6):
                        await connected(bus)
        assert 2 <= asked <= 5

    play(scenario())


def test_channels_that_nobody_here_listens_to_are_not_sent_here(own_server: RedisServer) -> None:
    async def scenario() -> None:
        bus = RedisBus(own_server.url, "a")
        async with running(bus):
            ears = [await listen(bus, "c") for _ in range(2)]
            for ear in ears:
                bus.unsubscribe("c", ear)
            await listen(bus, "barrier")
            assert await asyncio.to_thread(order, own_server, "PUBSUB", "SHARDCHANNELS", "studio:0:*") == [
                b"studio:0:barrier"
            ]

    play(scenario())


@pytest.mark.parametrize("difference", ["database", "prefix"])
def test_installations_on_one_server_do_not_mix(redis_server: RedisServer, difference: str) -> None:
    async def scenario() -> None:
        other_url, other_prefix = ("/2", "ours") if difference == "database" else ("/1", "theirs")
        a = RedisBus(redis_server.url + "/1", "a", prefix="ours")
        b = RedisBus(redis_server.url + other_url, "a", prefix=other_prefix)
        async with running(a, b):
            mine, strange = await listen(a, "c"), await listen(b, "c")
            a.publish("c", b"a")
            b.publish("c", b"b")
            await mine.until_heard(b"a")
            await strange.until_heard(b"b")
            assert (mine.messages, strange.messages) == ([b"a"], [b"b"])

    play(scenario())


def order(server: RedisServer, *command: str | int) -> Any:
    """A command over a connection of its own, and the answer."""
    with redis.Redis(port=server.port, protocol=2) as client:
        return client.execute_command(*command)


async def pair_works(url: str, server: RedisServer, channels: str) -> None:
    """Two buses hear each other, over channels of the kind that the server counts with this command."""
    a, b = RedisBus(url, "a"), RedisBus(url, "b")
    async with running(a, b):
        await connected(a)
        ear = await listen(b, "c")
        a.publish("c", b"hello")
        await ear.until_heard(b"hello")
        assert await asyncio.to_thread(order, server, "PUBSUB", channels, "*:c") == [b"studio:0:c"]


def test_sharded_channels_are_used_where_there_are_some(own_server: RedisServer) -> None:
    play(pair_works(own_server.url, own_server, "SHARDCHANNELS"))


def test_a_server_without_sharded_channels_will_do() -> None:
    """As one before version 7."""
    with RedisServer("--rename-command", "SPUBLISH", "", "--rename-command", "HELLO", "") as server:
        play(pair_works(server.url, server, "CHANNELS"))


def test_a_server_of_a_cluster_will_do() -> None:
    """It would own some of the sharded channels only; plain ones it passes on to the others."""
    with RedisServer("--databases", "1", "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as server:
        order(server, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_until(lambda: b"cluster_state:ok" in order(server, "CLUSTER", "INFO"), 10.0, lambda: "the cluster is down")
        play(pair_works(server.url, server, "CHANNELS"))


def test_a_user_and_a_password_with_odd_characters() -> None:
    with RedisServer("--user", "studio", "on", ">p@ss/w:rd", "~*", "&*", "+@all") as server:
        play(pair_works(server.url.replace("//", "//studio:p%40ss%2Fw%3Ard@"), server, "SHARDCHANNELS"))


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with RedisServer("--unixsocket", str(path)) as server:
        play(pair_works(f"unix://{path}", server, "SHARDCHANNELS"))


def test_an_encrypted_connection(redis_server: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        encryption, certificate = encryption_in(tmp_path)
        async with cable_to(redis_server, encryption) as cable:
            url = f"rediss://localhost:{cable.port}/0?ssl_ca_certs={certificate}"
            await pair_works(url, redis_server, "SHARDCHANNELS")

    play(scenario())


def test_without_a_server_the_bus_is_the_process_alone() -> None:
    async def scenario() -> None:
        bus = open_bus(None, "a")
        async with running(bus):
            ear = await listen(bus, "c")
            bus.publish("c", b"hello")
            await ear.until_heard(b"hello")
        assert bus.node_id == "a"

    play(scenario())


def test_the_url_leads_to_redis(redis_url: str) -> None:
    async def scenario() -> None:
        a, b = open_bus(redis_url, "a", prefix="p"), RedisBus(redis_url, "b", prefix="p")
        async with running(a, b):
            ear = await listen(b, "c")
            await connected(a)
            a.publish("c", b"hello")
            await ear.until_heard(b"hello")

    play(scenario())


@pytest.mark.parametrize(
    "url", ["http://h/0", "redis://h/0?nonsense=1", "redis://h:x/0", "redis://h/0?socket_timeout=x"]
)
def test_a_url_that_cannot_be_used(url: str) -> None:
    async def scenario() -> None:
        with pytest.raises(InvalidUrl, match="use redis://host:6379/0"):
            RedisBus(url, "a")

    play(scenario())
