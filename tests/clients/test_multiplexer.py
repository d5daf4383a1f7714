"""Many documents and requests over one socket, stepped without a network."""

import asyncio
from typing import Any

import msgpack  # type: ignore[import-untyped, unused-ignore]
import pycrdt
import pytest
from collab_studio.errors import ConnectionEnded, ConnectionLost, DocumentClosed, OperationError
from collab_studio.frames import PING, PONG, read_address
from collab_studio.lib0 import write_string
from collab_studio.multiplexer import MAX_CLOSES, REJOIN_AFTER, Multiplexer
from collab_studio.requests import IN_FLIGHT
from collab_studio.session import DocumentSession
from collab_studio.text import Text

ACCEPTED = b"\x02\x02\x0aread-write"
STEP_1 = b"\x00\x00\x01\x00"
STEP_2 = b"\x00\x01\x02\x00\x00"
STORED = b"\x08\x01"
TOKEN_WANTED = b"\x02\x00"


def closed(reason: str) -> bytes:
    return b"\x07" + write_string(reason)


def own(kind: int, body: dict[str, Any]) -> bytes:
    packed: bytes = msgpack.packb(body)
    return write_string("@studio") + bytes([kind]) + packed


class Peer:
    """A multiplexer, and the server's end of its socket."""

    def __init__(self) -> None:
        self.wakes = 0
        self.multiplexer = Multiplexer(self._wake)

    def _wake(self) -> None:
        self.wakes += 1

    def open(self, name: str) -> DocumentSession:
        return self.multiplexer.open(name, pycrdt.Doc(), lambda: None)

    def say(self, address: str, *messages: bytes, now: float = 0.0) -> None:
        for message in messages:
            self.multiplexer.receive(write_string(address) + message, now)

    def hear(self, now: float = 0.0) -> list[tuple[str, bytes]]:
        """The frames that were sent, as (address, the rest)."""
        frames = []
        for frame in self.multiplexer.take(now):
            address, reader = read_address(frame)
            frames.append((address, reader.rest()))
        return frames

    def addresses(self) -> list[str]:
        return [address for address, _ in self.hear()]


def test_nothing_is_sent_without_a_socket_and_everything_joins_with_one() -> None:
    peer = Peer()
    peer.open("w/a")
    assert peer.hear() == []
    peer.multiplexer.opened("t")
    peer.open("w/b")
    assert peer.addresses() == ["@studio", "w/a", "w/a", "w/b", "w/b"]


def test_frames_reach_the_document_they_name() -> None:
    peer = Peer()
    a, b = peer.open("w/a"), peer.open("w/b")
    peer.multiplexer.opened("")
    peer.say("w/a", ACCEPTED, STEP_2)
    peer.say("w/other", ACCEPTED, STEP_2)
    assert (a.synced, b.synced) == (True, False)


def test_a_ping_is_answered_with_the_single_byte() -> None:
    peer = Peer()
    peer.multiplexer.opened("")
    peer.multiplexer.receive(PING, 0.0)
    assert peer.multiplexer.take(0.0) == [PONG]


def test_the_same_document_twice_has_two_addresses() -> None:
    peer = Peer()
    peer.multiplexer.opened("")
    peer.open("w/a")
    peer.open("w/a")
    assert peer.addresses() == ["w/a", "w/a", "w/a\x002", "w/a\x002"]


def test_late_answers_to_a_document_that_was_left_reach_nobody() -> None:
    peer = Peer()
    peer.multiplexer.opened("")
    peer.multiplexer.close(peer.open("w/a"))
    session = peer.open("w/a")
    Text(session.ydoc, "content").append("x")
    peer.say("w/a\x002", ACCEPTED, STEP_1, STEP_2)
    assert peer.hear()[-1][0] == "w/a\x002"
    peer.say("w/a", STORED)
    assert session.ledger.unsaved == 1
    peer.say("w/a\x002", STORED)
    assert session.ledger.unsaved == 0


def test_leaving_sends_the_last_edits() -> None:
    peer = Peer()
    peer.multiplexer.opened("")
    session = peer.open("w/a")
    peer.say("w/a", ACCEPTED, STEP_1)
    peer.hear()
    Text(session.ydoc, "content").append("last")
    peer.multiplexer.close(session)
    (_, update), (_, goodbye) = peer.hear()
    assert b"last" in update
    assert goodbye == b"\x07"


def test_a_new_socket_starts_with_plain_addresses() -> None:
    peer = Peer()
    peer.multiplexer.opened("")
    peer.multiplexer.close(peer.open("w/a"))
    peer.open("w/a")
    peer.hear()
    peer.multiplexer.lost()
    assert peer.hear() == []
    peer.multiplexer.opened("")
    assert peer.addresses() == ["w/a", "w/a"]


def test_the_server_gets_the_newer_token_that_it_asks_for() -> None:
    peer = Peer()
    peer.multiplexer.opened("old")
    peer.open("w/a")
    peer.say("w/a", ACCEPTED, TOKEN_WANTED)
    peer.hear()
    assert peer.multiplexer.wants_token
    peer.multiplexer.renew_token("new")
    ((address, message),) = peer.hear()
    assert (address, message) == ("w/a", b"\x02\x00\x03new\x054.8.0")
    assert not peer.multiplexer.wants_token


