"""A TCP load balancer in the test's event loop: it spreads connections over nodes, and can cut them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence

CHUNK = 64 * 1024


class Balancer:
    """Each connection goes to one of the ports that answer, chosen at random."""

    def __init__(self, ports: Sequence[int], chance: random.Random) -> None:
        self._ports = ports
        self._chance = chance
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.cuts = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut(1.0)

    def cut(self, share: float) -> None:
        """Break a share of the connections, in the middle of whatever they carry."""
        for writer in list(self._connections):
            if self._chance.random() < share:
                self.cuts += 1
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            upstream = await self._connect()
            if upstream is not None:
                await asyncio.gather(pump(reader, upstream[1]), pump(upstream[0], writer))
        finally:
            self._connections.discard(writer)
            writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for port in self._chance.sample(list(self._ports), len(self._ports)):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        return None


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes until one side ends, and end the other."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()
