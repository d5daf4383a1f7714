"""One source's visits: what a database knows of itself becomes samples, with the cost of asking beside them.

What a visit saw is remembered after its samples are stored, and believed later only if it is of the newest of them.
So a collector that dies in between leaves a gap, never a rate over two lives of a counter.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from connectors.errors import ConnectorError, Unreachable
from connectors.performance.epochs import Followed, Sample, Standing, follow, interrupted
from connectors.performance.figures import GAUGE, Figure, Level, PerformanceReader, Unsupported, Visit
from handlers import measurements
from handlers.performance.collection_settings import settings_of
from handlers.performance.pacing import Pace
from handlers.performance.sample_columns import Columns
from handlers.performance.visit_memory import SECONDS, recall, remember
from handlers.registry import NotFound
from handlers.source_access import sentence
from storage import data_sources
from storage.metric_collections import Collected, Visits
from storage.sealing import WrongKey

if TYPE_CHECKING:
    from handlers.parts import Parts
    from handlers.performance.exporter_visits import ExporterVisits
    from handlers.performance.statement_keeping import StatementKeeper
    from storage.data_sources import DataSource

logger = logging.getLogger(__name__)

# All levels together; a source that needs longer is one that does not answer.
VISIT_SECONDS = 20.0
UP = "up"
FAILURES = "collector.visit.failures"


class SourceVisits:
    """The visits of one node to one source. `turn` does what is due; `pace.next_at` says when that is.

    `is_read` says that the source tells something of itself. One that does not is what its `exporter` tells; beside one
    that does the exporter has turns of its own, and only what is wrong with it is noted here.
    """

    def __init__(
        self,
        parts: Parts,
        collected: Collected,
        before: Visits | None,
        *,
        is_read: bool = True,
        statements: StatementKeeper | None = None,
        exporter: ExporterVisits | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        settings = settings_of(collected.collection)
        self.visits = before or Visits(collected.source_id, datetime.fromtimestamp(now(), UTC))
        self.pace = Pace(settings.intervals, collected.source_id, now(), failures=self.visits.failures)
        self._source_id = collected.source_id
        self._intervals = settings.intervals
        self._parts = parts
        self.is_read = is_read
        self._statements = statements
        self.exporter = exporter
        self._now = now
        self._columns = Columns()
        self._standings: dict[Level, Standing] = {}
        self._recalled = False
        self._unsupported: dict[str, list[Unsupported]] = {}
        self._source: DataSource | None = None

    async def turn(self, may_store: Callable[[], bool] = lambda: True) -> None:
        """One turn: a visit, or, while the source is left alone, only the word that it is away.

        `may_store` is asked at the end: whether this node still is the one that collects here. Raises StorageError,
        and NotFound once the source is deleted.
        """
        at = self._now()
        source = await self.source()
        if not self._recalled:
            self._standings, self._recalled = await recall(self._parts.samples, self.visits), True
        if self.pace.is_left_alone(at):
            await self._store(source, self._own(at), may_store)
            if self.exporter is not None and not self.is_read:
                await self.exporter.tell_away(source, at, may_store)
            self.pace.left_alone(at)
            return
        levels, began = self.pace.due(at), time.perf_counter()
        try:
            async with asyncio.timeout(VISIT_SECONDS):
                followed, samples = await self._ask(source, levels)
                if self.exporter is not None and not self.is_read:
                    await self.exporter.visit(source, may_store)
        except (ConnectorError, WrongKey, TimeoutError) as error:
            await self._failed(source, levels, at, time.perf_counter() - began, error, may_store)
            return
        self.pace.succeeded(levels, at, time.perf_counter() - began)
        await self._store(source, [*samples, *self._own(at)], may_store)
        self._standings |= {level: one.standing for level, one in followed.items()}
        self._note(at, time.perf_counter() - began, self.exporter.trouble if self.exporter is not None else None)

    async def source(self) -> DataSource:
        """Read once: whoever changes it makes the service begin anew. Raises NotFound."""
        if self._source is not None:
            return self._source
        async with self._parts.database.read() as connection:
            source = await data_sources.get(connection, self._source_id)
        if source is None:
            raise NotFound(f"There is no data source {self._source_id}.")
        self._source = source
        return source

    async def _ask(self, source: DataSource, levels: Sequence[Level]) -> tuple[dict[Level, Followed], Iterable[Sample]]:
        followed: dict[Level, Followed] = {}
        samples: list[Sample] = []
        if self.is_read:
            async with self._parts.sources.monitors.use(source.id) as reader:
                for level in levels:
                    visit = await reader.visit(level)
                    followed[level] = self._follow(level, visit)
                    samples += followed[level].samples
                    if not followed[level].is_too_early:
                        samples.append(_cost(visit, level))
                if self._statements is not None and Level.MEDIUM in levels:
                    await self._keep_statements(self._statements, reader, levels)
        return followed, samples

    def _follow(self, level: Level, visit: Visit) -> Followed:
        self._unsupported[level] = list(visit.unsupported)
        return follow(self._standings.get(level), visit, int(self._intervals.of(level) * 1000))

    async def _keep_statements(
        self, keeper: StatementKeeper, reader: PerformanceReader, levels: Sequence[Level]
    ) -> None:
        """Beside the figures: what is wrong with statements takes nothing else along, but for a broken connection."""
        try:
            found = await keeper.look(reader, with_plans=Level.SLOW in levels)
        except Unreachable:
            raise
        except ConnectorError as error:
            found = Unsupported("statements", sentence(error))
        self._unsupported["statements"] = [found] if found is not None else []

    async def _failed(
        self,
        source: DataSource,
        levels: Sequence[Level],
        at: float,
        seconds: float,
        error: Exception,
        may_store: Callable[[], bool],
    ) -> None:
        """The source is away: it is said so, and nothing is known of it from now on."""
        self.pace.failed(at, seconds)
        text = f"It did not answer within {VISIT_SECONDS:g} s." if isinstance(error, TimeoutError) else sentence(error)
        standings, samples = dict(self._standings), self._own(at)
        for level in levels:
            if (standing := standings.get(level)) is not None:
                gone = interrupted(standing, int(at * 1000))
                standings[level] = gone.standing
                samples += gone.samples
        await self._store(source, samples, may_store)
        self._standings = standings
        self._note(at, seconds, text)

    def _own(self, at: float) -> list[Sample]:
        """What there is to say of the visits themselves."""
        at_ms, failures = int(at * 1000), self.pace.failures
        return [
            Sample(at_ms, Figure(UP, (), GAUGE, "1", float(failures == 0))),
            Sample(at_ms, Figure(FAILURES, (), GAUGE, "{visits}", float(failures))),
        ]

    async def _store(self, source: DataSource, samples: Iterable[Sample], may_store: Callable[[], bool]) -> None:
        if may_store():
            await measurements.store(self._parts, source, self._columns.of(samples))

    def _note(self, at: float, seconds: float, error: str | None) -> None:
        visited_at = datetime.fromtimestamp(at, UTC)
        self.visits = Visits(
            self._source_id,
            visited_at,
            succeeded_at=self.visits.succeeded_at if self.pace.failures else visited_at,
            seconds=seconds,
            failures=self.pace.failures,
            error=error,
            remembered=remember(self._standings, [each for told in self._unsupported.values() for each in told]),
        )


def _cost(visit: Visit, level: Level) -> Sample:
    """How long the source took to answer. Its time tells later which visit's samples are the newest."""
    return Sample(visit.at_ms, Figure(SECONDS, (("level", str(level)),), GAUGE, "s", visit.cost_seconds))
