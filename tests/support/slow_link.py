"""A slow network: a TCP proxy that carries what a server sends at so many bytes a second, and keeps next to nothing."""

import asyncio
import contextlib
import socket
import threading

# As little as the kernel and the streams can hold between the two ends.
BUFFER_BYTES = 16 * 1024


class SlowLink:
    """Carries bytes to one port. What clients send is not slowed down."""

    def __init__(self, port: int, bytes_a_second: float) -> None:
        self._target = port
        self._rate = bytes_a_second
        self._is_up = threading.Event()
        self._is_over: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.port = 0

    async def _run(self) -> None:
        self._loop, self._is_over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0, limit=BUFFER_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        self._is_up.set()
        await self._is_over.wait()
        server.close()

    def __enter__(self) -> "SlowLink":
        self._thread.start()
        assert self._is_up.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._is_over is not None
        self._loop.call_soon_threadsafe(self._is_over.set)
        self._thread.join()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = socket.socket()
        upstream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        upstream.setblocking(False)
        await asyncio.get_running_loop().sock_connect(upstream, ("127.0.0.1", self._target))
        from_server, to_server = await asyncio.open_connection(sock=upstream, limit=BUFFER_BYTES)
        try:
            await asyncio.gather(self._pump(reader, to_server, None), self._pump(from_server, writer, self._rate))
        except asyncio.CancelledError:
            writer.transport.abort()
            to_server.transport.abort()

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: float | None) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(BUFFER_BYTES):
                writer.write(data)
                await writer.drain()
                if rate is not None:
                    await asyncio.sleep(len(data) / rate)
        writer.close()
