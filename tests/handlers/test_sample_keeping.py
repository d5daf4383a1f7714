"""The service that seals samples, rolls them up and forgets them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from http_node import Node, play
from sqlalchemy import func, select

from handlers import sample_keeping
from handlers.sample_keeping import keep_samples
from storage import leases
from storage.errors import Unavailable
from storage.metric_tables import metric_batches, metric_sources
from storage.samples.columns import SampleColumns, SeriesKey
from storage.samples.maintenance import LEASE, Maintenance


async def append(node: Node) -> None:
    at = int(node.clock.timestamp() * 1000)
    await node.parts.samples.append(
        7, SampleColumns([SeriesKey("cpu")], np.zeros(1, np.int32), np.array([at]), np.array([0.5]))
    )


async def sealed(node: Node) -> int:
    async with node.parts.database.read() as connection:
        return await connection.scalar(select(metric_sources.c.sealed)) or 0


def test_the_service_works_goes_on_after_a_failure_and_lets_others_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_keeping, "LOOK_SECONDS", 0.0)
    failures = 2
    node_of: list[Node] = []
    worked = asyncio.Queue[int]()
    works = Maintenance.work

    async def work(maintenance: Maintenance) -> int:
        nonlocal failures
        if failures:
            failures -= 1
            raise Unavailable("for once")
        steps = await works(maintenance)
        worked.put_nowait(await sealed(node_of[0]))
        return steps

    monkeypatch.setattr(Maintenance, "work", work)

    async def until(number: int) -> None:
        async with asyncio.timeout(30):
            while await worked.get() < number:
                pass

    async def scenario(node: Node) -> None:
        node_of.append(node)
        await append(node)
        node.clock += timedelta(minutes=6)
        service = asyncio.ensure_future(keep_samples(node.parts))
        await until(1)
        await append(node)
        node.clock += timedelta(minutes=6)
        await until(2)
        service.cancel()
        await asyncio.wait((service,))
        async with node.parts.database.read() as connection:
            assert await leases.free_at(connection, [LEASE], at=node.clock) == {LEASE}
            assert await connection.scalar(select(func.count()).select_from(metric_batches)) == 1
        (series,) = await node.parts.samples.series(7)
        assert series.last_ms - series.first_ms == 360_000

    play(tmp_path, scenario)
