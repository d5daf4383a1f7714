"""Two servers over one PostgreSQL and one Redis: who is shut out at one is out at the other, with and without Redis."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from postgres_server import running_postgres
from redis_server import RedisServer
from server_process import ServerProcess
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from crdt.lib0 import write_var_string
from server.grants import Grant, issue_token
from server.settings import Settings
from server.tokens import ServerIssuer

SECRET = "a secret for tests, long enough to sign with"
DOCUMENT = "default/notes"
ADDRESS = write_var_string(DOCUMENT)
REACHED_SECONDS = 2.0
# Far more than a client and two processes on a busy machine need to say a word to each other.
SLACK_SECONDS = 0.5
MEMBERS = "/collaboration/workspaces/default/members"


def token(user: str) -> str:
    return ServerIssuer(SECRET, lambda: datetime.now(UTC)).issue(user, timedelta(hours=1))


async def session_token(database_url: str, user: str) -> str:
    settings = Settings(database_url=database_url, secret_key=SECRET)
    return await issue_token(settings, Grant(user, None, None, timedelta(hours=1)), lambda: datetime.now(UTC))


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def nodes(tmp_path: Path, redis: RedisServer) -> Iterator[tuple[str, list[ServerProcess]]]:
    with running_postgres() as postgres, contextlib.ExitStack() as stack:
        shared = ("--database-url", postgres.url, "--redis-url", f"{redis.url}/0", "--secret-key", SECRET)
        started = []
        for name in ("one", "other"):
            folder = tmp_path / name
            folder.mkdir()
            node = ServerProcess(folder, shared=shared)
            stack.callback(node.kill)
            node.start()
            started.append(node)
        yield postgres.url, started


class Editor:
    """A user's open document; `parted` says how they came to be out, or only a reader."""

    def __init__(self, user: str, credential: str, is_hocuspocus: bool) -> None:
        self.user, self.credential, self.is_hocuspocus = user, credential, is_hocuspocus
        self.is_in = asyncio.Event()
        self.parted: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def stay(self, url: str) -> None:
        path = "/ws" if self.is_hocuspocus else f"/yjs/{DOCUMENT}?token={self.credential}"
        async with connect(url + path, compression=None) as socket:
            if self.is_hocuspocus:
                await socket.send(ADDRESS + b"\x02\x00" + write_var_string(self.credential))
            await self._read(socket)

    async def _read(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                assert isinstance(message, bytes)
                body = message.removeprefix(ADDRESS) if self.is_hocuspocus else message
                if body.startswith((b"\x07", b"\x02\x02" + write_var_string("readonly"))):
                    break
                # Either the scope that Auth is answered with, or the step 1 that an open connection begins with.
                self.is_in.set()
        assert self.is_in.is_set(), f"{self.user} was never let in"
        self.parted.set_result(time.monotonic())


class Administrator:
    """Changes things through one node."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token('admin')}"})

    async def close(self) -> None:
        await self._client.aclose()

    async def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = await self._client.request(method, path, json=body or None)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def enlist(self, user: str) -> tuple[int, str]:
        """A member with an API key, which makes the user as well."""
        key = await self.ask("POST", "/api-keys", name="job", user_id=user)
        await self.ask("PUT", f"{MEMBERS}/{user}", role="editor")
        return key["key"]["id"], key["secret"]

    async def shut_out(self, users: dict[str, int]) -> None:
        removed, downgraded, deactivated, keyed, signed_out = users
        await self.ask("DELETE", f"{MEMBERS}/{removed}")
        await self.ask("PUT", f"{MEMBERS}/{downgraded}", role="viewer")
        await self.ask("POST", f"/users/{deactivated}/deactivate")
        await self.ask("DELETE", f"/api-keys/{users[keyed]}")
        assert await self.ask("DELETE", f"/users/{signed_out}/sessions") == {"ended": 1}


async def see_them_leave(administrator: Administrator, database_url: str, url: str, mark: str) -> float:
    """Five users in both dialects are shut out, each in a way of their own: after how long the last was out."""
    users, editors = {}, []
    for end in ("removed", "downgraded", "deactivated", "keyed", "signed-out"):
        user = f"{mark}-{end}"
        users[user], secret = await administrator.enlist(user)
        credential = {"keyed": secret, "signed-out": await session_token(database_url, user)}.get(end, token(user))
        editors += [Editor(user, credential, is_hocuspocus) for is_hocuspocus in (False, True)]
    async with asyncio.TaskGroup() as group:
        for editor in editors:
            group.create_task(editor.stay(url))
        for editor in editors:
            await editor.is_in.wait()
        await administrator.shut_out(users)
        changed = time.monotonic()
        ends = await asyncio.gather(*[editor.parted for editor in editors])
    return max(ends) - changed


@pytest.mark.timeout(180)
def test_a5_who_is_shut_out_at_one_node_is_out_at_the_other(
    nodes: tuple[str, list[ServerProcess]], redis: RedisServer
) -> None:
    database_url, (one, other) = nodes

    async def scenario() -> None:
        administrator = Administrator(one.url)
        try:
            async with asyncio.timeout(60):
                with_redis = await see_them_leave(administrator, database_url, other.socket_url, "first")
                await asyncio.to_thread(redis.kill)
                without = await see_them_leave(administrator, database_url, other.socket_url, "second")
        finally:
            await administrator.close()
        assert max(with_redis, without) < REACHED_SECONDS + SLACK_SECONDS

    asyncio.run(scenario())
