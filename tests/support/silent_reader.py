"""A client that joins a document and then reads nothing, however much it is sent."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from crdt.lib0 import write_var_string

HANDSHAKE = (
    "GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def masked(message: bytes) -> bytes:
    """A binary frame as clients send them; the mask is of zeros."""
    size = len(message)
    length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
    return b"\x82" + length + bytes(4) + message


class SilentReader:
    """Its receive buffer is as small as the kernel allows, and stays full."""

    def __init__(self, url: str, token: str, document: str) -> None:
        self._host, _, port = url.removeprefix("ws://").partition(":")
        self._port = int(port)
        self._token = token
        self._prefix = write_var_string(document)
        self.connections = 0

    async def run(self) -> None:
        """Until cancelled: connect again whenever the server has had enough."""
        while True:
            with contextlib.suppress(OSError):
                await self._connect()
            await asyncio.sleep(1.0)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as silent:
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            silent.setblocking(False)
            await loop.sock_connect(silent, (self._host, self._port))
            await loop.sock_sendall(silent, HANDSHAKE.format(host=f"{self._host}:{self._port}").encode())
            credential = write_var_string(self._token) + write_var_string("4.0.0")
            await loop.sock_sendall(silent, masked(self._prefix + b"\x02\x00" + credential))
            await loop.sock_sendall(silent, masked(self._prefix + b"\x00\x00\x01\x00"))
            self.connections += 1
            await asyncio.sleep(3600)
