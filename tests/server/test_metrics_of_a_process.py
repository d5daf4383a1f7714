"""A server as its operators run it: every connection is in the figures of its own port, with how it ended."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from collab_studio import OperationError, connect
from figures import Figures
from redis_server import RedisServer
from server_process import ServerProcess, free_port, free_ports
from waiting import wait_until
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

DEADLINE = 20.0


def figures_of(port: int) -> Figures:
    """Nothing as long as nobody listens there: a server has its own port before it has all of its parts."""
    try:
        return Figures(httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text)
    except httpx.ConnectError:
        return Figures("")


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[ServerProcess, Callable[[], Figures]]]:
    port = free_port()
    process = ServerProcess(folder, "--metrics-port", str(port))
    process.start()

    try:
        wait_until(lambda: figures_of(port).get("studio_ready") == 1, DEADLINE, process.log.read_text)
        yield process, lambda: figures_of(port)
    finally:
        process.kill()


async def edit_and_ask(process: ServerProcess, token: str, read: Callable[[], Figures]) -> None:
    async with connect(process.url, token=token) as studio:
        notes = await studio.open("default/notes", kind="text")
        notes.text().insert(0, "a")
        await notes.stored()
        assert await studio.call("users.me")
        with pytest.raises(OperationError):
            await studio.call("no.such.operation")
        figures = await asyncio.to_thread(read)
        assert figures("studio_connections_open", dialect="hocuspocus") == 1
        assert figures("studio_connections_accepted_total", dialect="hocuspocus") == 1
        assert figures("studio_members") == figures("studio_rooms_open") == 1
        assert figures("studio_updates_stored_total") == figures("studio_update_stored_seconds_count") == 1
        labels = {"method": "socket", "operation": "users.me", "status": "200"}
        assert figures("studio_socket_requests_total", **labels) == 1
        assert figures("studio_socket_requests_total", **labels | {"operation": "none", "status": "404"}) == 1


async def end_in_every_way(process: ServerProcess, token: str) -> None:
    """One connection is refused, then one each is parted for its credential, parted for a text, ends and breaks off."""
    address = f"{process.socket_url}/yjs/default/notes"
    with pytest.raises(InvalidStatus):
        await open_socket(address, origin=Origin("https://elsewhere.example"))
    stranger = await open_socket(f"{address}?token=nonsense")
    await stranger.recv()
    await break_off(stranger)
    await send_a_text(process.port, f"/yjs/default/notes?token={token}")
    async with open_socket(f"{address}?token={token}") as polite:
        await polite.recv()
    broken = await open_socket(f"{address}?token={token}")
    await broken.recv()
    await break_off(broken)


async def break_off(socket: ClientConnection) -> None:
    socket.transport.abort()
    await socket.wait_closed()


async def send_a_text(port: int, path: str) -> None:
    """By hand, to see the server's goodbye as it comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = ("Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    writer.write("\r\n".join((f"GET {path} HTTP/1.1", *lines, key, "", "")).encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x81\x80\x00\x00\x00\x00")
    await reader.readuntil((1003).to_bytes(2, "big"))
    writer.close()
    await writer.wait_closed()


def test_every_connection_is_counted_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, read):
        token = process.token("ada")
        asyncio.run(edit_and_ask(process, token, read))
        asyncio.run(end_in_every_way(process, token))
        dialects = ("hocuspocus", "y-websocket")
        figures = read()

        def all_are_gone() -> bool:
            nonlocal figures
            figures = read()
            return not any(figures("studio_connections_open", dialect=dialect) for dialect in dialects)

        wait_until(all_are_gone, DEADLINE, lambda: "connections are still open")
        assert figures("studio_connections_accepted_total", dialect="y-websocket") == 4
        assert figures("studio_connections_refused_total", status="403") == 1
        ended = {
            labels["reason"]: figures(name, **labels)
            for name, labels in figures.samples()
            if name == "studio_connections_closed_total"
        }
        assert {reason: count for reason, count in ended.items() if count} == {
            "client": 2,
            "lost": 1,
            "protocol": 1,
            "refused": 1,
        }
        assert figures("studio_members") == 0
        assert figures("process_open_fds") > 5
        assert figures("process_resident_memory_bytes") > 1e6


def test_each_of_two_processes_has_a_port_and_goes_on_without_redis(tmp_path: Path, postgres_url: str) -> None:
    ports = free_ports()

    def told_by(each: int) -> tuple[int, str]:
        answer = httpx.get(f"http://127.0.0.1:{each}/ready", timeout=10)
        return answer.status_code, answer.json()["status"]

    with RedisServer() as redis:
        shared = ("--database-url", postgres_url, "--redis-url", f"{redis.url}/0")
        process = ServerProcess(tmp_path, "--workers", "2", "--metrics-port", str(ports[0]), shared=shared)
        process.start()
        try:
            log = process.log.read_text
            wait_until(lambda: all(figures_of(each).get("studio_nodes") == 2 for each in ports), DEADLINE, log)
            assert [told_by(each) for each in ports] == [(200, "ready")] * 2
            asyncio.run(be_refused(process))
            accepted = [figures_of(each)("studio_connections_accepted_total", dialect="y-websocket") for each in ports]
            assert sorted(accepted) == [0, 1], "each counts its own"
            redis.kill()
            wait_until(lambda: all(not figures_of(each)("studio_bus_connected") for each in ports), DEADLINE, log)
            assert [told_by(each) for each in ports] == [(200, "degraded")] * 2
        finally:
            process.stop()


async def be_refused(process: ServerProcess) -> None:
    stranger = await open_socket(f"{process.socket_url}/yjs/default/notes?token=nonsense")
    await stranger.recv()
    await break_off(stranger)
