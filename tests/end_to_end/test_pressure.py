"""Clients that do not read: they cost bounded memory, delay nobody, and are told to come back in the end."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil  # type: ignore[import-untyped]
import pytest
from collab_studio import connect
from pycrdt import Doc, Text
from raw_client import RawClient
from server_process import ServerProcess
from waiting import wait_until

from crdt import sync
from crdt.lib0 import read_varuint, write_var_string, write_varuint
from server.framing import CLOSE
from server.studio_frames import RESULT, STUDIO_PREFIX

# Each in a room with one other, as what is sent to many in a room is kept once.
EDITORS = SILENT = 70
# What each editor shows of itself, again and again, and how often: more than may wait for one who does not read.
PRESENCE_BYTES, SECONDS = 15_000, 5.0
PRESENCE_A_SECOND = 20
MIB = 1024 * 1024


@contextlib.contextmanager
def serving(folder: Path, *flags: str) -> Iterator[ServerProcess]:
    server = ServerProcess(folder, *flags)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def memory_of(server: ServerProcess) -> int:
    return int(psutil.Process(server.pid).memory_info().rss)


@contextlib.asynccontextmanager
async def clients(server: ServerProcess, token: str, count: int) -> AsyncIterator[list[RawClient]]:
    made = [await RawClient(server.port, token).connect() for _ in range(count)]
    try:
        yield made
    finally:
        for client in made:
            client.close()


class Editor:
    """Types letters and shows a large presence; what comes back it reads and forgets."""

    def __init__(self, client: RawClient, name: str, number: int) -> None:
        self._client = client
        self._prefix = write_var_string(name)
        self._updates: list[bytes] = []
        self._doc: Doc[Any] = Doc(client_id=1_000 + number)
        self._text = self._doc.get("content", type=Text)
        self._doc.observe(lambda event: self._updates.append(event.update))
        self._clock = 0

    async def edit(self) -> None:
        self._text += "x"
        await self._client.send(self._prefix + sync.update_message(self._updates.pop()))
        self._clock += 1
        state = json.dumps({"number": self._clock, "picture": "x" * PRESENCE_BYTES})
        entry = write_varuint(self._doc.client_id) + write_varuint(self._clock) + write_var_string(state)
        await self._client.send(self._prefix + sync.awareness_message(b"\x01" + entry))

    async def read(self) -> None:
        while await self._client.read_some():
            continue


async def slowest_word(server: ServerProcess, token: str, is_over: asyncio.Event, name: str) -> float:
    """The longest that a word took from one editor to another until the event; at least one is sent."""
    slowest = 0.0
    async with connect(server.url, token=token) as mine, connect(server.url, token=token) as others:
        here, there = await mine.open(name), await others.open(name)
        number = 0
        while not number or not is_over.is_set():
            word, said_at = f"<word {number}>", time.monotonic()
            here.text().append(word)
            while word not in str(there.text())[-20_000:]:  # noqa: ASYNC110 - it comes from another process
                await asyncio.sleep(0.005)
            slowest = max(slowest, time.monotonic() - said_at)
            number += 1
            await asyncio.sleep(0.05)
    return slowest


async def edit_beside_the_silent(server: ServerProcess, token: str) -> tuple[int, float]:
    """How much memory the server needed more than before, and the slowest word."""
    is_over = asyncio.Event()
    async with asyncio.timeout(90), clients(server, token, SILENT) as silent, clients(server, token, EDITORS) as active:
        editors = [Editor(client, f"default/room {number}", number) for number, client in enumerate(active)]
        for number, pair in enumerate(zip(silent, active, strict=True)):
            for client in pair:
                await client.join(f"default/room {number}")
        await asyncio.gather(*(editor.edit() for editor in editors))
        reading = [asyncio.create_task(editor.read()) for editor in editors]
        words = asyncio.create_task(slowest_word(server, token, is_over, "default/quiet"))
        before, most, ends_at = memory_of(server), 0, time.monotonic() + SECONDS
        while time.monotonic() < ends_at:
            await asyncio.gather(asyncio.sleep(1 / PRESENCE_A_SECOND), *(editor.edit() for editor in editors))
            most = max(most, memory_of(server))
        is_over.set()
        slowest = await words
        for task in reading:
            task.cancel()
        return most - before, slowest


@pytest.mark.timeout(180)
def test_those_who_do_not_read_cost_little_and_delay_nobody(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        grown, slowest = asyncio.run(edit_beside_the_silent(server, server.token("ada")))
        assert "Traceback" not in server.log.read_text()
    print(f"{grown / MIB:.0f} MiB more, {slowest:.2f} s")
    assert grown < SILENT * MIB * 0.5
    assert slowest < 5


async def ask_for_much(server: ServerProcess, token: str, clients_count: int, requests: int) -> tuple[int, list[int]]:
    """How much memory the server needed more, and how many answers each client got once it read."""
    async with connect(server.url, token=token) as studio, await studio.open("default/big", kind="text") as document:
        document.text().append("0123456789" * 100_000)
        await document.stored()
    async with asyncio.timeout(90), clients(server, token, clients_count) as asking:
        before, most = memory_of(server), 0
        for client in asking:
            await client.hello()
            for number in range(requests):
                await client.ask(number, "collaboration.content.get", workspace_id="default", document_id="big")
        for _ in range(100):
            most = max(most, memory_of(server))
            await asyncio.sleep(0.02)
        return most - before, [await answers_of(client, requests) for client in asking]


async def answers_of(client: RawClient, requests: int) -> int:
    count = 0
    while count < requests:
        _, frame = await client.frame()
        if frame.startswith(STUDIO_PREFIX):
            kind, at = read_varuint(frame, len(STUDIO_PREFIX))
            if kind == RESULT:
                assert len(msgspec.msgpack.decode(frame[at:])["value"]["text"]) == 1_000_000
                count += 1
    return count


@pytest.mark.timeout(180)
def test_answers_that_nobody_reads_do_not_pile_up_and_are_not_lost(tmp_path: Path) -> None:
    count, requests = 4, 60
    with serving(tmp_path) as server:
        grown, answered = asyncio.run(ask_for_much(server, server.token("ada"), count, requests))
    print(f"{grown / MIB:.0f} MiB more, {count * requests} answers of 1 MB")
    assert answered == [requests] * count
    assert grown < count * 35 * MIB


@pytest.mark.timeout(120)
def test_who_takes_nothing_is_told_to_come_back_and_who_takes_a_little_is_not(tmp_path: Path) -> None:
    async def scenario(server: ServerProcess, token: str) -> tuple[int, bytes]:
        async with connect(server.url, token=token) as studio:
            big = await studio.open("default/big", kind="text")
            async with asyncio.timeout(60), clients(server, token, 2) as (stuck, slow):
                for client in (stuck, slow):
                    await client.hello()
                    await client.join("default/big")
                moving = asyncio.create_task(sip(slow))
                for number in range(40):
                    big.text().append(f"{number:06}" * 10_000)
                    await big.stored()
                await asyncio.to_thread(
                    wait_until, lambda: "took nothing" in server.log.read_text(), 30, server.log.read_text
                )
                opcode, payload = 0, b""
                while opcode != CLOSE:
                    opcode, payload = await stuck.frame()
                assert not moving.done(), "the one who reads a little was closed"
                moving.cancel()
                return int.from_bytes(payload[:2], "big"), payload[2:]

    async def sip(client: RawClient) -> None:
        while await client.read_some():  # noqa: ASYNC110 - it is slow on purpose
            await asyncio.sleep(0.01)

    with serving(tmp_path, "--slow-reader-timeout", "2s", "--keepalive-interval", "1s") as server:
        code, reason = asyncio.run(scenario(server, server.token("ada")))
        assert (code, reason) == (1013, b"this connection reads too slowly")
        assert server.log.read_text().count("took nothing") == 1
        assert "a connection of ada took nothing for 2 s" in server.log.read_text()
