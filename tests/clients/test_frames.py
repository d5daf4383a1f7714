"""Frames of documents against bytes of the stock provider."""

import contextlib

import pytest
from collab_studio.errors import MalformedFrame
from collab_studio.frames import (
    Accepted,
    AddressedFrames,
    AwarenessUpdate,
    AwarenessWanted,
    Closed,
    Denied,
    Ignored,
    Message,
    Step1,
    Step2,
    SyncStatus,
    TokenWanted,
    Update,
    read_address,
    read_message,
)
from collab_studio.lib0 import Reader
from hypothesis import given
from hypothesis import strategies as st


def test_the_token_goes_out_with_a_version_that_is_pinged() -> None:
    expected = bytes.fromhex("01 61 02 00 01 74 05") + b"4.8.0"
    assert AddressedFrames("a").authenticate("t") == expected


def test_what_a_client_says() -> None:
    frames = AddressedFrames("a")
    assert frames.step_1(b"\x00") == bytes.fromhex("01 61 00 00 01 00")
    assert frames.step_2(b"\x00\x00") == bytes.fromhex("01 61 00 01 02 00 00")
    assert frames.update(b"\x00\x00") == bytes.fromhex("01 61 00 02 02 00 00")
    assert frames.awareness(b"\x00") == bytes.fromhex("01 61 01 01 00")
    assert frames.close() == bytes.fromhex("01 61 07")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ("01 61 00 00 01 00", Step1(b"\x00")),
        ("01 61 00 01 02 00 00", Step2(b"\x00\x00")),
        ("01 61 00 02 02 00 00", Update(b"\x00\x00")),
        ("01 61 01 01 00", AwarenessUpdate(b"\x00")),
        ("01 61 02 00", TokenWanted()),
        ("01 61 02 01 02 6E 6F", Denied("no")),
        ("01 61 02 02 0A 72 65 61 64 2D 77 72 69 74 65", Accepted(read_only=False)),
        ("01 61 02 02 08 72 65 61 64 6F 6E 6C 79", Accepted(read_only=True)),
        ("01 61 03", AwarenessWanted()),
        ("01 61 05 02 68 69", Ignored(5)),
        ("01 61 07 03 62 79 65", Closed("bye")),
        ("01 61 08 01", SyncStatus(stored=True)),
        ("01 61 08 00", SyncStatus(stored=False)),
        ("01 61 63 FF FF", Ignored(99)),
    ],
)
def test_what_a_server_says(frame: str, message: Message) -> None:
    address, reader = read_address(bytes.fromhex(frame))
    assert address == "a"
    assert read_message(reader) == message


@pytest.mark.parametrize("body", ["", "00", "00 03 00", "00 00 05 00", "02", "02 03", "02 01 09 61", "08", "01 02 00"])
def test_what_a_server_may_not_say(body: str) -> None:
    with pytest.raises(MalformedFrame):
        read_message(Reader(bytes.fromhex(body)))


@given(st.binary(max_size=64))
def test_any_bytes_are_a_message_or_malformed(frame: bytes) -> None:
    with contextlib.suppress(MalformedFrame):
        read_message(read_address(frame)[1])
