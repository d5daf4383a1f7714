"""RFC 6455 frames, cut into reads at any place, against the frames of an independent implementation."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from server.framing import BINARY, CLOSE, PING, TEXT, FrameReader, Framing, FramingError, close_frame, header

LIMIT = 100_000


def client_frame(payload: bytes, opcode: Opcode = Opcode.BINARY, *, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin=fin).serialize(mask=True)


def read(data: bytes, cuts: list[int]) -> list[tuple[int, bytes]]:
    reader = FrameReader(LIMIT)
    messages: list[tuple[int, bytes]] = []
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        if end > start:
            messages += reader.feed(data[start:end])
    return messages


@given(
    st.lists(st.one_of(st.binary(max_size=300), st.integers(0, 70_000).map(bytes)), max_size=6),
    st.lists(st.integers(0, 10**6), max_size=12),
)
def test_messages_come_out_whole_however_the_bytes_are_cut(payloads: list[bytes], cuts: list[int]) -> None:
    data = b"".join(map(client_frame, payloads))
    assert read(data, cuts) == [(BINARY, payload) for payload in payloads]


@given(st.binary(max_size=200), st.binary(max_size=200), st.lists(st.integers(0, 1000), max_size=5))
def test_fragments_are_joined_and_control_frames_come_between(first: bytes, second: bytes, cuts: list[int]) -> None:
    data = (
        client_frame(first, fin=False)
        + client_frame(b"still there?", Opcode.PING)
        + client_frame(second, Opcode.CONT)
        + client_frame(b"text", Opcode.TEXT)
    )
    assert read(data, cuts) == [(PING, b"still there?"), (BINARY, first + second), (TEXT, b"text")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"\x82\x05hello", 1002, id="not masked"),
        pytest.param(client_frame(bytes(LIMIT + 1)), 1009, id="too large"),
        pytest.param(
            client_frame(bytes(LIMIT), fin=False) + client_frame(b"x", Opcode.CONT), 1009, id="too large in pieces"
        ),
        pytest.param(client_frame(b"x", Opcode.CONT), 1002, id="continues nothing"),
        pytest.param(client_frame(b"x", fin=False) + client_frame(b"y"), 1002, id="does not continue"),
        pytest.param(b"\xc2" + client_frame(b"abc")[1:], 1002, id="a reserved bit"),
        pytest.param(b"\x8b" + client_frame(b"abc")[1:], 1002, id="no such control frame"),
        pytest.param(
            client_frame(b"", fin=False) + client_frame(b"", Opcode.CONT, fin=False) * 2000, 1009, id="endless pieces"
        ),
    ],
)
def test_what_breaks_the_protocol_is_refused_with_its_code(data: bytes, code: int) -> None:
    with pytest.raises(FramingError) as refused:
        read(data, [])
    assert refused.value.code == code


@given(st.binary(max_size=2000))
def test_any_bytes_are_taken_or_refused(data: bytes) -> None:
    with suppress(FramingError):
        assert all(len(payload) <= len(data) for _, payload in read(data, [7, 100]))


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_our_frames_are_read_by_an_independent_implementation(length: int) -> None:
    framing = Framing(b"\x03doc")
    data = framing.wrap(bytes(length))
    assert data == Frame(Opcode.BINARY, b"\x03doc" + bytes(length)).serialize(mask=False)
    assert header(BINARY, length) == Frame(Opcode.BINARY, bytes(length)).serialize(mask=False)[: -length or None]


def test_a_close_frame_holds_code_and_reason() -> None:
    assert close_frame(4401, "no") == Frame(Opcode(CLOSE), b"\x11\x31no").serialize(mask=False)
