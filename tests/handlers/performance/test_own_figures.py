"""The server's own figures as measurements of the source 0."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from collecting_nodes import collecting, rates, samples_of, until
from node_in_process import running_node
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric

from handlers.performance.own_figures import OwnFigures, keep_own_figures
from server import app


def _families(count: float) -> Iterable[Metric]:
    requests = CounterMetricFamily("studio_requests", "Requests.", labels=["operation"])
    requests.add_metric(["read"], count)
    seconds = HistogramMetricFamily("studio_seconds", "Seconds.", labels=["operation"])
    seconds.add_metric(["read"], [("0.1", count), ("+Inf", count)], count / 10)
    return [requests, seconds]


def test_a_process_that_starts_again_goes_on_with_its_series_after_a_gap(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with collecting(tmp_path) as (node, _):
            start_ms = int(time.time() * 1000) - 60_000
            count = [5.0]
            first = OwnFigures(node.parts, lambda: _families(count[0]), "here:8400", 10_000)
            await first.store(start_ms)
            count[0] = 25.0
            await first.store(start_ms + 10_000)
            # Beyond its old value by the first look, it has begun anew all the same.
            count[0] = 1_000.0
            second = OwnFigures(node.parts, lambda: _families(count[0]), "here:8400", 10_000)
            await second.store(start_ms + 20_000)
            count[0] = 1_010.0
            await second.store(start_ms + 30_000)
            assert rates(await samples_of(node, 0, "studio_requests_total")) == [2.0, 1.0]
            [series] = await node.parts.samples.series(0, "studio_requests_total")
            assert series.key.labels == (("node", "here:8400"), ("operation", "read"))
            assert series.key.kind == "counter"
            assert await node.parts.samples.series(0, "studio_seconds_bucket") == []
            assert len(await node.parts.samples.series(0, "studio_seconds_sum")) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("metrics_own", [True, False])
def test_a_server_keeps_its_own_figures_unless_told_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metrics_own: bool
) -> None:
    started = []

    async def soon(*how: Any) -> None:
        started.append(how)
        await keep_own_figures(*how, seconds=0.05)

    async def scenario() -> None:
        async with running_node(tmp_path, metrics_own=metrics_own, port=8401) as node:
            parts = node.studio.parts
            if metrics_own:
                series = await until(lambda: parts.samples.series(0, "studio_ready"))
                assert dict(series[0].key.labels)["node"].endswith(":8401")
                assert await parts.samples.series(0, "process_resident_memory_bytes")
            await node.settled()
        assert bool(started) is metrics_own

    monkeypatch.setattr(app, "keep_own_figures", soon)
    asyncio.run(scenario())
