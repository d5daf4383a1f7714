"""The content of a struct in a Yjs update: how long it is and where it ends, by kind.

Whatever one of the engines would read in another way than the others is malformed here; see `crdt/update.py`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from crdt.lib0 import MalformedError, read_varuint

DELETED: Final = 1
JSON: Final = 2
BINARY: Final = 3
STRING: Final = 4
EMBED: Final = 5
FORMAT: Final = 6
TYPE: Final = 7
ANY: Final = 8
DOCUMENT: Final = 9

XML_ELEMENT: Final = 3
# Array, map, text, XML element, fragment and text. Type 5 (XML hook) has a name for JavaScript and none for the
# server's engine, types from 7 on are unknown to JavaScript.
TYPES: Final = frozenset({0, 1, 2, 3, 4, 6})

# The engines read nested values by recursion: some thousands of levels end the process.
MAX_DEPTH: Final = 64

_decode_json = msgspec.json.Decoder().decode


def skip_content(kind: int, data: bytes, position: int) -> tuple[int, int]:
    """The length in clock units of the content at `position`, and the position after it. Raises MalformedError."""
    if kind == TYPE:
        return 1, _skip_type(data, position)
    if kind == DELETED:
        return read_varuint(data, position)
    if kind == FORMAT:
        return 1, _skip_json(data, skip_bytes(data, position, text=True))
    if kind == ANY:
        count, position = read_varuint(data, position)
        return count, _skip_values(data, position, count, MAX_DEPTH)
    if kind == STRING:
        length, position = read_varuint(data, position)
        end = position + length
        if end > len(data):
            raise MalformedError("the data ends inside a string")
        return utf16_length(data[position:end]), end
    if kind == EMBED:
        return 1, _skip_json(data, position)
    if kind == BINARY:
        return 1, skip_bytes(data, position)
    if kind == DOCUMENT:
        return 1, _skip_document(data, position)
    if kind == JSON:
        count, position = read_varuint(data, position)
        return count, _skip_json_list(data, position, count)
    raise MalformedError(f"there is no content of kind {kind}")


def utf16_length(text: bytes) -> int:
    """The length of UTF-8 text in the units of JavaScript strings."""
    if text.isascii():
        return len(text)
    try:
        return len(text.decode().encode("utf-16-le")) >> 1
    except UnicodeDecodeError:
        raise MalformedError("a string is not UTF-8") from None


def skip_bytes(data: bytes, position: int, *, text: bool = False) -> int:
    """The position after a byte string; with `text`, one that must be UTF-8."""
    length, position = read_varuint(data, position)
    end = position + length
    if end > len(data):
        raise MalformedError(f"{length} bytes are declared, {len(data) - position} are left")
    if text:
        utf16_length(data[position:end])
    return end


def _skip_type(data: bytes, position: int) -> int:
    kind = data[position] if position < len(data) else -1
    position += 1
    if kind not in TYPES:
        raise MalformedError(f"there is no shared type {kind}")
    return skip_bytes(data, position, text=True) if kind == XML_ELEMENT else position


def _skip_document(data: bytes, position: int) -> int:
    position = skip_bytes(data, position, text=True)
    if data[position : position + 1] != b"\x76":
        raise MalformedError("the options of a subdocument are not an object")
    return _skip_values(data, position, 1, MAX_DEPTH)


def _skip_values(data: bytes, position: int, count: int, depth: int) -> int:  # noqa: PLR0912
    """The position after `count` values of lib0's "any" encoding, nested at most `depth` deep."""
    size = len(data)
    if count > size - position:
        raise MalformedError(f"{count} values are declared, {size - position} bytes are left")
    if depth < 0:
        raise MalformedError(f"values are nested more than {MAX_DEPTH} deep")
    for _ in range(count):
        tag = data[position] if position < size else -1
        position += 1
        if tag == 119:  # string
            position = skip_bytes(data, position, text=True)
        elif tag == 125:  # integer
            position = _skip_varint(data, position)
        elif 120 <= tag <= 121 or 126 <= tag <= 127:  # true, false, null, undefined
            pass
        elif tag == 118:  # object
            position = _skip_object(data, position, depth)
        elif tag == 117:  # array
            inner, position = read_varuint(data, position)
            position = _skip_values(data, position, inner, depth - 1)
        elif tag == 116:  # bytes
            position = skip_bytes(data, position)
        elif tag in (122, 123):  # 64-bit integer, 64-bit float
            position += 8
        elif tag == 124:  # 32-bit float
            position += 4
        else:
            raise MalformedError(f"there is no value of type {tag}")
    if position > size:
        raise MalformedError("the data ends inside a value")
    return position


def _skip_object(data: bytes, position: int, depth: int) -> int:
    count, position = read_varuint(data, position)
    if count * 2 > len(data) - position:
        raise MalformedError(f"{count} entries are declared, {len(data) - position} bytes are left")
    for _ in range(count):
        position = skip_bytes(data, position, text=True)
        position = _skip_values(data, position, 1, depth - 1)
    return position


def _skip_varint(data: bytes, position: int) -> int:
    """The position after a signed integer: six bits, then seven a byte. Beyond 2**53 JavaScript throws."""
    size = len(data)
    end = position
    while end < size and data[end] > 127:
        end += 1
    if end >= size:
        raise MalformedError("the data ends inside a number")
    if end - position > 7 or (end - position == 7 and data[end] > 31):
        raise MalformedError("an integer is beyond 2**53")
    return end + 1


def _skip_json(data: bytes, position: int) -> int:
    length, position = read_varuint(data, position)
    end = position + length
    if end > len(data):
        raise MalformedError("the data ends inside a string")
    _check_json(data[position:end])
    return end


def _skip_json_list(data: bytes, position: int, count: int) -> int:
    if count > len(data) - position:
        raise MalformedError(f"{count} values are declared, {len(data) - position} bytes are left")
    for _ in range(count):
        length, position = read_varuint(data, position)
        end = position + length
        if end > len(data):
            raise MalformedError("the data ends inside a string")
        if data[position:end] != b"undefined":
            _check_json(data[position:end])
        position = end
    return position


def _check_json(encoded: bytes) -> None:
    if encoded in (b"null", b"true", b"false", b"{}"):
        return
    # The engine reads JSON by recursion, with its own limit; brackets inside strings are seldom that many.
    if encoded.count(b"[") + encoded.count(b"{") > MAX_DEPTH and _depth(encoded) > MAX_DEPTH:
        raise MalformedError(f"values are nested more than {MAX_DEPTH} deep")
    try:
        _decode_json(encoded)
    except (ValueError, RecursionError):
        raise MalformedError("a value is not JSON") from None


def _depth(encoded: bytes) -> int:
    """How deep brackets nest outside of strings."""
    depth = deepest = 0
    in_string = escaped = False
    for byte in encoded:
        if in_string:
            in_string = escaped or byte != 0x22
            escaped = byte == 0x5C and not escaped
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest
