"""One exporter's visits: its page becomes samples, and whether it answers is told at each interval.

Beside a source that tells something of itself an exporter is asked at a pace of its own: one that hangs puts off
nothing of what the source tells, and one that answers is asked also while the source does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from connectors.errors import ConnectorError
from connectors.performance.epochs import Sample
from connectors.performance.figures import GAUGE, Figure, Level
from handlers import measurements
from handlers.performance.collection_settings import settings_of
from handlers.performance.pacing import Pace
from handlers.performance.sample_columns import Columns
from handlers.source_access import sentence
from storage.metric_collections import Collected

if TYPE_CHECKING:
    from handlers.parts import Parts
    from handlers.performance.scraping import Scraper
    from storage.data_sources import DataSource

EXPORTER_UP = "exporter.up"


class ExporterVisits:
    """The visits of one node to the exporter of one source.

    `turn` does what is due, and `pace.next_at` says when that is. `trouble` is what was wrong with the last page.
    """

    def __init__(
        self,
        parts: Parts,
        collected: Collected,
        scraper: Scraper,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.pace = Pace(settings_of(collected.collection).intervals, collected.source_id, now())
        self.trouble: str | None = None
        self._parts = parts
        self._scraper = scraper
        self._now = now
        self._columns = Columns()

    async def turn(self, source: DataSource, may_store: Callable[[], bool] = lambda: True) -> None:
        """One turn: a visit, or, while the exporter is left alone, only the word that it is away. See SourceVisits."""
        at = self._now()
        if self.pace.is_left_alone(at):
            await self.tell_away(source, at, may_store)
            self.pace.left_alone(at)
            return
        began = time.perf_counter()
        try:
            await self.visit(source, may_store)
        except ConnectorError:
            self.pace.failed(at, time.perf_counter() - began)
        else:
            self.pace.succeeded((Level.FAST,), at, time.perf_counter() - began)

    async def visit(self, source: DataSource, may_store: Callable[[], bool]) -> None:
        """Asks for the page and stores it. Raises ConnectorError once it is stored that there was none."""
        at = self._now()
        try:
            decoded = await self._scraper.scrape(int(at * 1000))
        except ConnectorError as error:
            self.trouble = sentence(error)
            await self.tell_away(source, at, may_store)
            raise
        if may_store():
            await measurements.store(self._parts, source, decoded.columns)
            self._scraper.stored(decoded)
        await self._store(source, [_up(at, 1.0)], may_store)
        self.trouble = decoded.refusals.sentence() or None

    async def tell_away(self, source: DataSource, at: float, may_store: Callable[[], bool]) -> None:
        """The exporter does not answer, and nothing is known of what it told from now on."""
        gone = self._scraper.interrupted(int(at * 1000))
        if gone is not None and may_store():
            await measurements.store(self._parts, source, gone)
        await self._store(source, [_up(at, 0.0)], may_store)

    async def _store(self, source: DataSource, samples: Iterable[Sample], may_store: Callable[[], bool]) -> None:
        if may_store():
            await measurements.store(self._parts, source, self._columns.of(samples))


def _up(at: float, value: float) -> Sample:
    return Sample(int(at * 1000), Figure(EXPORTER_UP, (), GAUGE, "1", value))
