"""Protocol buffers as they are on the wire: the fields of a message, and nothing that leaves the message's bounds.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

_MOST_BITS = 64
_unpack_double = struct.Struct("<d").unpack_from
_unpack_fixed64 = struct.Struct("<Q").unpack_from
_unpack_sfixed64 = struct.Struct("<q").unpack_from


class Malformed(ValueError):
    """The bytes are no such message."""


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The number at `at`, below 2^64, and where it ends. Raises Malformed."""
    value = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
        if shift >= _MOST_BITS + 6:
            raise Malformed("a number has more than ten bytes")
    raise Malformed("a number is cut off")


def fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of the message data[at:end] as (number, wire type, a, b); raises Malformed.

    Of a varint `a` is its value; of the others data[a:b] is what the field holds.
    """
    while at < end:
        tag, at = varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise Malformed("a field has the number 0")
        if kind == VARINT:
            value, at = varint(data, at, end)
            yield number, kind, value, at
            continue
        if kind == BYTES:
            size, at = varint(data, at, end)
        elif kind == FIXED64:
            size = 8
        elif kind == FIXED32:
            size = 4
        else:
            raise Malformed(f"a field has the wire type {kind}, which is not used")
        if size > end - at:
            raise Malformed("a field is longer than its message")
        yield number, kind, at, at + size
        at += size


def text(data: bytes, at: int, end: int) -> str:
    """Raises Malformed for what is not UTF-8."""
    try:
        return data[at:end].decode()
    except UnicodeDecodeError:
        raise Malformed("a text is not UTF-8") from None


def double(data: bytes, at: int) -> float:
    value: float = _unpack_double(data, at)[0]
    return value


def fixed64(data: bytes, at: int) -> int:
    value: int = _unpack_fixed64(data, at)[0]
    return value


def sfixed64(data: bytes, at: int) -> int:
    value: int = _unpack_sfixed64(data, at)[0]
    return value


def signed(value: int) -> int:
    """An int64 or int32 that came as a varint."""
    return value - (1 << 64) if value >> 63 else value


def zigzag(value: int) -> int:
    """A sint32 or sint64 that came as a varint."""
    return (value >> 1) ^ -(value & 1)


def packed_fixed64(data: bytes, at: int, end: int) -> tuple[int, ...]:
    """Raises Malformed."""
    return struct.unpack(f"<{_count_of(at, end)}Q", data[at:end])


def packed_doubles(data: bytes, at: int, end: int) -> tuple[float, ...]:
    """Raises Malformed."""
    return struct.unpack(f"<{_count_of(at, end)}d", data[at:end])


def packed_varints(data: bytes, at: int, end: int) -> list[int]:
    """Raises Malformed."""
    values = []
    while at < end:
        value, at = varint(data, at, end)
        values.append(value)
    return values


def _count_of(at: int, end: int) -> int:
    count, rest = divmod(end - at, 8)
    if rest:
        raise Malformed("a list of numbers of eight bytes ends within one")
    return count


def write_varint(number: int, value: int) -> bytes:
    """A field that holds a number without a sign."""
    return _varint_bytes(number << 3 | VARINT) + _varint_bytes(value)


def write_bytes(number: int, value: bytes) -> bytes:
    """A field that holds bytes, a text or a message."""
    return _varint_bytes(number << 3 | BYTES) + _varint_bytes(len(value)) + value


def _varint_bytes(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
