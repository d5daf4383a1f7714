"""A server whose every frame a test writes by hand, on a real socket."""

import asyncio
from types import TracebackType
from typing import Any, Self

import msgpack  # type: ignore[import-untyped, unused-ignore]
import pycrdt
from collab_studio.frames import read_address
from collab_studio.lib0 import Reader, write_bytes, write_string, write_uint
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

DEADLINE = 10.0

AUTH = 2
SYNC_STEP_1, SYNC_STEP_2, SYNC_UPDATE = b"\x00\x00", b"\x00\x01", b"\x00\x02"
READ_WRITE, READ_ONLY = b"\x02\x02\x0aread-write", b"\x02\x02\x08readonly"
STORED, REFUSED = b"\x08\x01", b"\x08\x00"


class Peer:
    """The server's end of one socket."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket

    @property
    def authorization(self) -> str | None:
        assert self.socket.request is not None
        return self.socket.request.headers.get("Authorization")

    async def hear(self) -> tuple[str, bytes]:
        """The next frame: its address, and the rest."""
        async with asyncio.timeout(DEADLINE):
            frame = await self.socket.recv(decode=False)
        address, reader = read_address(frame)
        return address, reader.rest()

    async def hear_request(self) -> dict[str, Any]:
        """The next frame, which must be a request or a hello."""
        address, message = await self.hear()
        assert address == "@studio"
        body: dict[str, Any] = msgpack.unpackb(message[1:])
        return body

    async def hear_update(self, expected: bytes = SYNC_UPDATE) -> bytes:
        """The update in the next frame, which must be of the expected kind."""
        _, message = await self.hear()
        assert message.startswith(expected), message
        return Reader(message, 2).var_bytes()

    async def say(self, address: str, *messages: bytes) -> None:
        for message in messages:
            await self.socket.send(write_string(address) + message)

    async def say_own(self, kind: int, body: dict[str, Any]) -> None:
        await self.say("@studio", write_uint(kind) + msgpack.packb(body))

    async def welcome(self, user: str = "ann") -> None:
        """Take the hello of a client that has a token."""
        assert "token" in await self.hear_request()
        await self.say_own(65, {"user": user, "server": "scripted", "version": "0"})

    async def admit(self, name: str, held: "pycrdt.Doc[Any] | None" = None, scope: bytes = READ_WRITE) -> bytes:
        """Take a document that joins, give it what is held, and return its step 2 (unanswered)."""
        held = held or pycrdt.Doc()
        address, token = await self.hear()
        assert (address.partition("\0")[0], token[0]) == (name, AUTH)
        _, question = await self.hear()
        assert question.startswith(SYNC_STEP_1)
        missing = held.get_update(Reader(question, 2).var_bytes())
        own_question = SYNC_STEP_1 + write_bytes(held.get_state())
        # The question first: what is edited after the document is synced is in no answer to it.
        await self.say(address, scope, own_question, SYNC_STEP_2 + write_bytes(missing))
        return await self.hear_update(SYNC_STEP_2)

    async def answer(self, value: Any) -> dict[str, Any]:
        """Answer the next frame, which must be a request, and return it."""
        request = await self.hear_request()
        await self.say_own(67, {"id": request["id"], "value": value})
        return request

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self.socket.close(code, reason)

    def abort(self) -> None:
        """Break the connection as a crash does."""
        self.socket.transport.abort()


class ScriptedServer:
    """Sockets come out of `accept` in the order in which clients made them. `status` refuses handshakes."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.url = ""
        self._peers: asyncio.Queue[Peer] = asyncio.Queue()
        self._server: Server | None = None

    async def accept(self) -> Peer:
        async with asyncio.timeout(DEADLINE):
            return await self._peers.get()

    async def _serve(self, socket: ServerConnection) -> None:
        peer = Peer(socket)
        self._peers.put_nowait(peer)
        await socket.wait_closed()

    def _refuse(self, socket: ServerConnection, request: Request) -> Response | None:
        assert request.path == "/ws"
        return None if self.status is None else socket.respond(self.status, "refused\n")

    async def __aenter__(self) -> Self:
        self._server = await serve(self._serve, "127.0.0.1", 0, process_request=self._refuse, compression=None)
        (port,) = {socket.getsockname()[1] for socket in self._server.sockets}
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
