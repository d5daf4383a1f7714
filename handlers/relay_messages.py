"""What nodes say to each other about a room: who says it, then one MessagePack list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

STORED, PRESENCE, WHO_IS_HERE, CLOSED = range(4)
"""Updates that are in the log now, presence, a question for it, and the end of a document."""

# A larger message is left out: that there is something new is said, and the receivers read it from the log.
MAX_CARRIED_BYTES = 512 * 1024

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Any])


class Letterhead:
    """Marks what a node sends, so that others know the sender, and the sender its own."""

    def __init__(self, node_id: str) -> None:
        self._head = node_id.encode() + b"\0"

    def seal(self, content: Sequence[Any]) -> bytes:
        return self._head + _encoder.encode(content)

    def is_own(self, message: bytes) -> bool:
        return message.startswith(self._head)


def opened(message: bytes) -> tuple[str, list[Any]]:
    """The sender's node id and what it says. Raises ValueError."""
    node, separator, content = message.partition(b"\0")
    if not separator:
        raise ValueError("a message without a sender")
    try:
        return node.decode(), _decoder.decode(content)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a message between nodes: {error}") from None


def stored(first: int, last: int, updates: Sequence[bytes]) -> list[Any]:
    """The updates with these numbers, or only the numbers where the updates are too large to carry."""
    carried = updates if sum(map(len, updates)) <= MAX_CARRIED_BYTES else ()
    return [STORED, first, last, list(carried)]
