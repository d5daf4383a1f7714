"""The server's own frames: MessagePack bodies under the reserved address."""

import contextlib
import datetime

import msgpack  # type: ignore[import-untyped, unused-ignore]
import pytest
from collab_studio.errors import MalformedFrame
from collab_studio.feed_frames import Event, Events, Position, Resync, WatchEnded, Watching
from collab_studio.frames import read_address
from collab_studio.lib0 import Reader
from collab_studio.studio_frames import (
    GoingAway,
    Refusal,
    Result,
    StudioMessage,
    Unknown,
    Welcome,
    hello,
    read_studio_message,
    request,
)
from hypothesis import given
from hypothesis import strategies as st

PREFIX = b"\x07@studio"


def test_a_request() -> None:
    frame = request(7, "collaboration.documents.list", {"workspace_id": "default"})
    assert frame.startswith(PREFIX + b"\x42")
    assert msgpack.unpackb(frame[9:]) == {
        "id": 7,
        "operation": "collaboration.documents.list",
        "parameters": {"workspace_id": "default"},
    }


def test_a_hello() -> None:
    assert hello("t") == PREFIX + b"\x40" + msgpack.packb({"token": "t"})


def test_times_go_out_as_iso_strings() -> None:
    at = datetime.datetime(2026, 5, 4, 3, 2, 1, tzinfo=datetime.UTC)
    body = msgpack.unpackb(request(1, "x", {"at": at, "day": at.date()})[9:])
    assert body["parameters"] == {"at": "2026-05-04T03:02:01+00:00", "day": "2026-05-04"}


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(TypeError, match="a set cannot be sent"):
        request(1, "x", {"what": {1}})


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (65, {"user": "ann", "server": "s", "version": "1"}, Welcome("ann", "s", "1")),
        (65, {"user": "ann", "server": "s"}, Welcome("ann", "s", "")),
        (67, {"id": 3, "value": [1, None]}, Result(3, [1, None])),
        (
            68,
            {"id": 3, "code": "not_found", "message": "No.", "details": {"a": 1}, "request_id": "r"},
            Refusal(3, "not_found", "No.", {"a": 1}, "r"),
        ),
        (68, {"id": None, "code": "c", "message": "m"}, Refusal(None, "c", "m", None, None)),
        (69, {"reason": "restart", "after_ms": 500}, GoingAway("restart", 500)),
        (70, {}, Unknown(70)),
        (66, {}, Unknown(66)),
        (
            71,
            {"id": 1, "position": {"epoch": "e", "offset": 4}, "recovered": True},
            Watching(1, Position("e", 4), recovered=True),
        ),
        (
            72,
            {"id": 1, "epoch": "e", "events": [{"offset": 5, "type": "a", "at": "t", "actor": None, "data": {"n": 1}}]},
            Events(1, [Event(Position("e", 5), "a", "t", None, {"n": 1})]),  # type: ignore[arg-type]
        ),
        (74, {"id": 1, "position": {"epoch": "", "offset": 0}, "reason": "r"}, Resync(1, Position("", 0), "r")),
        (75, {"id": 1, "code": "c", "message": "m"}, WatchEnded(1, "c", "m", None)),
        (73, {}, Unknown(73)),
        (76, {}, Unknown(76)),
    ],
)
def test_what_a_server_says(kind: int, body: dict[str, object], message: StudioMessage) -> None:
    address, reader = read_address(PREFIX + bytes([kind]) + msgpack.packb(body))
    assert address == "@studio"
    assert read_studio_message(reader) == message


def test_a_time_in_a_result_is_aware() -> None:
    at = datetime.datetime(2026, 5, 4, 3, 2, 1, tzinfo=datetime.UTC)
    frame = bytes([67]) + msgpack.packb({"id": 1, "value": {"created_at": at}}, datetime=True)
    assert read_studio_message(Reader(frame)) == Result(1, {"created_at": at})


@pytest.mark.parametrize(
    "frame",
    [
        b"\x43",
        b"\x43\x93",
        b"\x43\x01",
        b"\x43\x80",
        b"\x43\x81\xa2id\x01",
        bytes([71]) + msgpack.packb({"id": 1, "position": 7, "recovered": True}),
        bytes([72]) + msgpack.packb({"id": 1, "epoch": "e", "events": 7}),
    ],
)
def test_bodies_that_are_not_the_map_they_should_be(frame: bytes) -> None:
    with pytest.raises(MalformedFrame):
        read_studio_message(Reader(frame))


@given(st.integers(64, 76), st.binary(max_size=64))
def test_any_body_is_a_message_or_malformed(kind: int, body: bytes) -> None:
    with contextlib.suppress(MalformedFrame):
        read_studio_message(Reader(bytes([kind]) + body))
