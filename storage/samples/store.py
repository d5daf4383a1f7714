"""Samples of what is measured over time: appended in batches, read by series and time, raw or rolled up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from storage.database import Database
from storage.samples import series as series_rows
from storage.samples import tail
from storage.samples.appending import Appender
from storage.samples.columns import COUNTER, Appended, Batch, SampleColumns, Samples, Series, Times, Values
from storage.samples.grouping import in_order, stretches
from storage.samples.policy import Policy, Tier
from storage.samples.rollup import MAX_PAIR_MS, Rollup, empty_rollup, roll_up
from storage.tables import to_microseconds

Columns = tuple[NDArray[np.int64], Times, Values]


class SampleStore:
    """All samples of all sources. `now` tells the time, as of which samples are too old or too far ahead."""

    def __init__(self, database: Database, now: Callable[[], datetime], policy: Policy | None = None) -> None:
        self._database = database
        self._now = now
        self.policy = policy or Policy()
        self._appender = Appender(database, now, self.policy)

    async def append(self, source_id: int, columns: SampleColumns) -> Appended:
        """Stores samples of a source; durable when it returns. Not taken are those of new series beyond the source's
        limit, and those older than raw samples are kept or too far ahead of the clock; the answer counts them.
        """
        return await self._appender.append(source_id, columns)

    async def series(self, source_id: int, metric: str | None = None) -> list[Series]:
        """The series of a source, of one metric if it is given, in the order in which they came."""
        async with self._database.read() as connection:
            return await series_rows.list_of(connection, source_id, metric)

    async def series_with_ids(self, ids: Collection[int]) -> list[Series]:
        """Those of these series that there are, by id: an id says whose samples a batch holds."""
        async with self._database.read() as connection:
            return await series_rows.with_ids(connection, ids)

    async def read(self, series: Sequence[Series], start_ms: int, end_ms: int) -> dict[int, Samples]:
        """The samples and markers from `start_ms` to below `end_ms`, by the ids of the series; all have an entry."""
        owner, at_ms, value = await self._raw(series, start_ms, end_ms)
        found = {key: Samples(at_ms[part], value[part]) for key, part in stretches(owner).items()}
        nothing = Samples(np.empty(0, np.int64), np.empty(0))
        return {one.id: found.get(one.id, nothing) for one in series}

    async def read_rollup(self, series: Sequence[Series], start_ms: int, end_ms: int, tier: Tier) -> dict[int, Rollup]:
        """The buckets of a tier that begin from `start_ms` to below `end_ms`, by the ids of the series; all have an
        entry. The last bucket is of what there is so far.
        """
        first = -(-start_ms // tier.step_ms) * tier.step_ms
        beyond = -(-end_ms // tier.step_ms) * tier.step_ms
        owner, at_ms, value = await self._raw(series, first - MAX_PAIR_MS, beyond)
        counters = np.array(sorted(one.id for one in series if one.key.kind == COUNTER), np.int64)
        owners, rollup = roll_up(owner, at_ms, value, np.isin(owner, counters), tier.step_ms)
        wanted = rollup.start_ms >= first
        owners, rollup = owners[wanted], rollup.rows(wanted)
        found = {key: rollup.rows(part) for key, part in stretches(owners).items()}
        return {one.id: found.get(one.id, empty_rollup()) for one in series}

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
            return await tail.heads(connection, source_ids)

    async def batches_after(self, source_id: int, seq: int, limit: int = 100) -> list[Batch]:
        """The batches with higher numbers than `seq`, the oldest first and none left out. Raises TrimmedTail when some
        of them are gone; what was in them can still be read.
        """
        async with self._database.read() as connection:
            return await tail.after(connection, source_id, seq, limit)

    async def _raw(self, series: Sequence[Series], start_ms: int, end_ms: int) -> Columns:
        """Samples by series and time."""
        ids = np.array(sorted(one.id for one in series), np.int64)
        columns: list[Columns] = []
        async with self._database.read() as connection:
            for source_id in sorted({one.source_id for one in series}):
                for batch in await tail.unsealed(connection, source_id, start_ms, end_ms):
                    chosen = np.isin(batch.series_ids, ids) & (batch.at_ms >= start_ms) & (batch.at_ms < end_ms)
                    columns.append((batch.series_ids[chosen], batch.at_ms[chosen], batch.value[chosen]))
        if not columns:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        owner, at_ms, value = (np.concatenate(column) for column in zip(*columns, strict=True))
        return in_order(owner, at_ms, value)