def test_a_document_that_the_server_closed_is_joined_anew_with_a_new_token() -> None:
    peer = Peer()
    peer.multiplexer.opened("old")
    session = peer.open("w/a")
    peer.say("w/a", ACCEPTED, STEP_1, STEP_2, closed("the token has expired"), now=10.0)
    assert not session.synced
    peer.hear()
    peer.multiplexer.tick(10.0)
    assert not peer.multiplexer.wants_token
    peer.multiplexer.tick(10.0 + REJOIN_AFTER)
    peer.multiplexer.renew_token("new")
    (address, message), _ = peer.hear()
    assert (address, message) == ("w/a\x002", b"\x02\x00\x03new\x054.8.0")


def test_a_document_that_is_closed_again_and_again_is_given_up() -> None:
    peer = Peer()
    peer.multiplexer.opened("t")
    session = peer.open("w/a")
    address, now = "w/a", 0.0
    for number in range(MAX_CLOSES):
        peer.say(address, ACCEPTED, STEP_2, closed("malformed"), now=now)
        now += REJOIN_AFTER * 2**number
        peer.multiplexer.tick(now)
        peer.multiplexer.renew_token("t")
        address = f"w/a\x00{number + 2}"
    before = session.failure
    peer.say(address, closed("malformed"))
    assert before is None
    assert isinstance(session.failure, DocumentClosed)
    assert "malformed" in str(session.failure)


def test_results_and_errors_find_their_requests() -> None:
    async def scenario() -> None:
        peer = Peer()
        peer.multiplexer.opened("")
        one = peer.multiplexer.requests.add("a", {})
        two = peer.multiplexer.requests.add("b", {"x": 1})
        assert peer.addresses() == ["@studio", "@studio"]
        peer.multiplexer.receive(own(68, {"id": 2, "code": "c", "message": "m", "request_id": "r"}), 0.0)
        peer.multiplexer.receive(own(67, {"id": 1, "value": [1]}), 0.0)
        assert await one == [1]
        with pytest.raises(OperationError, match="c: m") as raised:
            await two
        assert (raised.value.code, raised.value.request_id) == ("c", "r")

    asyncio.run(scenario())


def test_a_request_that_was_sent_fails_with_the_socket_and_an_unsent_one_waits() -> None:
    async def scenario() -> None:
        peer = Peer()
        peer.multiplexer.opened("")
        sent = peer.multiplexer.requests.add("a", {})
        peer.hear()
        unsent = peer.multiplexer.requests.add("b", {})
        peer.multiplexer.lost()
        with pytest.raises(ConnectionLost):
            await sent
        peer.multiplexer.opened("")
        assert len(peer.hear()) == 1
        peer.multiplexer.fail(ConnectionEnded("over"))
        with pytest.raises(ConnectionEnded):
            await unsent

    asyncio.run(scenario())


def test_no_more_requests_are_under_way_than_the_server_takes() -> None:
    async def scenario() -> None:
        peer = Peer()
        peer.multiplexer.opened("")
        futures = [peer.multiplexer.requests.add("a", {}) for _ in range(IN_FLIGHT + 2)]
        assert len(peer.hear()) == IN_FLIGHT
        peer.multiplexer.receive(own(67, {"id": 1, "value": None}), 0.0)
        futures[1].cancel()
        before = peer.wakes
        await asyncio.sleep(0)
        assert peer.wakes > before
        assert len(peer.hear()) == 2

    asyncio.run(scenario())


def test_errors_without_a_request_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    peer = Peer()
    peer.multiplexer.receive(own(68, {"id": None, "code": "bad", "message": "why"}), 0.0)
    assert "bad: why" in caplog.text


def test_the_end_of_the_connection_is_the_end_of_every_document() -> None:
    peer = Peer()
    a = peer.open("w/a")
    peer.multiplexer.fail(ConnectionEnded("over"))
    assert isinstance(a.failure, ConnectionEnded)


def test_presence_is_renewed_by_ticks() -> None:
    peer = Peer()
    peer.multiplexer.opened("")
    session = peer.open("w/a")
    session.awareness.set_local({"a": 1})
    peer.hear(now=0.0)
    peer.multiplexer.tick(14.0)
    assert peer.hear(now=14.0) == []
    peer.multiplexer.tick(15.0)
    ((address, message),) = peer.hear(now=15.0)
    assert address == "w/a"
    assert message.startswith(b"\x01")


def test_work_is_a_document_or_an_answer_and_not_a_welcome() -> None:
    peer = Peer()
    peer.multiplexer.opened("t")
    peer.open("w/a")
    peer.multiplexer.receive(own(65, {"user": "ann", "server": "s", "version": "1"}), 0.0)
    peer.say("w/a", ACCEPTED)
    before = peer.multiplexer.has_worked
    peer.say("w/a", STEP_2)
    assert (before, peer.multiplexer.has_worked) == (False, True)
    peer.multiplexer.lost()
    peer.multiplexer.opened("t")
    assert not peer.multiplexer.has_worked
