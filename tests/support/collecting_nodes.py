"""Nodes that collect, and sources that count who looks at them."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from http_node import Node, serving

from connectors.errors import SourceLost
from connectors.performance.figures import (
    COUNTER,
    GAUGE,
    Blocking,
    Figure,
    FigureGroup,
    IndexAdvices,
    Level,
    StatementPlan,
    StatementSnapshot,
    StatementText,
    Unsupported,
    Visit,
)
from handlers.access import Role
from handlers.performance.collecting import Collecting
from storage import data_sources
from storage.samples.columns import Series

LAB = "lab"
DEADLINE = 30.0


class Counted:
    """A PerformanceReader of a counter that the test turns, which notes when it was asked for what."""

    def __init__(self) -> None:
        self.clock: Callable[[], float] = time.time
        self.visits: list[tuple[float, Level]] = []
        self.value = 0.0
        self.epoch = "first"
        self.is_away = False
        self.is_closed = False

    async def visit(self, level: Level) -> Visit:
        self.visits.append((self.clock(), level))
        if self.is_away:
            raise SourceLost("the connection broke")
        figures = [
            Figure(f"toy.{level}.count", (), COUNTER, "{things}", self.value),
            Figure(f"toy.{level}.level", (), GAUGE, "1", 7.0),
        ]
        return Visit(int(self.clock() * 1000), self.epoch, [FigureGroup(str(level), self.epoch, figures)], 0.001)

    async def statements(self) -> StatementSnapshot | Unsupported:
        return Unsupported("statements", "A toy has none.", "GRANT toys TO everybody;")

    async def statement_texts(self, keys: Sequence[str]) -> dict[str, StatementText]:
        raise AssertionError(keys)

    async def plan(self, key: str) -> StatementPlan | Unsupported:
        raise AssertionError(key)

    async def blocking(self) -> Blocking:
        return Blocking(int(self.clock() * 1000), ())

    async def index_advice(self) -> IndexAdvices:
        return IndexAdvices(int(self.clock() * 1000), None, ())

    async def aclose(self) -> None:
        self.is_closed = True


@contextlib.asynccontextmanager
async def collecting(
    place: Path | str, *, node_id: str = "node", reader: Any = None, **how: Any
) -> AsyncIterator[tuple[Node, Collecting]]:
    """A node whose clock is the real one, with the workspace `lab` that `ada` administers. It collects once `run`."""
    async with serving(place, node_id=node_id, **how) as node:
        node.now = lambda: datetime.now(UTC)  # type: ignore[method-assign]
        node.clock = datetime.now(UTC)
        if reader is not None:

            async def opened(_kind: str, _settings: Any) -> Any:
                return reader

            node.parts.sources.monitors._open_source = opened
        yield node, Collecting(node.parts, holder=node_id)


async def make_lab(node: Node) -> None:
    await node.make_workspace(LAB, ada=Role.ADMIN, bob=Role.VIEWER)


async def make_source(node: Node, kind: str = "postgresql", settings: dict[str, Any] | None = None) -> int:
    async with node.parts.database.write() as connection:
        made = await data_sources.create(
            connection,
            workspace_id=LAB,
            name=f"{kind} {time.monotonic_ns()}",
            kind=kind,
            description=None,
            settings=settings or {},
            owner="ada",
            at=node.now(),
        )
    return made.id


async def set_collection(node: Node, source_id: int, **values: Any) -> dict[str, Any]:
    answer = await node.client("ada").patch(f"/performance/collections/{source_id}", json=values)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def samples_of(node: Node, source_id: int, metric: str) -> list[tuple[int, float | None]]:
    """Times and values of a metric of one series, None for a gap marker."""
    series: Sequence[Series] = await node.parts.samples.series(source_id, metric)
    if not series:
        return []
    found = (await node.parts.samples.read(series[:1], 0, 2**53))[series[0].id]
    pairs = zip(found.at_ms.tolist(), found.value.tolist(), strict=True)
    return [(at, None if math.isnan(value) else value) for at, value in pairs]


def rates(samples: Sequence[tuple[int, float | None]]) -> list[float]:
    """Per second, between samples that no marker parts."""
    found = []
    for (before_ms, before), (at_ms, value) in pairwise(samples):
        if before is not None and value is not None:
            found.append((value - before) / (at_ms - before_ms) * 1000)
    return found


async def until(what: Callable[[], Awaitable[Any]], why: str = "it does not come about") -> Any:
    """What it answers, once that is something; for what happens in other tasks and processes."""
    found = None
    try:
        async with asyncio.timeout(DEADLINE):
            while not (found := await what()):  # noqa: ASYNC110 - it happens in another task or process
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(why) from None
    return found


@contextlib.asynccontextmanager
async def in_background(work: Awaitable[Any]) -> AsyncIterator[asyncio.Future[Any]]:
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait((task,))


def finite(values: Sequence[float]) -> bool:
    return bool(np.isfinite(np.array(values)).all())
