"""A server that is told to stop: it is not ready, then parts people a few at a time, stores, and is gone in time."""

import asyncio
import contextlib
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from answered_writer import Writer, join, text_of
from postgres_server import PostgresServer, running_postgres
from server_process import ServerProcess
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from crdt.lib0 import read_varuint, write_varuint
from server.studio_frames import GOING_AWAY, HELLO, STUDIO_PREFIX

CONNECTIONS = 300
WRITERS = 10
DOCUMENTS = ("default/one", "default/two", "default/three")
GONE_SECONDS = 10.0


@dataclass
class Guest:
    """One open connection, and how it ended."""

    document: str
    writer: Writer | None = None
    code: int | None = None
    closed_at: float = 0.0
    went_away: bool = False
    has_joined: asyncio.Event = field(default_factory=asyncio.Event)

    async def stay(self, url: str, token: str) -> None:
        async with connect(f"{url}/ws", compression=None, ping_interval=None, open_timeout=30) as socket:
            await self._sign_in(socket, token)
            await join(socket, self.document, token)
            self.has_joined.set()
            with contextlib.suppress(ConnectionClosed):
                async with asyncio.TaskGroup() as group:
                    reading = group.create_task(self._read(socket))
                    if self.writer is not None:
                        writing = group.create_task(self._write(socket, self.writer))
                        await reading
                        writing.cancel()
            self.code, self.closed_at = socket.close_code, time.monotonic()

    async def _sign_in(self, socket: ClientConnection, token: str) -> None:
        body = b"\x81\xa5token" + b"\xda" + len(token).to_bytes(2, "big") + token.encode()
        await socket.send(STUDIO_PREFIX + write_varuint(HELLO) + body)

    async def _read(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                assert isinstance(message, bytes)
                if message.startswith(STUDIO_PREFIX):
                    self.went_away |= read_varuint(message, len(STUDIO_PREFIX))[0] == GOING_AWAY
                elif self.writer is not None and message == self.writer.prefix + b"\x08\x01":
                    self.writer.answered += 1
                    self.writer.first_answer.set()

    async def _write(self, socket: ClientConnection, writer: Writer) -> None:
        with contextlib.suppress(ConnectionClosed):
            await writer._write(socket)


@contextlib.contextmanager
def serving(folder: Path, *flags: str, shared: tuple[str, ...] = ()) -> Iterator[ServerProcess]:
    server = ServerProcess(folder, *flags, shared=shared)
    server.start()
    try:
        yield server
    finally:
        server.kill()


async def first_time_unready(url: str) -> float:
    """When the server first said that it is not ready."""
    async with httpx.AsyncClient(timeout=30) as client:
        while (await client.get(f"{url}/ready")).status_code == 200:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.01)
    return time.monotonic()


async def ended(server: ServerProcess) -> tuple[int, float]:
    """The exit code, and when the process had ended."""

    def wait() -> tuple[int, float]:
        return server.wait(), time.monotonic()

    return await asyncio.to_thread(wait)


@dataclass
class Leaving:
    guests: list[Guest]
    unready_at: float
    exit_code: int
    gone_at: float


async def leave_under_edits(server: ServerProcess, token: str) -> Leaving:
    """Many are there, some of them write, and the server is told to stop."""
    guests = [Guest(DOCUMENTS[number % len(DOCUMENTS)]) for number in range(CONNECTIONS)]
    for number, guest in enumerate(guests[:WRITERS]):
        guest.writer = Writer(guest.document, f"w{number}", pause=0.02)
    tasks = [asyncio.create_task(guest.stay(server.socket_url, token)) for guest in guests]
    async with asyncio.timeout(60):
        await asyncio.gather(*(guest.has_joined.wait() for guest in guests))
        await asyncio.gather(*(guest.writer.first_answer.wait() for guest in guests if guest.writer is not None))
        watching = asyncio.create_task(first_time_unready(server.url))
        server.tell(signal.SIGTERM)
        ending = asyncio.create_task(ended(server))
        unready_at = await watching
        await asyncio.gather(*tasks)
        return Leaving(guests, unready_at, *await ending)


