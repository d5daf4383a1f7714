"""A slow network: a TCP proxy that carries what a server sends at so many bytes a second, and keeps next to nothing."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

# As little as the kernel and the streams can hold between the two ends.
BUFFER_BYTES = 16 * 1024


class SlowLink:
    """Carries bytes to one port. What clients send is not slowed down."""

    def __init__(self, port: int, bytes_a_second: float) -> None:
        self._target = port
        self._rate = bytes_a_second
        self._is_up = threading.Event()
        self.port = 0

    async def run(self) -> None:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0, limit=BUFFER_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        self._is_up.set()
        async with server:
            await server.serve_forever()

    def wait(self) -> None:
        assert self._is_up.wait(30)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = socket.socket()
        upstream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        upstream.setblocking(False)
        await asyncio.get_running_loop().sock_connect(upstream, ("127.0.0.1", self._target))
        from_server, to_server = await asyncio.open_connection(sock=upstream, limit=BUFFER_BYTES)
        await asyncio.gather(self._pump(reader, to_server, None), self._pump(from_server, writer, self._rate))

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: float | None) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(BUFFER_BYTES):
                writer.write(data)
                await writer.drain()
                if rate is not None:
                    await asyncio.sleep(len(data) / rate)
        writer.close()


@contextlib.contextmanager
def slow_link(port: int, bytes_a_second: float) -> Iterator[SlowLink]:
    """A link in a thread of its own, until the block ends."""
    link = SlowLink(port, bytes_a_second)
    loop = asyncio.new_event_loop()

    def carry() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(running)

    running = loop.create_task(link.run())
    thread = threading.Thread(target=carry)
    thread.start()
    try:
        link.wait()
        yield link
    finally:
        loop.call_soon_threadsafe(running.cancel)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
