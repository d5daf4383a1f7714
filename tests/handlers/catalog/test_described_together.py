"""A real server: a source is discovered by a durable run, and its datasets are described in editors."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from collab_studio import Studio, connect
from server_process import ServerProcess

DEADLINE = 60.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path)
    process.start()
    yield process
    process.kill()


@asynccontextmanager
async def discovered(server: ServerProcess, folder: Path) -> AsyncIterator[tuple[Studio, int]]:
    """Somebody who may do anything, and a source that was discovered."""
    with closing(sqlite3.connect(folder / "shop.db")) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, total REAL)")
    async with connect(server.url, token=server.token("admin", "")) as admin:
        settings = {"path": str(folder / "shop.db")}
        source = await admin.call("data_sources.create", name="shop", kind="sqlite", settings=settings)
        run = await admin.call("data_sources.discover", source_id=source["id"])
        ended = await when(
            lambda: admin.call("runs.get", run_id=run["run_id"]), lambda found: found["finished_at"] is not None
        )
        assert (ended["state"], ended["result"]["added"]) == ("succeeded", 1), ended
        yield admin, source["id"]


async def when(ask: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> Any:
    """The answer once the condition holds for it."""
    found = None
    try:
        async with asyncio.timeout(DEADLINE):
            while not holds(found := await ask()):  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"it is still {found}") from None
    return found


def test_a_description_that_two_people_write(server: ServerProcess, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with discovered(server, tmp_path) as (admin, source_id):
            listed = await admin.call("data_sources.catalog", source_id=source_id)
            dataset_id = listed["datasets"][0]["id"]

            async def text() -> str:
                shown = await admin.call("catalog.datasets.get", dataset_id=dataset_id)
                return str(shown["description"]["text"])

            described = (await admin.call("catalog.datasets.get", dataset_id=dataset_id))["description"]
            assert described["text"] == ""
            async with connect(server.url, token=server.token("bob")) as bob:
                mine = await admin.open(described["document"], kind=described["kind"])
                theirs = await bob.open(described["document"], kind=described["kind"])
                mine.text().append("What was sold. ")
                await mine.stored()
                theirs.text().append("Without returns. ")
                await theirs.stored()
                await when(text, lambda now: "sold" in now and "returns" in now)
            found = await when(
                lambda: admin.call("catalog.datasets.list", q="sold returns"), lambda page: page["items"] != []
            )
            assert [each["name"] for each in found["items"]] == ["orders"]
            assert "Without returns." in found["items"][0]["description"]

    asyncio.run(scenario())


def test_a_run_says_why_a_source_cannot_be_discovered(server: ServerProcess, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with discovered(server, tmp_path) as (admin, source_id):
            (tmp_path / "shop.db").write_bytes(b"not a database any more, for sure")
            await admin.call("data_sources.update", source_id=source_id, description="touched")
            run = await admin.call("data_sources.discover", source_id=source_id)
            ended = await when(
                lambda: admin.call("runs.get", run_id=run["run_id"]), lambda found: found["finished_at"] is not None
            )
            assert (ended["state"], ended["error"]["code"]) == ("failed", "wrong_format")
            assert len((await admin.call("data_sources.catalog", source_id=source_id))["datasets"]) == 1

    asyncio.run(scenario())
