"""Nothing that was answered "stored" is ever lost: SIGKILL at random moments, many times.

Writers send as fast as they can and count the answers. After each kill the server starts again, and a client that knows
nothing asks for the document: whatever was answered must be in it. Writers do not come back with what they
had, so that nothing lost could be healed by them. `make kill-rounds` runs more rounds than the everyday suite.
"""

import asyncio
import contextlib
import os
import random
from dataclasses import dataclass, field

import pytest
from pycrdt import Doc, Text
from server_process import ServerProcess
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from crdt.lib0 import read_var_bytes, write_var_bytes, write_var_string

ROUNDS = int(os.environ.get("KILL_ROUNDS", "6"))
SEED = int(os.environ.get("KILL_SEED", "0")) or random.randrange(1 << 32)
DOCUMENTS = ("default/left", "default/right")
WRITERS_EACH = 2
STORED = b"\x08\x01"


@dataclass
class Writer:
    """Types marked words into one document; `answered` of them were stored."""

    document: str
    mark: str
    sent: int = 0
    answered: int = 0
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
                await asyncio.sleep(0.001)

    async def _count(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                assert isinstance(message, bytes)
                if message[len(self.prefix) :] == STORED:
                    self.answered += 1
                    self.first_answer.set()


async def join(socket: ClientConnection, document: str, token: str) -> bytes:
    """Authenticate and sync; the state that the server has."""
    prefix = write_var_string(document)
    await socket.send(prefix + b"\x02\x00" + write_var_string(token) + write_var_string("4.0.0"))
    await socket.send(prefix + b"\x00\x00\x01\x00")
    async for message in socket:
        assert isinstance(message, bytes)
        body = message[len(prefix) :]
        assert body[:2] != b"\x02\x01", body
        if body[:2] == b"\x00\x01":
            return read_var_bytes(body, 2)[0]
    raise AssertionError("the server closed the connection")


async def text_of(url: str, document: str, token: str) -> str:
    async with connect(f"{url}/ws", compression=None, max_size=None) as socket:
        state = await join(socket, document, token)
    doc: Doc[Text] = Doc()
    doc.apply_update(state)
    return str(doc.get("content", type=Text))


async def one_round(server: ServerProcess, token: str, number: int, chance: random.Random) -> list[Writer]:
    writers = [Writer(name, f"{number}.{n}") for name in DOCUMENTS for n in range(WRITERS_EACH)]
    tasks = [asyncio.create_task(writer.run(server.socket_url, token)) for writer in writers]
    async with asyncio.timeout(30):
        await asyncio.gather(*(writer.first_answer.wait() for writer in writers))
    await asyncio.sleep(chance.uniform(0.0, 0.15))
    server.kill()
    await asyncio.gather(*tasks)
    return writers


@pytest.mark.timeout(60 + 10 * ROUNDS)
def test_s2_what_was_answered_stored_survives_a_kill(server: ServerProcess) -> None:
    print(f"KILL_SEED={SEED}")
    chance = random.Random(SEED)
    token = server.token("writer")
    answered = 0
    for number in range(ROUNDS):
        writers = asyncio.run(one_round(server, token, number, chance))
        server.start()
        for document in DOCUMENTS:
            text = asyncio.run(text_of(server.socket_url, document, token))
            for writer in (writer for writer in writers if writer.document == document):
                missing = [n for n in range(writer.answered) if f"<{writer.mark}:{n}>" not in text]
                assert not missing, f"round {number}: {writer.mark} was told that {missing} are stored"
        answered += sum(writer.answered for writer in writers)
    assert answered > ROUNDS * 10
    print(f"{ROUNDS} kills, {answered} updates answered, none lost")
