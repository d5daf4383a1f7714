"""Two nodes as processes behind a proxy, over one PostgreSQL and one Redis, and what administrators are told there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import httpx
from alert_nodes import MANY, SECRET, token
from server_process import ServerProcess

from handlers.detections.following import POSITION
from server.bootstrap import prepare_first_use
from storage import audit, documents, members, trail_positions, users
from storage.database import Database

DEADLINE = 30.0
DOCUMENTS = 50
ROLES = {"ada": "owner", "bob": "editor", "eve": "viewer", "fay": "editor", "gus": "commenter"}
# What an editor is given on a day.
THINGS_A_DAY = 300
_LOCK = "SELECT 1 FROM detection_streams WHERE scope = 'server' FOR UPDATE"
_WAITING = """SELECT usename FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%detection_streams%'"""


@dataclass
class AttackedNodes:
    """Nodes by the role that each has in the database, and the database as nobody else looks at it."""

    nodes: dict[str, ServerProcess]
    database: Database
    url: str
    _clients: list[httpx.AsyncClient] = field(default_factory=list)

    def client(
        self, user: str | None, address: str, *, node: str | None = None, credential: str | None = None
    ) -> httpx.AsyncClient:
        """Somebody at an address; at the first node that lives, unless another is named."""
        credential = credential or (token(user) if user is not None else None)
        headers = {"X-Forwarded-For": address} | ({"Authorization": f"Bearer {credential}"} if credential else {})
        at = self.nodes[node or next(iter(self.nodes))]
        client = httpx.AsyncClient(base_url=at.url, headers=headers, timeout=DEADLINE)
        self._clients.append(client)
        return client

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()

    async def fired(self, workspace_id: str) -> list[str]:
        """The detections of which the workspace's feed says that they fired."""
        admin = self.client("admin", "10.0.0.1")
        answer = await admin.get(f"/feeds/{workspace_id}/alerts.security", params={"limit": 100})
        events = answer.json()["items"] if answer.status_code == 200 else []
        return sorted(each["data"]["alert"]["name"][:5] for each in events if each["type"] == "alert.fired")

    async def told_of(self, workspace_id: str, expected: Collection[str]) -> None:
        """Returns when just these have fired there."""
        fired: list[str] = []

        async def are_there() -> bool:
            nonlocal fired
            fired = await self.fired(workspace_id)
            return fired == sorted(expected)

        await until(are_there, lambda: f"{workspace_id}: {fired}, not {sorted(expected)}")

    async def followed(self) -> None:
        """Returns when all that nodes gathered up to now is in the trail and was looked at."""
        before = await self._head()
        for node in self.nodes:
            # Refusals wait for a second; with the next one a node has written those before.
            assert (await self.client("bob", "10.0.0.2", node=node).get("/users")).status_code == 403

        async def is_at_the_end() -> bool:
            head = await self._head()
            async with self.database.read() as connection:
                position = await trail_positions.get(connection, POSITION)
            return head >= before + len(self.nodes) and position is not None and position.id == head

        await until(is_at_the_end, lambda: "the trail was not followed to its end")

    async def kill_follower(self, while_it: Callable[[], Awaitable[None]]) -> None:
        """Kills the node that looks at what comes of `while_it`, when it holds the position and has changed nothing.

        It is held up by the lock of the stream that it wants to change.
        """
        connection = await asyncpg.connect(self.url)
        try:
            async with connection.transaction():
                await connection.execute(_LOCK)
                await while_it()
                name: str | None = None

                async def is_held_up() -> bool:
                    nonlocal name
                    # Not in this transaction, in which the answer would stay the same.
                    async with self.database.engine.connect() as other:
                        name = (await other.exec_driver_sql(_WAITING)).scalar()
                    return name is not None

                await until(is_held_up, lambda: "nobody looks at the trail")
                assert name is not None
                self.nodes.pop(name).kill()
        finally:
            await connection.close()

    async def _head(self) -> int:
        async with self.database.read() as connection:
            found = await audit.head(connection)
        return found.id if found else 0


async def until(condition: Callable[[], Awaitable[bool]], what: Callable[[], str]) -> None:
    try:
        async with asyncio.timeout(DEADLINE):
            while not await condition():  # noqa: ASYNC110 - it happens in other processes
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(what()) from None


@contextlib.asynccontextmanager
async def attacked_nodes(folder: Path, postgres_url: str, redis_url: str) -> AsyncIterator[AttackedNodes]:
    """Users of ROLES have been here for a week, with documents `d0`, `d1` and so on in `default`."""
    database = await Database.open(postgres_url)
    processes = {}
    try:
        await _an_earlier_week(database)
        for name in ("node_one", "node_other"):
            (folder / name).mkdir()
            own = await _role_in(postgres_url, name)
            shared = ("--database-url", own, "--redis-url", redis_url, "--secret-key", SECRET)
            processes[name] = ServerProcess(folder / name, *MANY, "--trusted-proxies", "127.0.0.1", shared=shared)
        await asyncio.gather(*(asyncio.to_thread(each.start) for each in processes.values()))
        made = AttackedNodes(dict(processes), database, postgres_url)
        try:
            yield made
        finally:
            await made.close()
        for each in processes.values():
            assert "Traceback" not in each.log.read_text(), each.log.read_text()
    finally:
        for each in processes.values():
            each.kill()
        await database.close()


async def _role_in(url: str, name: str) -> str:
    """The database's URL for a role of its own, by which its connections are told apart."""
    connection = await asyncpg.connect(url)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name):
            await connection.execute(f"CREATE ROLE {name} SUPERUSER LOGIN")
    finally:
        await connection.close()
    return url.replace("postgres:", f"{name}:", 1) if "//postgres:" in url else url


async def _an_earlier_week(database: Database) -> None:
    now = datetime.now(UTC)
    await prepare_first_use(database, now)
    async with database.write() as connection:
        for user, role in ROLES.items():
            await users.ensure(connection, user, at=now)
            await members.put(connection, "default", user, role, added_by="admin", at=now)
        for day in range(8, 1, -1):
            at, details = now - timedelta(days=day), {"workspace_id": "default", "things": THINGS_A_DAY}
            await audit.append(
                connection, actor="bob", action="read", target="default", outcome="done", details=details, at=at
            )
        for number in range(DOCUMENTS):
            await documents.create(connection, "default", f"d{number}", created_by="ada", at=now)


def explained(shown: dict[str, Any], entity: str) -> None:
    """Whom it is about, with a sentence and rows of the trail behind it."""
    assert shown["entity"] == entity, shown
    assert shown["explanation"].endswith("."), shown
    assert shown["events"], shown
    assert all(each["id"].startswith("audit:") for each in shown["events"]), shown
