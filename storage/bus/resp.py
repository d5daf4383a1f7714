"""The Redis protocol, version 2: commands into bytes, bytes into replies.

https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

_ARRAY, _BULK, _SIMPLE, _INTEGER, _ERROR = b"*$+:-"


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """The server's answer to a command that it did not carry out, such as `NOPERM this user has no permissions`."""

    text: str


Reply: TypeAlias = "bytes | int | ErrorReply | list[Reply] | None"


def command(*arguments: bytes) -> bytes:
    """The bytes that ask the server for something."""
    parts = [b"*%d\r\n" % len(arguments)]
    parts += [b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in arguments]
    return b"".join(parts)


class _Incomplete(Exception):
    """The reply does not end here; it has at least `needed` bytes."""

    def __init__(self, needed: int) -> None:
        super().__init__()
        self.needed = needed


class Parser:
    """Replies out of a stream that is cut anywhere."""

    def __init__(self) -> None:
        # What came of a reply that is not complete, and how many bytes it has at least.
        self._chunks: list[bytes] = []
        self._held = 0
        self._needed = 0

    def feed(self, data: bytes) -> list[Reply]:
        """What is complete with this data, in order. Raises ValueError for what is no reply."""
        if self._chunks:
            self._chunks.append(data)
            self._held += len(data)
            if self._held < self._needed:
                return []
            data = b"".join(self._chunks)
        return self._take(data)

    def _take(self, data: bytes) -> list[Reply]:
        replies: list[Reply] = []
        position, end = 0, len(data)
        try:
            while position < end:
                reply, position = _read(data, position)
                replies.append(reply)
        except _Incomplete as missing:
            self._needed = missing.needed - position
        rest = data[position:]
        self._chunks = [rest] if rest else []
        self._held = len(rest)
        return replies


def _read(data: bytes, start: int) -> tuple[Reply, int]:
    """The reply that starts there, and where the next one does."""
    line_end = data.find(b"\r\n", start)
    if line_end < 0:
        raise _Incomplete(len(data) + 1)
    kind, after = data[start], line_end + 2
    if kind == _BULK:
        end = after + int(data[start + 1 : line_end])
        if end < after:
            return None, after
        if end + 2 > len(data):
            raise _Incomplete(end + 2)
        return data[after:end], end + 2
    if kind == _ARRAY:
        return _read_array(data, after, int(data[start + 1 : line_end]))
    return _line(kind, data[start + 1 : line_end]), after


def _read_array(data: bytes, position: int, count: int) -> tuple[Reply, int]:
    if count < 0:
        return None, position
    items: list[Reply] = []
    for _ in range(count):
        item, position = _read(data, position)
        items.append(item)
    return items, position


def _line(kind: int, text: bytes) -> Reply:
    if kind == _SIMPLE:
        return text
    if kind == _INTEGER:
        return int(text)
    if kind == _ERROR:
        return ErrorReply(text.decode(errors="replace"))
    raise ValueError(f"not a reply of Redis: {chr(kind)}{text[:40]!r}")
