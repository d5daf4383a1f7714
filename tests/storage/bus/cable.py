"""The way to a Redis server: it may be encrypted, and it may go dead without being cut."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

from redis_server import RedisServer


class Cable:
    """A port of `localhost` that leads to the server."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self.port = 0
        # One a connection, in the order they were made: nothing is carried, either way, while it is not set.
        self.carries: list[asyncio.Event] = []
        self._tasks: list[asyncio.Task[None]] = []

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.append(asyncio.create_task(self.connect(reader, writer)))

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", self._server.port)
        carries = asyncio.Event()
        carries.set()
        self.carries.append(carries)
        try:
            await asyncio.gather(_carry(reader, there[1], carries), _carry(there[0], writer, carries))
        finally:
            for end in (writer, there[1]):
                end.transport.abort()

    async def remove(self) -> None:
        """Cut all that it carries."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, carries: asyncio.Event) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            await carries.wait()
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def cable_to(server: RedisServer, encryption: ssl.SSLContext | None = None) -> AsyncIterator[Cable]:
    cable = Cable(server)
    async with await asyncio.start_server(cable.accept, "localhost", 0, family=2, ssl=encryption) as listener:
        cable.port = listener.sockets[0].getsockname()[1]
        try:
            yield cable
        finally:
            await cable.remove()
