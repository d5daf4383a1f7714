"""A WebSocket client that is nothing but a socket: it reads when the test says so, or never."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import msgspec

from crdt import sync
from crdt.lib0 import write_var_string, write_varuint
from server.framing import FIN
from server.studio_frames import HELLO, REQUEST, STUDIO_PREFIX

HANDSHAKE = (
    "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
READ_BYTES = 256 * 1024


def masked(message: bytes, opcode: int = 2) -> bytes:
    """A frame as clients send them; the mask is of zeros."""
    size = len(message)
    length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
    if size > 0xFFFF:
        length = bytes([0x80 | 127]) + size.to_bytes(8, "big")
    return bytes([FIN | opcode]) + length + bytes(4) + message


class RawClient:
    """Connected, and in a document if one is named. Its receive buffer is as small as the kernel allows."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._token = token
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.setblocking(False)
        self._received = b""

    async def connect(self) -> RawClient:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._socket, ("127.0.0.1", self._port))
        await loop.sock_sendall(self._socket, HANDSHAKE.encode())
        while b"\r\n\r\n" not in self._received:
            self._received += await loop.sock_recv(self._socket, READ_BYTES)
        self._received = self._received.partition(b"\r\n\r\n")[2]
        return self

    async def send(self, message: bytes, opcode: int = 2) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, masked(message, opcode))

    async def join(self, document: str) -> None:
        """Sign in to the document and ask for it."""
        prefix = write_var_string(document)
        await self.send(prefix + b"\x02\x00" + write_var_string(self._token) + write_var_string("4.0.0"))
        await self.send(prefix + sync.step_1(sync.EMPTY_STATE_VECTOR))

    async def hello(self) -> None:
        await self.send(STUDIO_PREFIX + write_varuint(HELLO) + msgspec.msgpack.encode({"token": self._token}))

    async def ask(self, number: int, operation: str, **parameters: Any) -> None:
        request = {"id": number, "operation": operation, "parameters": parameters}
        await self.send(STUDIO_PREFIX + write_varuint(REQUEST) + msgspec.msgpack.encode(request))

    async def read_some(self, most: int = READ_BYTES) -> int:
        """Read what is there, and keep nothing; how much, 0 at the end of the connection."""
        with contextlib.suppress(ConnectionResetError):
            return len(await asyncio.get_running_loop().sock_recv(self._socket, most))
        return 0

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload. Raises EOFError at the end of the connection."""
        head = await self._take(2)
        length = head[1] & 0x7F
        if length > 125:
            length = int.from_bytes(await self._take(2 if length == 126 else 8), "big")
        return head[0] & 0x0F, await self._take(length)

    async def _take(self, size: int) -> bytes:
        chunks, there = [self._received], len(self._received)
        while there < size:
            try:
                chunk = await asyncio.get_running_loop().sock_recv(self._socket, READ_BYTES)
            except ConnectionResetError:
                raise EOFError from None
            if not chunk:
                raise EOFError
            chunks.append(chunk)
            there += len(chunk)
        data = b"".join(chunks)
        self._received = data[size:]
        return data[:size]

    def close(self) -> None:
        self._socket.close()
