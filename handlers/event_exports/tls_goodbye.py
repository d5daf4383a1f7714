"""TLS as a client, that knows whether the other side said goodbye.

The streams of the standard library, and what wraps them, take a connection that was cut, or an alert, for an end like
any other: who was refused would not notice. Here only a close_notify is one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

_CHUNK_BYTES = 64 * 1024


class Encrypted:
    """An encrypted connection over streams that are not. Every method raises OSError (ssl.SSLError is one)."""

    def __init__(
        self, context: ssl.SSLContext, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=False, server_hostname=host)

    async def greet(self) -> None:
        """The handshake: from here on it is the host, as far as certificates can tell."""
        await self._do(self._tls.do_handshake)

    async def send(self, data: bytes) -> None:
        await self._do(lambda: self._tls.write(data))

    async def say_goodbye(self) -> None:
        """Sends our close_notify and returns with the other side's. Raises ssl.SSLEOFError if it ends without one."""
        try:
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            # Ours is written; what `unwrap` would say of theirs is not to be relied on.
            await self._flush()
        while await self._do(self._read):
            continue

    def _read(self) -> bool:
        """Whether there was something; False for a close_notify."""
        try:
            return bool(self._tls.read(_CHUNK_BYTES))
        except ssl.SSLZeroReturnError:
            return False

    async def _do(self, call: Callable[[], object]) -> object:
        while True:
            try:
                result = call()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
                continue
            await self._flush()
            return result

    async def _flush(self) -> None:
        if self._outgoing.pending:
            self._writer.write(self._outgoing.read())
            await self._writer.drain()

    async def _fill(self) -> None:
        if data := await self._reader.read(_CHUNK_BYTES):
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
