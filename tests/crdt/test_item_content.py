"""Content of every kind: where it ends, how long it is, and what only some engines could read."""

import struct

import msgspec
import pytest

from crdt import item_content
from crdt.item_content import MAX_DEPTH, skip_content
from crdt.lib0 import MalformedError, write_var_bytes, write_var_string, write_varuint

NULL = b"\x7e"


def json_text(value: object) -> bytes:
    return write_var_bytes(msgspec.json.encode(value))


@pytest.mark.parametrize(
    ("kind", "content", "length"),
    [
        (item_content.DELETED, b"\x05", 5),
        (item_content.JSON, b"\x02" + write_var_string("undefined") + json_text({"a": 1}), 2),
        (item_content.BINARY, write_var_bytes(b"\xff\x00"), 1),
        (item_content.STRING, write_var_string("aé😀"), 4),
        (item_content.EMBED, json_text({"image": "x"}), 1),
        (item_content.FORMAT, write_var_string("bold") + json_text(True), 1),
        (item_content.FORMAT, write_var_string("link") + json_text({"href": "é"}), 1),
        (item_content.TYPE, b"\x01", 1),
        (item_content.TYPE, b"\x03" + write_var_string("paragraph"), 1),
        (item_content.ANY, b"\x03\x7f\x7e\x78", 3),
        (item_content.ANY, b"\x01\x7b" + struct.pack(">d", 1.5), 1),
        (item_content.ANY, b"\x01\x7c" + struct.pack(">f", 1.5), 1),
        (item_content.ANY, b"\x01\x7a" + struct.pack(">q", -(2**60)), 1),
        (item_content.ANY, b"\x01\x7d\xff\xff\xff\xff\xff\xff\xff\x1f", 1),
        (item_content.ANY, b"\x01\x76\x01" + write_var_string("k") + b"\x75\x02\x79\x77\x01a", 1),
        (item_content.ANY, b"\x01\x74" + write_var_bytes(b"\x00\xff"), 1),
        (item_content.DOCUMENT, write_var_string("guid") + b"\x76\x01" + write_var_string("autoLoad") + b"\x78", 1),
    ],
)
def test_content_that_every_engine_reads(kind: int, content: bytes, length: int) -> None:
    assert skip_content(kind, b"?" + content + b"?", 1) == (length, 1 + len(content))


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (0, b"\x01"),
        (10, b"\x01"),
        (11, b"\x01\x01\x01"),
        (item_content.STRING, b"\x05abc"),
        (item_content.BINARY, b"\x05abc"),
        (item_content.EMBED, write_var_string("{")),
        (item_content.EMBED, write_var_string("NaN")),
        (item_content.EMBED, write_var_string("[" * 65 + "]" * 65)),
        (item_content.FORMAT, write_var_string("bold") + write_var_bytes(b'"\xff"')),
        (item_content.FORMAT, write_var_bytes(b"\xff") + json_text(True)),
        (item_content.JSON, b"\x01" + write_var_string("function")),
        (item_content.JSON, write_varuint(10**8) + json_text(1)),
        (item_content.TYPE, b"\x05" + write_var_string("hook")),
        (item_content.TYPE, b"\x07"),
        (item_content.TYPE, b"\x0f"),
        (item_content.TYPE, b""),
        (item_content.TYPE, b"\x03\x05p"),
        (item_content.ANY, write_varuint(10**8) + NULL),
        (item_content.ANY, b"\x01\x73"),
        (item_content.ANY, b"\x01\x7b\x00"),
        (item_content.ANY, b"\x01\x7d\xff\xff\xff\xff\xff\xff\xff\x20"),
        (item_content.ANY, b"\x01\x7d\x80"),
        (item_content.ANY, b"\x01\x76" + write_varuint(10**8) + b"\x00" + NULL),
        (item_content.ANY, b"\x01\x75" + write_varuint(10**8) + NULL),
        (item_content.ANY, b"\x01\x77\x02\xc3\x28"),
        (item_content.DOCUMENT, write_var_string("guid") + NULL),
        (item_content.DOCUMENT, write_var_string("guid")),
    ],
)
def test_content_that_some_engine_refuses_or_reads_otherwise(kind: int, content: bytes) -> None:
    with pytest.raises(MalformedError):
        skip_content(kind, content, 0)


def test_nesting_ends_where_recursion_is_still_cheap() -> None:
    def nested(depth: int) -> bytes:
        return b"\x01" + b"\x75\x01" * depth + NULL

    assert skip_content(item_content.ANY, nested(MAX_DEPTH), 0)[0] == 1
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(MalformedError, match="nested"):
            skip_content(item_content.ANY, nested(depth), 0)
        with pytest.raises(MalformedError, match="nested"):
            skip_content(item_content.ANY, b"\x01" + b"\x76\x01\x01k" * depth + NULL, 0)


def test_brackets_inside_strings_are_no_nesting() -> None:
    content = json_text(["[" * 200 + '"{'])
    assert skip_content(item_content.EMBED, content, 0) == (1, len(content))
