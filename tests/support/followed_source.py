"""A source that is visited again and again: the samples that come of it, and the rates that a reader of them takes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from postgres_server import PostgresServer

from connectors.performance.epochs import Standing, follow
from connectors.performance.figures import Labels, Level, PerformanceReader, Visit
from connectors.performance.postgresql.reader import PostgresqlReader
from connectors.settings import SourceLimits, SourceSettings

INTERVAL_MS = 10_000


def settings_of(server: PostgresServer, user: str = "monitor", port: int | None = None) -> SourceSettings:
    """How to look at a server's newest database, by its own port or by way of another."""
    return SourceSettings(
        host="127.0.0.1",
        port=port or server.port,
        database=server.database,
        user=user,
        limits=SourceLimits(connect_seconds=5.0),
    )


@dataclass
class FollowedSource:
    reader: PerformanceReader
    standing: dict[Level, Standing] = field(default_factory=dict)
    samples: dict[tuple[str, Labels], list[tuple[int, float]]] = field(default_factory=dict)

    async def visit(self, level: Level = Level.FAST) -> Visit:
        visit = await self.reader.visit(level)
        followed = follow(self.standing.get(level), visit, INTERVAL_MS)
        assert not followed.is_too_early
        self.standing[level] = followed.standing
        for sample in followed.samples:
            self.samples.setdefault(sample.figure[:2], []).append((sample.at_ms, sample.figure.value))
        return visit

    def newest(self, metric: str, **labels: str) -> float:
        return self.samples[metric, tuple(sorted(labels.items()))][-1][1]

    def increases(self, metric: str, **labels: str) -> list[tuple[float, float]]:
        """Seconds and increase between each two samples of a counter that a rate is taken of."""
        pairs = self._rated(self.samples[metric, tuple(sorted(labels.items()))])
        return [((second[0] - first[0]) / 1000, second[1] - first[1]) for first, second in pairs]

    def rated_across(self, at_ms: int) -> set[str]:
        """The metrics of which a rate is taken over this moment, gauges included."""
        return {
            metric
            for (metric, _), samples in self.samples.items()
            if any(first[0] <= at_ms < second[0] for first, second in self._rated(samples))
        }

    def marked_since(self, at_ms: int) -> set[str]:
        """The metrics that have a marker after this moment."""
        return {
            metric
            for (metric, _), samples in self.samples.items()
            if any(at > at_ms and math.isnan(value) for at, value in samples)
        }

    @staticmethod
    def _rated(samples: list[tuple[int, float]]) -> list[tuple[tuple[int, float], tuple[int, float]]]:
        # False where either is a marker.
        return [(first, second) for first, second in itertools.pairwise(samples) if second[1] >= first[1]]


@contextlib.asynccontextmanager
async def looked_at(server: PostgresServer, user: str = "monitor") -> AsyncIterator[tuple[FollowedSource, Any]]:
    """The source, and a connection of a superuser."""
    reader = PostgresqlReader(settings_of(server, user))
    connection = await asyncpg.connect(server.url)
    try:
        yield FollowedSource(reader), connection
    finally:
        await connection.close()
        await reader.aclose()


async def until(connection: Any, sql: str, *arguments: Any) -> None:
    deadline = time.monotonic() + 10
    while not await connection.fetchval(sql, *arguments):
        assert time.monotonic() < deadline, sql
        await asyncio.sleep(0.02)
