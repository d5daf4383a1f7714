"""The Redis protocol: whatever the server sends, and however the network cuts it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.bus.resp import ErrorReply, Parser, Reply, command

lines = st.text(st.characters(min_codepoint=32, max_codepoint=126))
scalars = st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary() | lines.map(ErrorReply)
replies: st.SearchStrategy[Reply] = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4), max_leaves=8)


def encoded(reply: Reply) -> bytes:
    """As a server writes it."""
    match reply:
        case None:
            return b"$-1\r\n"
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(reply), reply)
        case int():
            return b":%d\r\n" % reply
        case ErrorReply():
            return b"-%b\r\n" % reply.text.encode()
        case list():
            return b"*%d\r\n" % len(reply) + b"".join(map(encoded, reply))


@given(st.lists(replies, max_size=6), st.lists(st.integers(0, 200), max_size=20))
def test_replies_are_found_wherever_they_are_cut(sent: list[Reply], cuts: list[int]) -> None:
    stream, parser, found = b"".join(map(encoded, sent)), Parser(), []
    positions = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    for start, end in itertools.pairwise(positions):
        found += parser.feed(stream[start:end])
    assert found == sent


@given(st.lists(replies, min_size=1, max_size=3))
def test_a_reply_is_told_with_its_last_byte(sent: list[Reply]) -> None:
    parser = Parser()
    for reply in sent:
        *most, last = (bytes([byte]) for byte in encoded(reply))
        assert [found for byte in most for found in parser.feed(byte)] == []
        assert parser.feed(last) == [reply]


def test_a_simple_line_and_an_array_that_is_nothing() -> None:
    assert Parser().feed(b"+OK\r\n*-1\r\n*0\r\n") == [b"OK", None, []]


def test_a_command_is_an_array_of_strings() -> None:
    arguments: list[Reply] = [b"SPUBLISH", b"a channel", b"\r\n\x00", b""]
    assert Parser().feed(command(b"SPUBLISH", b"a channel", b"\r\n\x00", b"")) == [arguments]


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request\r\n", b"$x\r\n", b"*\r\n", b"\r\n"])
def test_what_is_no_reply_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"reply|int"):
        Parser().feed(data)
