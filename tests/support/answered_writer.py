"""A writer that counts what was answered "stored", and a reader that knows nothing: the two ends of durability."""

import asyncio
import contextlib
from dataclasses import dataclass, field

from pycrdt import Doc, Text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from crdt.lib0 import read_var_bytes, write_var_bytes, write_var_string

STORED = b"\x08\x01"


@dataclass
class Writer:
    """Types marked words into one document; `answered` of them were stored."""

    document: str
    mark: str
    sent: int = 0
    answered: int = 0
    # Seconds between two bursts of words.
    pause: float = 0.001
    first_answer: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def prefix(self) -> bytes:
        return write_var_string(self.document)

    async def run(self, url: str, token: str) -> None:
        async with connect(f"{url}/ws", compression=None, ping_interval=None) as socket:
            await join(socket, self.document, token)
            reader = asyncio.create_task(self._count(socket))
            with contextlib.suppress(ConnectionClosed):
                await self._write(socket)
            await reader

    async def _write(self, socket: ClientConnection) -> None:
        doc: Doc[Text] = Doc()
        text = doc.get("content", type=Text)
        updates: list[bytes] = []
        doc.observe(lambda event: updates.append(event.update))
        while True:
            text += f"<{self.mark}:{self.sent}>"
            await socket.send(self.prefix + b"\x00\x02" + write_var_bytes(updates.pop()))
            self.sent += 1
            if self.sent % 10 == 0:
                await asyncio.sleep(self.pause)

    async def _count(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                assert isinstance(message, bytes)
                if message[len(self.prefix) :] == STORED:
                    self.answered += 1
                    self.first_answer.set()

    def missing(self, text: str) -> list[int]:
        """Which of the answered words are not in the text of the document."""
        return [number for number in range(self.answered) if f"<{self.mark}:{number}>" not in text]


async def join(socket: ClientConnection, document: str, token: str) -> bytes:
    """Authenticate and sync; the state that the server has."""
    prefix = write_var_string(document)
    await socket.send(prefix + b"\x02\x00" + write_var_string(token) + write_var_string("4.0.0"))
    await socket.send(prefix + b"\x00\x00\x01\x00")
    doc: Doc[Text] = Doc()
    async for message in socket:
        assert isinstance(message, bytes)
        body = message[len(prefix) :]
        assert body[:2] != b"\x02\x01", body
        # A large state comes as updates, and what is left of it as step 2.
        if message.startswith(prefix) and body[:2] in (b"\x00\x01", b"\x00\x02"):
            doc.apply_update(read_var_bytes(body, 2)[0])
        if body[:2] == b"\x00\x01":
            return doc.get_update()
    raise AssertionError("the server closed the connection")


async def text_of(url: str, document: str, token: str) -> str:
    async with connect(f"{url}/ws", compression=None, max_size=None) as socket:
        state = await join(socket, document, token)
    doc: Doc[Text] = Doc()
    doc.apply_update(state)
    return str(doc.get("content", type=Text))
