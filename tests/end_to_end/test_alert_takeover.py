"""Two nodes over PostgreSQL and Redis: the one that evaluates is killed, and no transition is lost or told twice."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from server_process import ServerProcess

from storage import data_sources, feeds, workspaces
from storage.alert_tables import leases
from storage.database import Database
from storage.samples.columns import SampleColumns, SeriesKey
from storage.samples.store import SampleStore

SEED = random.SystemRandom().randrange(2**32)
# More of them with the environment's TAKEOVER_KILLS.
KILLS = int(os.environ.get("TAKEOVER_KILLS", "1"))
# Another node evaluates after this time at the latest.
TAKEOVER_SECONDS = 5.0
DEADLINE = 40.0
SERIES = 10
PAUSE = 0.1

Told = dict[str, list[tuple[str, int]]]


class Pusher:
    """Stores samples of some series, and knows what a threshold of 90 makes of them."""

    def __init__(self, store: SampleStore, source_id: int) -> None:
        self._store, self._source_id = store, source_id
        self._rng = random.Random(SEED)
        self._keys = [SeriesKey("cpu", (("host", f"host{number}"),)) for number in range(SERIES)]
        self._bad = [False] * SERIES
        self.expected: Told = {f"host{number}": [] for number in range(SERIES)}

    async def push(self, *, is_last: bool = False) -> None:
        """A sample of each series at this moment. With the last ones all is well."""
        at_ms = int(time.time() * 1000)
        values = [10.0 if is_last else self._rng.choice([10.0, 10.0, 95.0]) for _ in range(SERIES)]
        for number, value in enumerate(values):
            if (value > 90) is not self._bad[number]:
                self._bad[number] = value > 90
                self._expect(number, at_ms)
        index = np.arange(SERIES, dtype=np.int32)
        times = np.full(SERIES, at_ms, dtype=np.int64)
        await self._store.append(self._source_id, SampleColumns(self._keys, index, times, np.array(values)))

    def _expect(self, number: int, at_ms: int) -> None:
        known = self.expected[f"host{number}"]
        kind = ("alert.reopened" if known else "alert.fired") if self._bad[number] else "alert.resolved"
        known.append((kind, at_ms))

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(DEADLINE):
            while not await condition():
                await self.push()
                await asyncio.sleep(PAUSE)


@asynccontextmanager
async def two_nodes(folder: Path, postgres_url: str, redis_url: str) -> AsyncIterator[list[ServerProcess]]:
    nodes = []
    shared = ("--database-url", postgres_url, "--redis-url", redis_url)
    for name in ("one", "other"):
        (folder / name).mkdir()
        nodes.append(ServerProcess(folder / name, shared=shared))
    try:
        for node in nodes:
            await asyncio.to_thread(node.start)
        yield nodes
    finally:
        for node in nodes:
            node.kill()
    for node in nodes:
        log = node.log.read_text()
        assert "Traceback" not in log, log


async def holder(database: Database) -> str | None:
    """The id of the node that has the lease, None where it is over."""
    async with database.read() as connection:
        query = leases.select().where(leases.c.name == "alert-evaluation", leases.c.until > datetime.now(UTC))
        row = (await connection.execute(query)).first()
    return None if row is None or row.holder is None else str(row.holder).partition(":")[0]


async def told(database: Database, workspace: str) -> Told:
    """What the feed says of each host, in its order."""
    async with database.read() as connection:
        feed = await feeds.get(connection, f"{workspace}/alerts.performance")
        events = [] if feed is None else await feeds.read(connection, feed.id, after=0, limit=100_000)
    found: Told = {f"host{number}": [] for number in range(SERIES)}
    for event in events:
        alert = event.data["alert"]
        at = datetime.fromisoformat(alert["updated_at"])
        found[alert["labels"]["host"]].append((event.type, round(at.timestamp() * 1000)))
    return found


async def make_source(database: Database) -> int:
    async with database.write() as connection:
        at = datetime.now(UTC) - timedelta(minutes=1)
        await workspaces.ensure(connection, "default", created_by="admin", at=at)
        source = await data_sources.create(
            connection,
            workspace_id="default",
            name="shop",
            kind="sqlite",
            description=None,
            settings={},
            owner="admin",
            at=at,
        )
    return source.id


def test_another_node_takes_over_and_goes_on(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    async def scenario() -> None:
        async with two_nodes(tmp_path, postgres_url, redis_url) as nodes:
            database = await Database.open(postgres_url)
            try:
                await watch_kills(nodes, database)
            finally:
                await database.close()

    asyncio.run(scenario())


async def watch_kills(nodes: list[ServerProcess], database: Database) -> None:
    token = await asyncio.to_thread(nodes[0].token, "admin", "owner")
    source_id = await make_source(database)
    names = {await name_of(node, token): node for node in nodes}
    query = {"kind": "threshold", "selector": {"metric": "cpu"}, "op": ">", "threshold": 90}
    async with httpx.AsyncClient(base_url=nodes[0].url, headers={"Authorization": f"Bearer {token}"}) as client:
        made = await client.post(
            "/performance/alert-rules",
            json={"name": "Busy", "data_source_id": source_id, "spec": {"query": query}},
        )
        assert made.status_code == 201, made.text
    pusher = Pusher(SampleStore(database, lambda: datetime.now(UTC)), source_id)
    await pusher.until(lambda: _is_held(database))
    rng = random.Random(SEED)
    for _ in range(KILLS):
        end = time.monotonic() + 1 + rng.random()
        await pusher.until(lambda end=end: _over(end))
        await pusher.until(lambda: _is_held(database))
        killed = await holder(database)
        assert killed is not None
        names[killed].kill()
        died_at = time.monotonic()
        await pusher.until(lambda killed=killed: _is_held(database, but_by=killed))
        assert time.monotonic() - died_at < TAKEOVER_SECONDS
        restarted = names.pop(killed)
        restarting = asyncio.create_task(asyncio.to_thread(restarted.start))
        await pusher.until(lambda task=restarting: _done(task))
        await restarting
        names[await name_of(restarted, token)] = restarted
    await pusher.push(is_last=True)
    try:
        async with asyncio.timeout(DEADLINE):
            while await told(database, "default") != pusher.expected:  # noqa: ASYNC110 - in other processes
                await asyncio.sleep(0.05)
    except TimeoutError:
        assert await told(database, "default") == pusher.expected, f"seed {SEED}"
    assert sum(map(len, pusher.expected.values())) > 20


async def name_of(node: ServerProcess, token: str) -> str:
    async with httpx.AsyncClient(base_url=node.url, headers={"Authorization": f"Bearer {token}"}) as client:
        answer = await client.get("/nodes")
        assert answer.status_code == 200, answer.text
        return str(next(each["node_id"] for each in answer.json()["items"] if each["is_self"]))


async def _is_held(database: Database, *, but_by: str | None = None) -> bool:
    name = await holder(database)
    return name is not None and name != but_by


async def _over(end: float) -> bool:
    return time.monotonic() >= end


async def _done(task: asyncio.Task[None]) -> bool:
    return task.done()
