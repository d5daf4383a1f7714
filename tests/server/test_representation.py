"""Which media type is chosen, and what a body may look like."""

import msgspec
import pytest

from handlers.registry import InvalidRequest
from server.representation import decode, is_structured, preferred


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "a/json"),
        ("*/*", "a/json"),
        ("a/pack", "a/pack"),
        ("A/Pack; q=0.9", "a/pack"),
        ("a/json;q=0.2, a/pack;q=0.8", "a/pack"),
        ("a/*;q=0.5, a/json;q=0.1", "a/pack"),
        ("text/html", None),
        ("a/json;q=0, */*", "a/pack"),
        ("text/html, */*;q=0.1", "a/json"),
        ("a/pack;q=nonsense", None),
        ("a/pack;q=7", "a/pack"),
        (",,;,", None),
    ],
)
def test_the_accept_header_decides(accept: str, chosen: str | None) -> None:
    assert preferred(accept, ("a/json", "a/pack")) == chosen


def test_structured_bodies_are_decoded() -> None:
    assert decode(b'{"a": [1]}', "application/json") == {"a": [1]}
    assert decode(msgspec.msgpack.encode({"a": b"\0"}), "application/msgpack") == {"a": b"\0"}
    assert is_structured("application/json-patch+json")
    assert is_structured("application/x-msgpack")
    assert not is_structured("application/octet-stream")
    assert not is_structured("text/plain")


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"{", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b'"\xff"', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"\x91" * 100_000, "application/msgpack"),
        (b"\xdf\xff\xff\xff\xff", "application/msgpack"),
        (b"\xc1", "application/msgpack"),
        (b"1 2", "application/json"),
    ],
)
def test_what_is_not_a_body_is_refused(body: bytes, media_type: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decode(body, media_type)
    assert refused.value.code == "malformed_body"
