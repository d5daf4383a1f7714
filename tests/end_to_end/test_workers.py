"""`serve --workers 2` as its operators run it: one address, two processes, and signals."""

import asyncio
import contextlib
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]
import pytest
from collab_studio import connect
from server_process import ServerProcess, free_port
from waiting import wait_until
from websockets.asyncio.client import connect as connect_socket
from websockets.exceptions import InvalidHandshake
from websockets.sync.client import connect as connect_once

STARTED = "2 workers accept connections"
JWT = re.compile(r"^eyJ[\w-]+\.[\w-]+\.[\w-]+$", re.MULTILINE)
GONE_SECONDS = 10.0
# So many that each worker needs a while to part its own: meanwhile newcomers must not be sent away.
HELD = 260


@pytest.fixture
def server(tmp_path: Path, empty_postgres_url: str, redis_url: str) -> Iterator[ServerProcess]:
    shared = ("--database-url", empty_postgres_url, "--redis-url", redis_url)
    flags = ("--workers", "2", "--drain-seconds", "1s", "--metrics-port", str(two_free_ports()))
    process = ServerProcess(tmp_path, *flags, shared=shared)
    process.start()
    wait_until(lambda: STARTED in process.log.read_text(), 60, process.log.read_text)
    try:
        yield process
    finally:
        process.kill()


def two_free_ports() -> int:
    """The first of two ports in a row that nobody listens on."""
    while True:
        port = free_port()
        with contextlib.suppress(OSError, OverflowError), socket.create_server(("127.0.0.1", port + 1)):
            return port


def workers_of(server: ServerProcess) -> dict[str, int]:
    """The processes that said last that they accept connections, by index."""
    found = re.findall(r"\[(\d):(\d+)\] INFO server.listening: accepting", server.log.read_text())
    return {index: int(pid) for index, pid in found}


def is_running(process: psutil.Process) -> bool:
    """Not so if it has ended and nobody has asked how: its parent was killed, and who took its place may be slow."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def parted(server: ServerProcess) -> list[int]:
    return [int(count) for count in re.findall(r"parting (\d+) connections", server.log.read_text())]


class Callers:
    """Ask for the server's health and open sockets, over new connections, again and again, until the block ends."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._call)
        self.answers = 0
        self.failures: list[str] = []

    def _call(self) -> None:
        while not self._ended.is_set():
            try:
                httpx.get(f"{self._server.url}/health", timeout=10).raise_for_status()
                with connect_once(f"{self._server.socket_url}/ws", open_timeout=10):
                    self.answers += 1
            except (httpx.HTTPError, InvalidHandshake, OSError) as error:
                self.failures.append(repr(error))

    def __enter__(self) -> "Callers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


async def hold_connections(server: ServerProcess, token: str, until: threading.Event) -> list[int | None]:
    """Sockets that stay open until they are closed; the codes that they were closed with."""
    async with contextlib.AsyncExitStack() as stack:
        headers = {"Authorization": f"Bearer {token}"}
        sockets = [
            await stack.enter_async_context(connect_socket(f"{server.socket_url}/ws", additional_headers=headers))
            for _ in range(HELD)
        ]
        until.set()
        await asyncio.gather(*(socket.wait_closed() for socket in sockets))
        return [socket.close_code for socket in sockets]


async def write_and_read(server: ServerProcess, token: str, name: str) -> None:
    """Several people, wherever their connections ended, are in the same document."""
    async with contextlib.AsyncExitStack() as stack:
        studios = [await stack.enter_async_context(connect(server.url, token=token)) for _ in range(6)]
        documents = [await studio.open(name, kind="text") for studio in studios]
        for document in documents:
            document.text().append("x")
        async with asyncio.timeout(30):
            while {len(document.text()) for document in documents} != {6}:  # noqa: ASYNC110 - it happens elsewhere
                await asyncio.sleep(0.01)


@pytest.mark.timeout(180)
def test_two_workers_are_one_server(server: ServerProcess) -> None:
    printed = server.log.read_text()
    assert printed.count("Collaboration Studio at") == 1
    assert len(JWT.findall(printed)) == 1
    before = workers_of(server)
    assert len(before) == 2
    token = server.token("ada")
    asyncio.run(write_and_read(server, token, "default/before"))

    codes: list[int | None] = []
    are_open = threading.Event()
    holder = threading.Thread(target=lambda: codes.extend(asyncio.run(hold_connections(server, token, are_open))))
    holder.start()
    assert are_open.wait(30)
    with Callers(server) as callers:
        server.tell(signal.SIGHUP)
        wait_until(lambda: "all workers were replaced" in server.log.read_text(), 60, server.log.read_text)
    holder.join()
    assert callers.failures == []
    assert callers.answers > 20
    after = workers_of(server)
    assert set(after.values()).isdisjoint(before.values())
    assert codes == [1012] * HELD
    counts = parted(server)
    assert HELD <= sum(counts) < HELD + 50
    assert min(counts) >= HELD / 3, f"the connections were not spread evenly: {counts}"

    for index in range(2):
        figures = httpx.get(f"http://127.0.0.1:{int(server.flags[-1]) + index}/metrics", timeout=10)
        assert figures.status_code == 200

    psutil.Process(after["1"]).kill()
    wait_until(lambda: workers_of(server)["1"] != after["1"], 60, server.log.read_text)
    asyncio.run(write_and_read(server, token, "default/after"))

    told_at = time.monotonic()
    server.tell(signal.SIGTERM)
    assert server.wait() == 0, server.log.read_text()[-3000:]
    assert time.monotonic() - told_at < GONE_SECONDS
    assert not any(psutil.pid_exists(pid) for pid in workers_of(server).values())


@pytest.mark.timeout(120)
def test_workers_do_not_outlive_their_supervisor(server: ServerProcess) -> None:
    workers = [psutil.Process(pid) for pid in workers_of(server).values()]
    children = [child for worker in workers for child in worker.children(recursive=True)]
    server.kill()
    wait_until(lambda: not any(map(is_running, (*workers, *children))), GONE_SECONDS, server.log.read_text)
    assert server.log.read_text().count("stopping") == 2
