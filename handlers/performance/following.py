"""An answer that is watched: it is read on from where it was, by what the newest samples may have changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from analysis.timeseries.rows import longest_hold
from handlers.measured_sources import SERVER
from handlers.metric_tails import News
from handlers.parts import Parts
from handlers.performance.answers import Measurements
from handlers.performance.layers import selectors_of
from handlers.performance.measuring import Read, read_all, read_on, told
from handlers.performance.planning import Plan, plan_of
from handlers.performance.questions import GetMetrics
from handlers.performance.reading import Reader, StoredReader
from handlers.performance.remote_store import RemoteReader
from handlers.registry import Context
from handlers.source_access import no_source
from storage import data_sources

# What is kept of an answer that is watched: 4 MB. Larger ones are read anew, as seldom as that costs.
_MOST_KEPT = 500_000
# A source that was deleted is noticed after so long.
_LOOK = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was read, up to which batch of samples, and which series of the source are known to be in it or not."""

    read: Read
    seq: int
    known: NDArray[np.int64]


def reader_of(parts: Parts, now: datetime) -> Reader:
    """Where measurements are read from."""
    store = parts.outgoing.metrics_store
    return StoredReader(parts.samples) if store is None else RemoteReader(store, now)


class FollowedMetrics:
    """One question, and what is kept of its last answer."""

    def __init__(self, request: GetMetrics) -> None:
        self._request = request
        self._kept: _Kept | None = None
        self._looked_at: datetime | None = None

    async def answer(self, context: Context) -> Measurements:
        """What the same question would be answered now. Raises OperationError."""
        now = context.now()
        await self._look(context, now)
        reader = reader_of(context.parts, now)
        plan = plan_of(self._request, reader, now)
        read = await self._read(context.parts, reader, plan)
        return await told(reader, self._request, read, now)

    async def _look(self, context: Context, now: datetime) -> None:
        source_id = self._request.data_source_id
        if source_id == SERVER or (self._looked_at is not None and now < self._looked_at + _LOOK):
            return
        async with context.parts.database.read() as connection:
            if await data_sources.get(connection, source_id) is None:
                raise no_source(source_id)
        self._looked_at = now

    async def _read(self, parts: Parts, reader: Reader, plan: Plan) -> Read:
        kept, news = self._kept, None
        if kept is not None and _goes_on(kept.read.plan, plan):
            news = await parts.tails.news(parts.samples, parts.changes, self._request.data_source_id, kept.seq)
        if kept is None or news is None or await self._has_new_series(reader, kept, news):
            return await self._read_anew(parts, reader, plan)
        read = await read_on(reader, self._request, kept.read, plan, _changed(kept.read, news))
        self._kept = _Kept(read, news.seq, np.union1d(kept.known, news.series_ids))
        return read

    async def _read_anew(self, parts: Parts, reader: Reader, plan: Plan) -> Read:
        # First how far the source is: what comes while it is read is looked at once more.
        seq = await parts.tails.head(parts.samples, self._request.data_source_id)
        read = await read_all(reader, self._request, plan)
        size = sum(matrix.size for matrix in read.layers.values())
        ids = np.array([each.id for each in read.series], np.int64)
        self._kept = _Kept(read, seq, ids) if size <= _MOST_KEPT and plan.tier.number >= 0 else None
        return read

    async def _has_new_series(self, reader: Reader, kept: _Kept, news: News) -> bool:
        if np.isin(news.series_ids, kept.known).all():
            return False
        found = await reader.find(self._request.data_source_id, selectors_of(self._request))
        return [each.id for each in found] != [each.id for each in kept.read.series]


def _goes_on(before: Plan, after: Plan) -> bool:
    """Whether the later steps are of the same kind, and overlap."""
    old, new = before.grid, after.grid
    same = old.step_ms == new.step_ms and before.tier == after.tier and before.width == after.width
    return same and old.start_ms <= new.start_ms < old.end_ms <= new.end_ms


def _changed(read: Read, news: News) -> int | None:
    """The oldest time that the new samples may have changed something of, None where they did not."""
    mine = np.isin(news.series_ids, np.array([each.id for each in read.series], np.int64))
    if not mine.any():
        return None
    # A sample tells of the time since the one before, too.
    return int(news.first_ms[mine].min()) - longest_hold(read.plan.grid.step_ms)
