"""Two servers over one PostgreSQL and one Redis: what happens on one changes what is watched on the other."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from collab_studio import AnswerWatch, OperationError, connect
from postgres_server import running_postgres
from redis_server import RedisServer
from scanning import write_sqlite
from server_process import ServerProcess

from server.tokens import ServerIssuer

SECRET = "a secret for tests, long enough to sign with"
DEADLINE = 60.0
# Far less than the 60 s after which an answer is computed whatever was said.
SOON = 20.0


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    with running_postgres() as postgres, RedisServer() as redis, contextlib.ExitStack() as stack:
        shared = ("--database-url", postgres.url, "--redis-url", f"{redis.url}/0", "--secret-key", SECRET)
        started = []
        for name in ("one", "other"):
            folder = tmp_path / name
            folder.mkdir()
            node = ServerProcess(folder, shared=shared)
            stack.callback(node.kill)
            node.start()
            started.append(node)
        yield started[0], started[1]


def token(user: str) -> str:
    return ServerIssuer(SECRET, lambda: datetime.now(UTC)).issue(user, timedelta(hours=1))


async def until(watch: AnswerWatch, condition: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(SOON):
        async for answer in watch:
            if condition(answer):
                return answer
    raise AssertionError("the watch was closed")


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(DEADLINE):
            await scenario()

    asyncio.run(main())


def test_what_happens_on_one_node_changes_what_is_watched_on_the_other(
    nodes: tuple[ServerProcess, ServerProcess], tmp_path: Path
) -> None:
    one, other = nodes
    path = write_sqlite(tmp_path / "shop.sqlite3", "CREATE TABLE people AS SELECT 'ada@example.org' AS mail")
    one.token("ada", "viewer")

    async def scenario() -> None:
        async with (
            connect(one.url, token=token("admin")) as admin,
            connect(other.url, token=token("ada")) as ada,
            connect(other.url, token=token("admin")) as chief,
        ):
            summary = ada.watch_operation("dashboard.summary", workspace_id="default")
            health = chief.watch_operation("dashboard.data_sources", workspace_id="default")
            await until(summary, lambda answer: answer["sources"]["total"] == 0)
            await until(health, lambda answer: answer["items"] == [])
            source = await admin.call("data_sources.create", name="shop", kind="sqlite", settings={"path": str(path)})
            await until(summary, lambda answer: answer["sources"]["total"] == 1)
            await admin.call("scans.create", source_id=source["id"], parts=["profile", "classification"])
            ended = await until(summary, lambda answer: answer["scans"]["by_state"] == {"succeeded": 1})
            assert ended["rows"]["counted"] in (0, 1)
            await until(health, lambda answer: answer["items"][0]["last_scan"] is not None)
            await admin.call("collaboration.members.remove", workspace_id="default", user_id="ada")
            with pytest.raises(OperationError, match="not_found"):
                await until(summary, lambda _: False)
            await admin.call("collaboration.documents.create", workspace_id="default", id="notes")
            with pytest.raises(OperationError, match="not_found"):
                await summary.next()

    play(scenario)
    for node in nodes:
        assert "Traceback" not in node.log.read_text()
