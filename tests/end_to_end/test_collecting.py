"""Two servers over one PostgreSQL: one of them collects, and when it is killed the other goes on, without a spike."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from collecting_nodes import rates, until
from postgres_server import PostgresServer, running_postgres
from redis_server import RedisServer
from server_process import ServerProcess

from connectors.performance.postgresql.session import APPLICATION
from server.http import utc_now
from storage.database import Database
from storage.samples.store import SampleStore

# The lease, a look, and a visit.
TAKEN_OVER_WITHIN = 30.0
_OF_THE_COLLECTOR = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{APPLICATION}'"
_HOLDER = "SELECT holder FROM leases WHERE until IS NOT NULL AND name LIKE 'collect:%'"


class Cluster:
    def __init__(self, postgres: PostgresServer, source: PostgresServer, nodes: list[ServerProcess]) -> None:
        self.postgres = postgres
        self.source = source
        self.nodes = nodes
        self.token = nodes[0].token("admin", "")
        self.pids = {node.port: node.pid for node in nodes}

    def client(self, node: ServerProcess) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=node.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=30)

    def holder(self, names: list[str]) -> ServerProcess | None:
        """Node ids have the process's number in their middle."""
        for node in self.nodes:
            if any(name.rpartition("-")[0].endswith(f"-{self.pids[node.port]}") for name in names):
                return node
        return None


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres())
        source = stack.enter_context(running_postgres())
        redis = stack.enter_context(RedisServer())
        shared = ("--database-url", postgres.url, "--redis-url", f"{redis.url}/0")
        nodes = []
        for name in ("one", "other"):
            folder = tmp_path / name
            folder.mkdir()
            node = ServerProcess(folder, shared=shared)
            node.start()
            stack.callback(node.kill)
            nodes.append(node)
        yield Cluster(postgres, source, nodes)


def test_one_collects_and_another_takes_over_with_a_gap_and_no_spike(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(120):
            database = await Database.open(cluster.postgres.url)
            try:
                await _scenario(cluster, SampleStore(database, utc_now))
            finally:
                await database.close()

    asyncio.run(scenario())


async def _scenario(cluster: Cluster, samples: SampleStore) -> None:
    source_id = await _collected(cluster)

    async def seen(metric: str) -> list[tuple[int, float | None]]:
        return await _samples(samples, source_id, metric)

    async def holder() -> ServerProcess | None:
        return cluster.holder(await cluster.postgres.execute_soon(_HOLDER))

    async def three() -> bool:
        return len(await seen("up")) >= 3

    first = await until(holder)
    await until(three)
    assert await cluster.source.execute_soon(_OF_THE_COLLECTOR) == [1]
    assert len(await cluster.postgres.execute_soon(_HOLDER)) == 1
    first.kill()
    # The last that it can have stored: the figures of a turn are some milliseconds later than its word that all is up.
    killed_at = max((await seen("up"))[-1][0], (await seen("postgresql.commits"))[-1][0])
    # While nobody looks, the statistics begin anew and are soon beyond what they were.
    await cluster.source.execute_soon("SELECT pg_stat_reset()", *["SELECT 1"] * 500)

    async def other() -> ServerProcess | None:
        found = await holder()
        return found if found is not None and found is not first else None

    await until(other)

    async def goes_on() -> bool:
        return len([at for at, _ in await seen("up") if at > killed_at]) >= 2

    await until(goes_on)
    ups = await seen("up")
    after = next(at for at, _ in ups if at > killed_at)
    print(f"taken over after {(after - killed_at) / 1000:.1f} s")
    assert after - killed_at < TAKEN_OVER_WITHIN * 1000
    assert await cluster.source.execute_soon(_OF_THE_COLLECTOR) == [1]
    commits = await seen("postgresql.commits")
    before = [at for at, value in commits if at <= killed_at and value is not None]
    later = [at for at, value in commits if at > killed_at and value is not None]
    # A marker lies between the two lives of the counter, and nothing is negative or beyond what was done.
    assert any(before[-1] < at < later[0] and value is None for at, value in commits)
    assert all(0 <= rate < 400 for rate in rates(commits)), rates(commits)


async def _collected(cluster: Cluster) -> int:
    settings = {
        "host": "127.0.0.1", "port": cluster.source.port, "database": cluster.source.database, "user": "postgres",
        "tls": "disable",
    }  # fmt: skip
    async with cluster.client(cluster.nodes[0]) as client:
        made = await client.post("/data-sources", json={"name": "shop", "kind": "postgresql", "settings": settings})
        assert made.status_code == 201, made.text
        source_id = int(made.json()["id"])
        changes: dict[str, Any] = {"enabled": True, "preset": "detailed", "statements": False}
        answer = await client.patch(f"/performance/collections/{source_id}", json=changes)
        assert answer.status_code == 200, answer.text
    return source_id


async def _samples(samples: SampleStore, source_id: int, metric: str) -> list[tuple[int, float | None]]:
    series = await samples.series(source_id, metric)
    if not series:
        return []
    chosen = next((one for one in series if dict(one.key.labels).get("database") == "postgres"), series[0])
    found = (await samples.read([chosen], 0, 2**53))[chosen.id]
    pairs = zip(found.at_ms.tolist(), found.value.tolist(), strict=True)
    return [(at, None if value != value else value) for at, value in pairs]  # noqa: PLR0124 - NaN is a marker
