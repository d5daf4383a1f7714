"""What waits for a connection that does not read: bounded, made up for once it reads, and told when it never does."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hand_transport import HandTransport
from node_in_process import Node, listening
from pycrdt import Doc, Map
from raw_client import RawClient

from crdt import sync
from crdt.lib0 import read_var_bytes, write_var_string
from server import websocket
from server.asgi_socket import AsgiSocket
from server.backlog import CONGESTED_BYTES, Backlog
from server.connection_counts import SLOW
from server.framing import CLOSE
from server.websocket import WebSocketProtocol

NAME = "default/notes"
PREFIX = write_var_string(NAME)
FRAME = 50_000


class Pair:
    """One who writes without a network, and one with a socket who does not read."""

    def __init__(self, node: Node, client: RawClient, line: HandTransport, writer: Any) -> None:
        self.node, self.client, self.writer = node, client, writer
        self._updates: list[bytes] = []
        self._line = line
        self._doc: Doc[Any] = Doc(client_id=7)
        self._map = self._doc.get("content", type=Map)
        self._doc.observe(lambda event: self._updates.append(event.update))

    @property
    def protocol(self) -> WebSocketProtocol | AsgiSocket:
        """The silent one's, at the server."""
        (found,) = (socket for share in self.node.studio.gateway._shares for socket in share)
        assert isinstance(found, WebSocketProtocol | AsgiSocket)
        return found

    @property
    def waiting(self) -> int:
        protocol = self.protocol
        if isinstance(protocol, AsgiSocket):
            return protocol._waiting_bytes
        return protocol.transport.get_write_buffer_size()

    async def write(self, number: int) -> None:
        """An edit that takes the place of the one before it, and a turn of the loop."""
        self._map["value"] = f"{number:05}" * (FRAME // 5)
        self.writer.receive(sync.update_message(self._updates.pop()))
        self._line.sent.clear()
        await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def pair(folder: Path, *, is_stock: bool, **settings: Any) -> AsyncIterator[Pair]:
    async with listening(folder, is_stock=is_stock, **settings) as (node, port):
        for user in ("ada", "bob"):
            await node.enlist(user)
        line = HandTransport()
        writer = node.connect(line, False, NAME, "ada")
        await node.studio.gateway.idle()
        client = await RawClient(port, node.token("bob")).connect()
        await client.join(NAME)
        try:
            async with asyncio.timeout(60):
                await until(lambda: node.studio.gateway.member_count == 2)
                yield Pair(node, client, line, writer)
        finally:
            client.close()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - it happens over a real socket; the deadline is the pair's
        await asyncio.sleep(0.005)


def is_congested(both: Pair) -> bool:
    return both.protocol.is_congested


def play(
    scenario: Callable[[Pair], Coroutine[Any, Any, None]], folder: Path, *, is_stock: bool = False, **settings: Any
) -> None:
    async def run() -> None:
        async with pair(folder, is_stock=is_stock, **settings) as both:
            await scenario(both)

    asyncio.run(run())


async def catch_up(client: RawClient, doc: Doc[Any], number: int) -> None:
    """Read until the value in the document is the one that was written with this number."""
    content = doc.get("content", type=Map)
    while not str(content.get("value")).startswith(f"{number:05}"):
        _, frame = await client.frame()
        body = frame[len(PREFIX) :]
        if frame.startswith(PREFIX) and body[0] == sync.SYNC and body[1] != sync.STEP_1:
            doc.apply_update(read_var_bytes(body, 2)[0])


@pytest.mark.parametrize("is_stock", [False, True])
def test_r4_edits_are_held_back_and_made_up_for(tmp_path: Path, is_stock: bool) -> None:
    async def scenario(both: Pair) -> None:
        most, number = 0, 0
        for number in range(100):
            await both.write(number)
            most = max(most, both.waiting)
        assert CONGESTED_BYTES < most < CONGESTED_BYTES + 4 * FRAME
        assert is_congested(both)
        counts = both.node.studio.gateway.counts
        assert counts.caught_up == 0
        copy: Doc[Any] = Doc()
        await catch_up(both.client, copy, number)
        await until(lambda: not is_congested(both))
        await both.write(555)
        await catch_up(both.client, copy, 555)
        assert counts.caught_up == 1

    play(scenario, tmp_path, is_stock=is_stock)


@pytest.mark.parametrize("is_stock", [False, True])
def test_p6_nothing_is_read_from_who_does_not_read_and_everything_once_it_does(tmp_path: Path, is_stock: bool) -> None:
    async def scenario(both: Pair) -> None:
        number = 0
        while not is_congested(both):
            await both.write(number := number + 1)
        traffic = both.node.rooms.traffic
        for clock in (1, 2, 3):
            await both.client.send(PREFIX + sync.awareness_message(bytes((1, 9, clock)) + write_var_string("{}")))
        await asyncio.sleep(0.1)
        # Under a stock server one is awaited already.
        assert traffic.presence_received <= is_stock
        await catch_up(both.client, Doc(), number)
        await until(lambda: traffic.presence_received == 3)

    play(scenario, tmp_path, is_stock=is_stock)


def test_r4_who_never_reads_is_told_to_come_back_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(both: Pair) -> None:
        number = 0
        while not is_congested(both):
            await both.write(number := number + 1)
        protocol, now = both.protocol, both.node.studio.gateway.time()
        protocol.check(now, 60.0)
        is_closing = [protocol.closing]
        protocol.check(now + 61.0, 60.0)
        assert [*is_closing, protocol.closing] == [False, True]
        opcode, payload = 0, b""
        while opcode != CLOSE:
            opcode, payload = await both.client.frame()
        assert int.from_bytes(payload[:2], "big") == 1013
        both.client.close()
        await until(lambda: both.node.studio.gateway.counts.ended[SLOW] == 1)

    with caplog.at_level(logging.WARNING):
        play(scenario, tmp_path)
    assert "a connection of bob took nothing for 60 s and is closed" in caplog.text


def test_a_stock_server_is_told_as_well_and_nothing_is_kept_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(both: Pair) -> None:
        number = 0
        while not is_congested(both):
            await both.write(number := number + 1)
        protocol, now = both.protocol, both.node.studio.gateway.time()
        assert isinstance(protocol, AsgiSocket)
        protocol.check(now, 60.0)
        protocol.check(now + 61.0, 60.0)
        # What was still to be sent is dropped, but for the goodbye.
        assert (protocol.closing, protocol._outgoing.qsize()) == (True, 1)
        both.client.close()
        await until(lambda: both.node.studio.gateway.counts.ended[SLOW] == 1)

    with caplog.at_level(logging.WARNING):
        play(scenario, tmp_path, is_stock=True)
    assert "a connection took nothing for 60 s" in caplog.text


def test_n12_who_goes_on_sending_is_told_to_come_back_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "PARTING_TIMEOUT_SECONDS", 60)

    async def scenario(both: Pair) -> None:
        protocol = both.protocol
        assert isinstance(protocol, WebSocketProtocol)
        protocol.shutdown()
        for _ in range(3):
            # It has not read the goodbye yet.
            protocol.alive = False
            await both.client.send(PREFIX + sync.step_1(sync.EMPTY_STATE_VECTOR))
            await until(lambda: protocol.alive)
        opcode, payload = 0, b""
        while opcode != CLOSE:
            opcode, payload = await both.client.frame()
        assert int.from_bytes(payload[:2], "big") == 1012
        await both.client.send(payload[:2], CLOSE)
        await until(lambda: not both.node.studio.gateway.counts.open.total())

    play(scenario, tmp_path)


