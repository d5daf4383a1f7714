"""The batches of sources: the newest samples, as they came."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import TrimmedTail
from storage.metric_tables import metric_batches, metric_sources
from storage.samples import batch_body, series
from storage.samples.columns import Batch


async def heads(connection: AsyncConnection, source_ids: Collection[int] | None) -> dict[int, int]:
    """The number of the newest batch of each source that has any."""
    query = select(metric_sources.c.source_id, metric_sources.c.head).where(metric_sources.c.head > 0)
    if source_ids is not None:
        query = query.where(metric_sources.c.source_id.in_(source_ids))
    return {row.source_id: row.head for row in await connection.execute(query)}


async def after(connection: AsyncConnection, source_id: int, seq: int, limit: int) -> list[Batch]:
    """See SampleStore.batches_after."""
    columns = metric_batches.c
    query = select(metric_batches).where(columns.source_id == source_id, columns.seq > seq)
    rows = (await connection.execute(query.order_by(columns.seq).limit(limit))).all()
    if rows and rows[0].seq != seq + 1:
        raise TrimmedTail(f"the batches of source {source_id} from {seq + 1} to {rows[0].seq - 1} are in chunks only")
    if not rows and (head := (await heads(connection, [source_id])).get(source_id, 0)) > seq:
        raise TrimmedTail(f"the batches of source {source_id} from {seq + 1} to {head} are in chunks only")
    return [batch_of(row) for row in rows]


async def unsealed(connection: AsyncConnection, source_id: int, start_ms: int, end_ms: int) -> list[Batch]:
    """The batches that are not in chunks yet and have samples from `start_ms` to below `end_ms`, the oldest first."""
    columns = metric_batches.c
    sealed = select(metric_sources.c.sealed).where(metric_sources.c.source_id == source_id).scalar_subquery()
    query = select(metric_batches).where(columns.source_id == source_id, columns.seq > sealed)
    query = query.where(columns.last_ms >= start_ms, columns.first_ms < end_ms).order_by(columns.seq)
    return [batch_of(row) for row in await connection.execute(query)]


def batch_of(row: Row[Any]) -> Batch:
    """A row of metric_batches."""
    numbers, at_ms, value = batch_body.decode(row.body)
    return Batch(row.seq, numbers + series.id_of(row.source_id, 0), at_ms, value)
