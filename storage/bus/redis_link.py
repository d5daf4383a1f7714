"""One connection to Redis, driven by its read callback.

redis-py connects, encrypts and signs in. After that its streams would cost more than the messages themselves, so the
transport is taken over.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import RedisError

from storage.bus.resp import Parser, Reply, command
from storage.errors import InvalidUrl

# A healthy server answers within milliseconds. One that was stopped accepts connections and says nothing.
CONNECT_SECONDS = 2.0
# What one callback takes from the socket at most, so that a flood does not hold the event loop.
READ_BYTES = 64 * 1024
GONE = "the server closed the connection"


class Lost(Exception):
    """The connection ended, or was never made; the message says why."""


class RedisAddress:
    """A `redis://`, `rediss://` or `unix://` URL. Raises InvalidUrl."""

    def __init__(self, url: str, client_name: str) -> None:
        """`client_name` is what `CLIENT LIST` on the server shows."""
        try:
            options: dict[str, Any] = {**parse_url(url)}
            self._connection_class: type[AbstractConnection] = options.pop("connection_class", Connection)
            self._options = {
                **options,
                "protocol": 2,
                "decode_responses": False,
                "socket_timeout": CONNECT_SECONDS,
                "socket_connect_timeout": CONNECT_SECONDS,
                "client_name": "".join(character if "!" <= character <= "~" else "-" for character in client_name),
            }
            self.database = int(options.get("db", 0))
            self.new_connection()
        except (ValueError, TypeError, RedisError) as error:
            raise InvalidUrl(f"the Redis URL cannot be used: {error}; use redis://host:6379/0") from None

    def new_connection(self) -> AbstractConnection:
        """Not connected yet."""
        return self._connection_class(**self._options)


class Link(asyncio.BufferedProtocol):
    """A connection: bytes out, replies in. Made by `open`."""

    def __init__(self, connection: AbstractConnection, transport: asyncio.Transport) -> None:
        self._connection = connection
        self._transport = transport
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._parser = Parser()
        self._questions: deque[asyncio.Future[Reply]] = deque()
        self._ended = asyncio.Event()
        # Whether anything came since somebody last set it to False.
        self.has_heard = False
        # Takes each reply that nobody asked for.
        self.on_reply: Callable[[Reply], None] = lambda _: None
        # Called once, with the reason.
        self.on_lost: Callable[[str], None] = lambda _: None

    @classmethod
    async def open(cls, address: RedisAddress) -> Link:
        """Raises RedisError, OSError and TimeoutError."""
        connection = address.new_connection()
        try:
            await connection.connect()  # type: ignore[no-untyped-call]  # redis-py gives it none
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        # redis-py has no other name for it.
        transport: asyncio.Transport = connection._writer.transport  # type: ignore[union-attr,assignment]
        link = cls(connection, transport)
        transport.set_protocol(link)
        return link

    @property
    def unsent(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    async def ask(self, *arguments: bytes) -> Reply:
        """The answer to a command. Raises Lost."""
        if self._ended.is_set():
            raise Lost(GONE)
        question: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._questions.append(question)
        self.write(command(*arguments))
        return await question

    async def close(self) -> None:
        """Send what waits, as far as the server takes it, and end."""
        self._transport.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._ended.wait()
        await self.abort()

    async def abort(self) -> None:
        """End at once. Safe to call twice."""
        if not self._ended.is_set():
            self._transport.abort()
        # Closes nothing that is open any more, but redis-py has to know.
        await self._connection.disconnect(nowait=True)

    # What the transport calls

    def get_buffer(self, _: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, count: int) -> None:
        self.has_heard = True
        try:
            replies = self._parser.feed(bytes(self._buffer[:count]))
        except ValueError as error:
            self._transport.abort()
            self._end(str(error))
            return
        for reply in replies:
            self._take(reply)

    def _take(self, reply: Reply) -> None:
        if not self._questions:
            self.on_reply(reply)
        elif not (question := self._questions.popleft()).done():
            question.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(str(error) if error else GONE)

    def _end(self, reason: str) -> None:
        if self._ended.is_set():
            return
        self._ended.set()
        for question in self._questions:
            if not question.done():
                question.set_exception(Lost(reason))
        self.on_lost(reason)
