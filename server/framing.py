"""WebSocket frames (RFC 6455): bytes in, messages out, and the other way round. No network, no asyncio."""

from dataclasses import dataclass

from websockets.speedups import apply_mask

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN = 0x80
# More fragments than this are an attack, not a message.
MAX_FRAGMENTS = 1_000


class FramingError(Exception):
    """The peer broke the protocol; the connection is to be closed with ``code``."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def header(opcode: int, length: int) -> bytes:
    """The head of an unfragmented, unmasked frame with ``length`` bytes of payload."""
    if length < 126:
        return bytes((FIN | opcode, length))
    if length < 65536:
        return bytes((FIN | opcode, 126)) + length.to_bytes(2, "big")
    return bytes((FIN | opcode, 127)) + length.to_bytes(8, "big")


def binary_frame(payload: bytes) -> bytes:
    return header(BINARY, len(payload)) + payload


def close_frame(code: int, reason: str) -> bytes:
    payload = code.to_bytes(2, "big") + reason.encode()[:123]
    return header(CLOSE, len(payload)) + payload


@dataclass(frozen=True, slots=True)
class Framing:
    """Messages of one address: each goes out as one binary frame that starts with ``prefix``."""

    prefix: bytes

    def wrap(self, message: bytes) -> bytes:
        prefix = self.prefix
        return b"".join((header(BINARY, len(prefix) + len(message)), prefix, message))


PLAIN = Framing(b"")


class FrameReader:
    """Splits a byte stream from a client into frames. A frame that is not whole yet waits in a buffer."""

    __slots__ = ("_buffer", "_fragments", "_gathered", "_max_size", "_needed", "_opcode", "_size")

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._buffer: bytes = b""
        self._gathered: bytearray | None = None
        self._pieces_reset()

    def _pieces_reset(self) -> None:
        self._needed = 0
        self._opcode = 0
        self._size = 0
        self._fragments: list[bytes] | None = None

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """(opcode, payload) of every message and control frame that is complete now. Raises FramingError.

        Fragments are joined. This runs once for every read of every connection: one loop, locals only.
        """
        if self._buffer or self._gathered:
            data = self._join(data)
            if not data:
                return []
        messages: list[tuple[int, bytes]] = []
        at, end, max_size = 0, len(data), self._max_size
        while end - at >= 6:
            first, second = data[at], data[at + 1]
            length, start = second & 0x7F, at + 6
            if length == 126:
                length, start = data[at + 2] << 8 | data[at + 3], at + 8
            elif length == 127:
                if end - at < 14:
                    break
                length, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 14
            if not second & 0x80:
                raise FramingError(1002, "a client must mask its frames")
            if length > max_size:
                raise FramingError(1009, f"a frame of {length} bytes; at most {max_size} are allowed")
            stop = start + length
            if stop > end:
                self._needed = stop - at
                break
            payload = apply_mask(data[start:stop], data[start - 4 : start])
            at = stop
            if first == FIN | BINARY and self._fragments is None:
                messages.append((BINARY, payload))
            else:
                self._take(first, payload, messages)
        self._buffer = data[at:]
        return messages

    def _join(self, data: bytes) -> bytes:
        """The buffered bytes with these behind them, or nothing while the frame at their start is not whole.

        A large frame comes in many reads: they are gathered in place and not copied again each time.
        """
        gathered = self._gathered
        if gathered is None:
            if len(self._buffer) + len(data) >= self._needed:
                self._needed = 0
                return self._buffer + data
            gathered = self._gathered = bytearray(self._buffer)
        gathered += data
        if len(gathered) < self._needed:
            return b""
        self._needed, self._gathered = 0, None
        return bytes(gathered)

    def _take(self, first: int, payload: bytes, messages: list[tuple[int, bytes]]) -> None:
        opcode, final = first & 0x0F, first & FIN
        if first & 0x70:
            raise FramingError(1002, "reserved bits are set")
        if opcode >= CLOSE:
            if not final or len(payload) > 125 or opcode > PONG:
                raise FramingError(1002, "not a control frame")
            messages.append((opcode, payload))
        elif opcode == CONTINUATION:
            self._continue(payload, final, messages)
        elif opcode in (TEXT, BINARY) and self._fragments is None:
            if final:
                messages.append((opcode, payload))
            else:
                self._opcode, self._fragments, self._size = opcode, [payload], len(payload)
        else:
            raise FramingError(1002, "a frame that does not belong here")

    def _continue(self, payload: bytes, final: int, messages: list[tuple[int, bytes]]) -> None:
        fragments = self._fragments
        if fragments is None:
            raise FramingError(1002, "a continuation of nothing")
        self._size += len(payload)
        if self._size > self._max_size or len(fragments) >= MAX_FRAGMENTS:
            raise FramingError(1009, f"a message of more than {self._max_size} bytes or {MAX_FRAGMENTS} fragments")
        fragments.append(payload)
        if final:
            messages.append((self._opcode, b"".join(fragments)))
            self._fragments = None
