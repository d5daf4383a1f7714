"""The batches of sources: the newest samples, as they came. They never change, so a node keeps what it has decoded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import TrimmedTail
from storage.metric_tables import metric_batches, metric_sources
from storage.samples import batch_body, series
from storage.samples.columns import Batch
from storage.samples.grouping import Columns

# Of all sources together; a sample takes 24 bytes.
_KEPT_SAMPLES = 500_000
_PORTION = 1000
# Before and after every time.
_FIRST, _LAST = -(2**62), 2**62


class Tail:
    """Batches by their numbers."""

    def __init__(self) -> None:
        self._batches: OrderedDict[tuple[int, int], Batch] = OrderedDict()
        self._samples = 0

    def keep(self, source_id: int, batch: Batch) -> None:
        """Remembers a batch that is stored."""
        if (source_id, batch.seq) in self._batches:
            return
        self._batches[source_id, batch.seq] = batch
        self._samples += len(batch.at_ms)
        while self._samples > _KEPT_SAMPLES:
            _, oldest = self._batches.popitem(last=False)
            self._samples -= len(oldest.at_ms)

    async def after(self, connection: AsyncConnection, source_id: int, seq: int, limit: int) -> list[Batch]:
        """See SampleStore.batches_after."""
        columns = metric_batches.c
        query = select(columns.seq).where(columns.source_id == source_id, columns.seq > seq)
        numbers = list(await connection.scalars(query.order_by(columns.seq).limit(limit)))
        first = numbers[0] if numbers else (await heads(connection, [source_id])).get(source_id, 0) + 1
        if first > seq + 1:
            raise TrimmedTail(f"the batches {seq + 1} to {first - 1} of source {source_id} are in chunks only")
        return await self._read(connection, source_id, numbers)

    async def unsealed(
        self, connection: AsyncConnection, source_id: int, start_ms: int = _FIRST, end_ms: int = _LAST
    ) -> list[Batch]:
        """The batches that are in no chunk yet and have samples from `start_ms` to below `end_ms`, the oldest first."""
        columns = metric_batches.c
        sealed = select(metric_sources.c.sealed).where(metric_sources.c.source_id == source_id).scalar_subquery()
        query = select(columns.seq).where(columns.source_id == source_id, columns.seq > sealed)
        query = query.where(columns.last_ms >= start_ms, columns.first_ms < end_ms).order_by(columns.seq)
        return await self._read(connection, source_id, list(await connection.scalars(query)))

    async def _read(self, connection: AsyncConnection, source_id: int, numbers: Sequence[int]) -> list[Batch]:
        known = {seq: self._batches[source_id, seq] for seq in numbers if (source_id, seq) in self._batches}
        missing = [seq for seq in numbers if seq not in known]
        columns = metric_batches.c
        for place in range(0, len(missing), _PORTION):
            some = columns.seq.in_(missing[place : place + _PORTION])
            query = select(metric_batches).where(columns.source_id == source_id, some)
            for row in await connection.execute(query):
                known[row.seq] = batch = batch_of(row)
                self.keep(source_id, batch)
        return [known[seq] for seq in numbers]


async def heads(connection: AsyncConnection, source_ids: Collection[int] | None) -> dict[int, int]:
    """The number of the newest batch of each source that has any."""
    query = select(metric_sources.c.source_id, metric_sources.c.head).where(metric_sources.c.head > 0)
    if source_ids is not None:
        query = query.where(metric_sources.c.source_id.in_(source_ids))
    return {row.source_id: row.head for row in await connection.execute(query)}


def batch_of(row: Row[Any]) -> Batch:
    """A row of metric_batches."""
    numbers, at_ms, value = batch_body.decode(row.body)
    return Batch(row.seq, numbers + series.id_of(row.source_id, 0), at_ms, value)


def columns_of(batch: Batch) -> Columns:
    """The samples of a batch."""
    return batch.series_ids, batch.at_ms, batch.value
