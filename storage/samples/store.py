"""Samples of what is measured over time: appended in batches, read by series and time, raw or rolled up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar, TypeVarTuple, Unpack

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.samples import reading
from storage.samples import series as series_rows
from storage.samples.appending import Appender
from storage.samples.columns import Appended, Batch, SampleColumns, Samples, Series
from storage.samples.grouping import in_order, spans_of, stretches
from storage.samples.maintenance import Maintenance
from storage.samples.policy import Policy, Tier
from storage.samples.reading import LARGE, Found, Wanted
from storage.samples.rollup import Rollup, empty_rollup
from storage.samples.tail import Tail, columns_of, heads
from storage.tables import to_microseconds

R = TypeVar("R")
Arguments = TypeVarTuple("Arguments")


class SampleStore:
    """All samples of all sources. `now` tells the time, as of which samples are too old or too far ahead."""

    def __init__(self, database: Database, now: Callable[[], datetime], policy: Policy | None = None) -> None:
        self._database = database
        self._now = now
        self.policy = policy or Policy()
        self._tail = Tail()
        self._appender = Appender(database, now, self.policy, self._tail)

    async def append(self, source_id: int, columns: SampleColumns) -> Appended:
        """Stores samples of a source; durable when it returns. Not taken are those of new series beyond the source's
        limit, and those older than raw samples are kept or too far ahead of the clock; the answer counts them.
        """
        return await self._appender.append(source_id, columns)

    async def series(self, source_id: int, metric: str | None = None) -> list[Series]:
        """The series of a source, of one metric if it is given, in the order in which they came."""
        async with self._database.read() as connection:
            return await self._to_now(connection, await series_rows.list_of(connection, source_id, metric))

    async def series_with_ids(self, ids: Collection[int]) -> list[Series]:
        """Those of these series that there are, by id: an id says whose samples a batch holds."""
        async with self._database.read() as connection:
            return await self._to_now(connection, await series_rows.with_ids(connection, ids))

    async def read(self, series: Sequence[Series], start_ms: int, end_ms: int) -> dict[int, Samples]:
        """The samples and markers from `start_ms` to below `end_ms`, by the ids of the series; all have an entry."""
        wanted = Wanted(series, start_ms, end_ms)
        async with self._database.read() as connection:
            found = await reading.find_samples(connection, self._tail, wanted)
        owner, at_ms, value = await _computed(found, reading.samples_of, found, wanted)
        parts = {key: Samples(at_ms[rows], value[rows]) for key, rows in stretches(owner).items()}
        nothing = Samples(np.empty(0, np.int64), np.empty(0))
        return {one.id: parts.get(one.id, nothing) for one in series}

    async def read_rollup(self, series: Sequence[Series], start_ms: int, end_ms: int, tier: Tier) -> dict[int, Rollup]:
        """The buckets of a tier that begin from `start_ms` to below `end_ms`, by the ids of the series; all have an
        entry. The last bucket is of what there is so far.
        """
        step = tier.step_ms
        wanted = Wanted(series, -(-start_ms // step) * step, -(-end_ms // step) * step)
        async with self._database.read() as connection:
            found = await reading.find_rollup(connection, self._tail, wanted, tier)
        owner, rollup = await _computed(found, reading.rollup_of, found, wanted, tier)
        parts = {key: rollup.rows(rows) for key, rows in stretches(owner).items()}
        nothing = empty_rollup()
        return {one.id: parts.get(one.id, nothing) for one in series}

    def tiers(self) -> tuple[Tier, ...]:
        """How finely samples are kept for how long: tier 0 is the samples themselves."""
        return self.policy.tiers

    def best_tier(self, step_ms: int, start_ms: int) -> Tier:
        """The coarsest tier whose buckets make up steps of `step_ms`; a coarser one if that does not reach back to
        `start_ms`, the last one if none does.
        """
        now_ms = to_microseconds(self._now()) // 1000
        tiers = self.policy.tiers
        fine = [tier for tier in tiers if tier.number == 0 or step_ms % tier.step_ms == 0]
        reaching = [tier for tier in tiers[fine[-1].number :] if start_ms >= now_ms - tier.age_ms]
        return reaching[0] if reaching else tiers[-1]

    async def heads(self, source_ids: Collection[int] | None = None) -> dict[int, int]:
        """The number of the newest batch of each source that has any."""
        async with self._database.read() as connection:
            return await heads(connection, source_ids)

    async def batches_after(self, source_id: int, seq: int, limit: int = 100) -> list[Batch]:
        """The batches with higher numbers than `seq`, the oldest first and none left out. Raises TrimmedTail when some
        of them are gone; what was in them can still be read.
        """
        async with self._database.read() as connection:
            return await self._tail.after(connection, source_id, seq, limit)

    def maintenance(self, holder: str, rest: float = 0.0) -> Maintenance:
        """What seals samples, rolls them up and forgets them, if the node `holder` does it.

        After each step it rests, `rest` times as long as the step took.
        """
        return Maintenance(self._database, self._now, self.policy, holder, rest)

    async def _to_now(self, connection: AsyncConnection, found: list[Series]) -> list[Series]:
        """The series with the times of samples that are not sealed yet."""
        spans: dict[int, tuple[int, int]] = {}
        for source_id in sorted({one.source_id for one in found}):
            spans |= spans_of(in_order([columns_of(one) for one in await self._tail.unsealed(connection, source_id)]))
        return [_widened(one, *spans.get(one.id, (one.first_ms, one.last_ms))) for one in found]


async def _computed(found: Found, function: Callable[[Unpack[Arguments]], R], *arguments: *Arguments) -> R:
    """What the function makes of what was found; beside the event loop if that takes longer."""
    if found.points <= LARGE:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)


def _widened(series: Series, first_ms: int, last_ms: int) -> Series:
    if series.first_ms <= first_ms and last_ms <= series.last_ms:
        return series
    return replace(series, first_ms=min(series.first_ms, first_ms), last_ms=max(series.last_ms, last_ms))