@pytest.mark.timeout(180)
def test_n12_three_hundred_people_are_told_to_come_back_and_nothing_is_lost(tmp_path: Path) -> None:
    with serving(tmp_path, "--drain-seconds", "2s") as server:
        token = server.token("writer")
        leaving = asyncio.run(leave_under_edits(server, token))
        assert leaving.exit_code == 0, server.log.read_text()[-3000:]
        # Not from when it was told: until it hears that is the machine's time, not its own.
        assert leaving.gone_at - leaving.unready_at < GONE_SECONDS
        guests = leaving.guests
        assert {guest.code for guest in guests} == {1012}
        assert all(guest.went_away for guest in guests)
        assert leaving.unready_at < max(guest.closed_at for guest in guests)
        # When the server did it: on a busy machine its clients read it late, and much of it together.
        parted = re.search(rf"parted {CONNECTIONS} of them within ([\d.]+) s", server.log.read_text())
        assert parted is not None, server.log.read_text()[-3000:]
        assert float(parted[1]) > 1.0, "they were parted all at once"
        server.start()
        for document in DOCUMENTS:
            text = asyncio.run(text_of(server.socket_url, document, token))
            for guest in guests:
                if guest.writer is not None and guest.document == document:
                    assert guest.writer.missing(text) == []
    assert sum(guest.writer.answered for guest in guests if guest.writer is not None) > WRITERS * 10


def test_few_people_are_parted_at_once(tmp_path: Path) -> None:
    async def scenario(server: ServerProcess, token: str) -> tuple[Guest, float]:
        guest = Guest("default/alone")
        task = asyncio.create_task(guest.stay(server.socket_url, token))
        await guest.has_joined.wait()
        told_at = time.monotonic()
        server.tell(signal.SIGTERM)
        await task
        return guest, told_at

    with serving(tmp_path, "--drain-seconds", "9s") as server:
        guest, told_at = asyncio.run(scenario(server, server.token("ada")))
        assert server.wait() == 0
        assert time.monotonic() - told_at < 5
        assert guest.code == 1012


def test_at_a_second_signal_the_server_ends_at_once(tmp_path: Path) -> None:
    async def scenario(server: ServerProcess, token: str) -> None:
        guests = [Guest("default/crowded") for _ in range(120)]
        tasks = [asyncio.create_task(guest.stay(server.socket_url, token)) for guest in guests]
        await asyncio.gather(*(guest.has_joined.wait() for guest in guests))
        watching = asyncio.create_task(first_time_unready(server.url))
        server.tell(signal.SIGTERM)
        await watching
        server.tell(signal.SIGTERM)
        await asyncio.gather(*tasks)

    with serving(tmp_path, "--drain-seconds", "9s") as server:
        asyncio.run(scenario(server, server.token("ada")))
        assert server.wait(5) == 128 + signal.SIGTERM


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_n12_a_server_whose_database_is_away_ends_in_time_and_says_what_is_lost(tmp_path: Path, how: str) -> None:
    async def scenario(server: ServerProcess, postgres: PostgresServer, token: str) -> tuple[int, int, float]:
        guest = Guest("default/unlucky", Writer("default/unlucky", "w", pause=0.01))
        task = asyncio.create_task(guest.stay(server.socket_url, token))
        assert guest.writer is not None
        await guest.writer.first_answer.wait()
        getattr(postgres, how)()
        sent = guest.writer.sent
        while guest.writer.sent < sent + 50:  # noqa: ASYNC110 - the writer has no event for it
            await asyncio.sleep(0.01)
        told_at = time.monotonic()
        server.tell(signal.SIGTERM)
        exit_code, gone_at = await ended(server)
        await task
        return guest.writer.sent - guest.writer.answered, exit_code, gone_at - told_at

    with running_postgres() as postgres, serving(tmp_path, shared=("--database-url", postgres.url)) as server:
        unanswered, exit_code, seconds = asyncio.run(scenario(server, postgres, server.token("ada")))
        assert exit_code == 1
        assert seconds < GONE_SECONDS
        log = server.log.read_text()
        lost = re.search(r"(\d+) updates of 1 documents could not be stored; .*: default/unlucky", log)
        assert lost is not None, log[-3000:]
        assert 0 < int(lost[1]) <= unanswered
