"""The way from clients to a TCP server, which a test cuts where it hurts most. It lives in the test's event loop."""

import asyncio
import contextlib
import enum
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Way(enum.Enum):
    """Which way bytes go."""

    TO_SERVER = 1
    TO_CLIENT = 2


class Fate(enum.Enum):
    """What happens to a piece that was read from one end."""

    ARRIVES = 1
    # The connection ends at both ends, before it arrived,
    LOST = 2
    # or right after: whoever sent it does not learn that.
    IS_THE_LAST = 3
    # The client's connection ends; what it sent arrives when the test calls `deliver`.
    DELAYED = 4


class Line:
    """One connection: the client's half and the server's."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.ends = {Way.TO_CLIENT: client, Way.TO_SERVER: server}
        self.delayed = b""

    def cut(self, *ways: Way) -> None:
        for way in ways or self.ends:
            self.ends[way].transport.abort()


class FaultyWire:
    """`fate_of` is asked about each piece; until a test sets it everything arrives."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.server = server
        self.port = 0
        self.fate_of: Callable[[Way, bytes], Fate] = lambda _way, _piece: Fate.ARRIVES
        self.lines: list[Line] = []

    def cut(self) -> None:
        """Every connection ends, at both ends."""
        for line in self.lines:
            line.cut()

    def deliver(self) -> None:
        """What was delayed arrives."""
        for line in self.lines:
            line.ends[Way.TO_SERVER].write(line.delayed)
            line.delayed = b""

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            its_reader, its_writer = await asyncio.open_connection(*self.server)
        except OSError:
            writer.transport.abort()
            return
        line = Line(writer, its_writer)
        self.lines.append(line)
        await asyncio.gather(self._carry(line, Way.TO_SERVER, reader), self._carry(line, Way.TO_CLIENT, its_reader))

    async def _carry(self, line: Line, way: Way, reader: asyncio.StreamReader) -> None:
        fate = Fate.ARRIVES
        with contextlib.suppress(OSError):
            while fate is Fate.ARRIVES and (piece := await reader.read(1 << 16)):
                fate = self.fate_of(way, piece)
                if fate in (Fate.ARRIVES, Fate.IS_THE_LAST):
                    line.ends[way].write(piece)
                    await line.ends[way].drain()
                elif fate is Fate.DELAYED:
                    line.delayed = piece
        if way is Way.TO_SERVER and fate in (Fate.IS_THE_LAST, Fate.DELAYED):
            # The server goes on with what it has, or is going to have, and its answer finds nobody.
            line.cut(Way.TO_CLIENT)
        else:
            line.cut()


@asynccontextmanager
async def faulty_wire(port: int) -> AsyncIterator[FaultyWire]:
    """A wire to a server on this machine."""
    wire = FaultyWire(("127.0.0.1", port))
    carried: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(wire.connected(reader, writer))
        carried.add(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        wire.cut()
        await asyncio.wait(carried) if carried else None
