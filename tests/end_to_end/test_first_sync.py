"""A large document over a slow link: stock clients and ours get it whole, and nothing else waits for it."""

import asyncio
import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from collab_studio import Studio, connect
from javascript import JAVASCRIPT, NODE
from server_process import ServerProcess
from slow_link import SlowLink

LARGE = 1_500_000
BYTES_A_SECOND = 300_000
# A client that hears nothing for this long connects anew; the whole document takes twice that.
PATIENCE_MS = 2_500
NAME = "default/large"
DEADLINE = 40.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("first_sync"))
    process.start()
    try:
        yield process
    finally:
        process.kill()


@pytest.fixture(scope="module")
def token(server: ServerProcess) -> str:
    made = server.token("ada")
    asyncio.run(write_large(server.url, made))
    return made


async def write_large(url: str, token: str) -> None:
    """A text that was pasted, and typed in here and there."""
    async with connect(url, token=token) as studio, await studio.open(NAME, kind="text") as document:
        document.text().insert(0, "0123456789" * (LARGE // 10))
        for number in range(30):
            document.text().insert(number * 10_000, f"<{number}>")
        await document.stored()
    # The first who joins waits for the process that cuts; how long that takes to start is not what is tested here.
    async with connect(url, token=token) as studio:
        await studio.open(NAME, kind="text")


class StockClient:
    """A JavaScript client in a process of its own."""

    def __init__(self, url: str, dialect: str, token: str) -> None:
        options = {"url": url, "document": NAME, "token": token, "dialect": dialect, "patience": PATIENCE_MS}
        command = [NODE, "slow_join.mjs", json.dumps(options)]
        self.process = subprocess.Popen(
            command, cwd=JAVASCRIPT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._deadline = threading.Timer(DEADLINE, self.process.kill)
        self._deadline.start()

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"{DEADLINE:g} seconds were not enough for it"
        return dict(json.loads(line))

    def __enter__(self) -> "StockClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._deadline.cancel()
        self.process.kill()
        self.process.communicate()


async def type_until(url: str, token: str, synced: asyncio.Event, pause: float = 0.05) -> int:
    """Somebody with a fast link goes on typing at the end until the event; the length of the text then."""
    async with connect(url, token=token) as studio, await studio.open(NAME, kind="text") as document:
        number = 0
        while not synced.is_set():
            document.text().append(f"[{number}]")
            number += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await synced.wait()
        document.text().append("THE END")
        await document.stored()
        return len(document.text())


async def join_while_typing(server: ServerProcess, client: StockClient, token: str) -> tuple[dict[str, Any], int]:
    """What the client says when it is synced, and the length of the text at last."""
    synced = asyncio.Event()
    typing = asyncio.create_task(type_until(server.url, token, synced))
    said = await asyncio.to_thread(client.hear)
    synced.set()
    return said, await typing


@pytest.mark.timeout(120)
@pytest.mark.parametrize("dialect", ["hocuspocus", "y-websocket"])
def test_r7_a_stock_client_joins_over_a_slow_link_while_others_type(
    server: ServerProcess, token: str, dialect: str
) -> None:
    with SlowLink(server.port, BYTES_A_SECOND) as link, contextlib.ExitStack() as stack:
        client = stack.enter_context(StockClient(f"ws://127.0.0.1:{link.port}", dialect, token))
        began_at = time.monotonic()
        said, length = asyncio.run(join_while_typing(server, client, token))
        assert said["length"] >= LARGE, "it called itself synced before it had everything"
        assert said["connections"] == 1, "it lost patience and connected anew"
        assert time.monotonic() - began_at > LARGE / BYTES_A_SECOND * 0.8, "the link is not slow"
        assert client.process.stdin is not None
        client.process.stdin.write(f"{length}\n")
        client.process.stdin.flush()
        last = client.hear()
    assert last["length"] == length
    assert last["text"].endswith("THE END")


@pytest.mark.timeout(120)
def test_r7_our_client_joins_and_its_other_documents_do_not_wait(server: ServerProcess, token: str) -> None:
    async def scenario(url: str) -> tuple[float, float, int]:
        async with connect(url, token=token) as slow, connect(server.url, token=token) as fast:
            small = await slow.open("default/small", kind="text")
            other = await fast.open("default/small", kind="text")
            began_at = time.monotonic()
            opening = asyncio.create_task(open_large(slow))
            await asyncio.sleep(0.5)
            typed_at = time.monotonic()
            other.text().append("meanwhile")
            while str(small.text()) != "meanwhile":  # noqa: ASYNC110 - the deadline is the test's
                await asyncio.sleep(0.005)
            seen_after = time.monotonic() - typed_at
            assert not opening.done(), "the large document was there before"
            length = await opening
            return seen_after, time.monotonic() - began_at, length

    with SlowLink(server.port, BYTES_A_SECOND) as link:
        seen_after, took, length = asyncio.run(scenario(f"http://127.0.0.1:{link.port}"))
    assert length >= LARGE
    assert seen_after < took / 2


async def open_large(studio: Studio) -> int:
    return len((await studio.open(NAME, kind="text")).text())