def test_n12_who_does_not_answer_the_goodbye_is_parted_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "PARTING_TIMEOUT_SECONDS", 0.05)

    async def scenario(both: Pair) -> None:
        both.protocol.shutdown()
        await until(lambda: not both.node.studio.gateway.counts.open.total())

    play(scenario, tmp_path)


def test_more_than_may_ever_wait_ends_the_connection(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(both: Pair) -> None:
        protocol = both.protocol
        protocol.send(bytes(5 * 1024 * 1024))
        await until(lambda: both.node.studio.gateway.counts.ended[SLOW] == 1)

    with caplog.at_level(logging.WARNING):
        play(scenario, tmp_path, max_send_buffer_bytes=4 * 1024 * 1024)
    assert "a connection of bob is cut off" in caplog.text


def test_whether_bytes_move_is_told_from_what_came_and_what_is_left() -> None:
    backlog = Backlog(now=0.0)
    backlog.added = 1_000
    assert not backlog.is_stuck(1.0, 900, 5.0)
    # More came than left: still it moved.
    backlog.added = 500
    assert not backlog.is_stuck(6.0, 1_300, 5.0)
    backlog.added = 100
    assert not backlog.is_stuck(10.0, 1_400, 5.0)
    assert backlog.is_stuck(11.1, 1_400, 5.0)
