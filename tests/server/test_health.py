"""`/health` and `/ready`: what a load balancer may believe, and what it is told by name."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import httpx
import pytest
from figures import asgi_client, figures_of
from hand_transport import HandTransport
from node_in_process import Node, running_node

from crdt import sync
from handlers.parts import Parts
from server import health
from server.app import running
from server.drain import AT_ONCE
from server.health import DEGRADED, Readiness
from server.http import utc_now
from server.settings import Settings
from server.tokens import ServerIssuer
from storage.bus.memory_bus import MemoryBus
from storage.database import Database

SECRET = "a secret for tests, long enough to sign with"
LETTER = b"\x01\x01\x09\x00\x04\x01\x07content\x01x\x00"


def play(folder: Path, scenario: Callable[[Node], Awaitable[None]]) -> None:
    async def run() -> None:
        async with running_node(folder) as node:
            await scenario(node)

    asyncio.run(run())


async def asked(app: Any, path: str = "/ready") -> httpx.Response:
    """As a balancer asks: from anywhere, with no credential."""
    async with asgi_client(app, host="203.0.113.9", base_url="http://studio.example.org") as client:
        return await client.get(path)


def test_a_node_that_works_says_so_check_by_check(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        answer = await asked(node.studio.app)
        assert answer.status_code == 200
        assert answer.json() == {
            "status": "ready",
            "rooms": 0,
            "checks": {name: {"status": "ok"} for name in ("database", "draining", "tasks", "bus", "log")},
        }
        assert answer.headers["cache-control"] == "no-store"
        assert (await asked(node.studio.app, "/health")).json() == {"status": "ok"}
        figures = await figures_of(node.studio.app)
        assert figures("studio_ready") == figures("studio_check_ok", check="database") == 1

    play(tmp_path, scenario)


def test_a_database_that_hangs_makes_it_unready_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "DATABASE_SECONDS", 0.1)

    async def scenario(node: Node) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(8):
                stack.push_async_callback((await node.database.connect()).close)
            async with asyncio.timeout(5):
                answers = await asyncio.gather(*(asked(node.studio.app) for _ in range(3)))
            for answer in answers:
                assert answer.status_code == 503
                assert answer.json()["status"] == "unavailable"
                assert answer.json()["checks"]["database"] == {
                    "status": "failed",
                    "reason": "the database does not answer within 0.1 s",
                }
            assert (await asked(node.studio.app, "/health")).status_code == 200, "alive it is"
            figures = await figures_of(node.studio.app)
            assert (figures("studio_ready"), figures("studio_check_ok", check="database")) == (0, 0)
        assert (await asked(node.studio.app)).status_code == 200, "and it recovers"

    play(tmp_path, scenario)


def test_a_database_that_is_gone_makes_it_unready_and_its_address_is_not_told(postgres_url: str) -> None:
    async def shut(allow: bool) -> None:
        server, _, name = postgres_url.partition("?")[0].rpartition("/")
        connection = await asyncpg.connect(f"{server}/postgres" + postgres_url.partition(name)[2])
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allow}")
        await connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        await connection.close()

    async def scenario() -> None:
        database = await Database.open(postgres_url)
        async with running(Settings(database_url=postgres_url), database, SECRET) as studio:
            assert (await asked(studio.app)).status_code == 200
            await shut(False)
            try:
                answer = await asked(studio.app)
                assert answer.status_code == 503
                told = {"status": "failed", "reason": "the database does not answer"}
                assert answer.json()["checks"]["database"] == told
                token = ServerIssuer(SECRET, utc_now).issue("admin", timedelta(hours=1))
                async with asgi_client(studio.app, host="203.0.113.9") as client:
                    refused = await client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
                assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            finally:
                await shut(True)
            assert (await asked(studio.app)).status_code == 200
        await database.close()

    asyncio.run(scenario())


def test_a_node_that_leaves_is_not_ready(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        node.studio.gateway.departure.begin()
        answer = await asked(node.studio.app)
        assert (answer.status_code, answer.json()["checks"]["draining"]["status"]) == (503, "failed")
        assert (await asked(node.studio.app, "/health")).status_code == 200

    play(tmp_path, scenario)


def test_n12_a_node_is_not_ready_before_it_parts_the_first_of_many(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_node(tmp_path, shutdown_timeout=1000.0, drain_seconds=400.0) as node:
            gateway, sockets = node.studio.gateway, [HandTransport() for _ in range(AT_ONCE + 1)]
            gateway._shares[0].update(sockets)
            leaving = asyncio.create_task(gateway.drain())
            await gateway.departure.begun.wait()
            assert (await asked(node.studio.app)).status_code == 503
            assert [socket.codes for socket in sockets] == [[]] * len(sockets)
            leaving.cancel()
            await asyncio.wait([leaving])

    asyncio.run(scenario())


def readiness_of(parts: Parts) -> Readiness:
    return Readiness(parts, lambda: False)


def test_without_its_tasks_a_node_is_not_ready(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        readiness = readiness_of(node.studio.parts)
        await readiness.look()
        assert readiness.found["tasks"].reason == "the server is starting"
        goes_on = asyncio.create_task(asyncio.Event().wait(), name="rooms")
        ended = asyncio.create_task(asyncio.sleep(0), name="gateway")
        readiness.essential = (goes_on, ended)
        await ended
        await readiness.look()
        assert (readiness.is_ready, readiness.found["tasks"].reason) == (False, "ended: gateway")
        readiness.essential = (goes_on,)
        await readiness.look()
        assert readiness.is_ready
        goes_on.cancel()

    play(tmp_path, scenario)


def test_a_log_that_lags_is_shown_and_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "STORING_SECONDS", 0.0)

    async def scenario(node: Node) -> None:
        await node.enlist("ada")
        dialect = node.connect(HandTransport(), False, "default/notes", "ada")
        await node.studio.gateway.idle()
        async with node.database.write_lock:
            dialect.receive(sync.update_message(LETTER))
            await asyncio.sleep(0)
            answer = await asked(node.studio.app)
            assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
            assert "waiting to be stored" in answer.json()["checks"]["log"]["reason"]
        await node.settled()
        assert (await asked(node.studio.app)).json()["status"] == "ready"

    play(tmp_path, scenario)


def test_without_the_bus_a_node_goes_on(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        bus = MemoryBus("node-2")
        await bus.close()
        readiness = readiness_of(replace(node.studio.parts, bus=bus))
        readiness.essential = ()
        await readiness.look()
        assert (readiness.is_ready, readiness.found["bus"].status) == (True, DEGRADED)

    play(tmp_path, scenario)


def test_what_changes_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(node: Node) -> None:
        readiness = readiness_of(node.studio.parts)
        with caplog.at_level("INFO", "server.health"):
            for _ in range(3):
                await readiness.look()
            readiness.essential = ()
            for _ in range(3):
                await readiness.look()
        assert caplog.messages == ["tasks: the server is starting", "tasks: well again"]

    play(tmp_path, scenario)
