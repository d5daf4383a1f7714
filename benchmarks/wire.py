"""The two Yjs wire dialects, as far as a load program speaks them.

PROTOCOL.md says what the frames mean. A `Dialect` is one document seen through one dialect: where to connect, and what
to put around a message.
"""

from __future__ import annotations

from typing import Final

Y_WEBSOCKET: Final = "y-websocket"
HOCUSPOCUS: Final = "hocuspocus"
DIALECTS: Final = (Y_WEBSOCKET, HOCUSPOCUS)

# From version 4 on a Hocuspocus server knows that the client answers its pings.
PROVIDER_VERSION: Final = b"4.0.0"
PING: Final = b"\x09"
PONG: Final = b"\x0a"

# Far above the states that are joined here; a client must take whatever a server sends.
LARGEST_FRAME: Final = 1 << 26


def varuint(number: int) -> bytes:
    """An unsigned integer as lib0 writes it: seven bits a byte, the low ones first."""
    out = bytearray()
    while number > 127:
        out.append(0x80 | (number & 127))
        number >>= 7
    out.append(number)
    return bytes(out)


def var_bytes(data: bytes) -> bytes:
    return varuint(len(data)) + data


def read_var_bytes(data: bytes, position: int) -> bytes:
    """The length-prefixed bytes at `position`; raises IndexError where the prefix is cut off."""
    length = shift = 0
    while True:
        byte = data[position]
        position += 1
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return data[position : position + length]


class Dialect:
    """One document in one dialect.

    A Hocuspocus frame begins with the document's name; y-websocket has it in the URL.
    """

    def __init__(self, name: str, url: str, document: str, token: str) -> None:
        self._hocuspocus = name == HOCUSPOCUS
        self._token = token
        if self._hocuspocus:
            self._prefix = var_bytes(document.encode())
            self.url = url
        else:
            self._prefix = b""
            self.url = f"{url}/{document}" + (f"?token={token}" if token else "")

    def hello(self) -> list[bytes]:
        """The frames of a new client: its credential where the dialect has that, then its (empty) state vector."""
        ask = self._prefix + b"\x00\x00" + var_bytes(b"\x00")
        if not self._hocuspocus:
            return [ask]
        # The provider sends some token always; a server without authentication looks at none.
        token = var_bytes((self._token or "none").encode())
        return [self._prefix + b"\x02\x00" + token + var_bytes(PROVIDER_VERSION), ask]

    def update(self, update: bytes) -> bytes:
        return self._prefix + b"\x00\x02" + var_bytes(update)

    def answer(self, frame: bytes) -> bytes | None:
        """What a client must send back at once to stay connected."""
        return PONG if self._hocuspocus and frame == PING else None

    def state_in(self, frame: bytes) -> bytes | None:
        """The update inside a sync step 2, which is the answer to the state vector; None for other frames."""
        at = len(self._prefix)
        if frame[at : at + 2] != b"\x00\x01":
            return None
        return read_var_bytes(frame, at + 2)
