"""What is no longer kept: batches that are in chunks, chunks beyond their tier's age, series that nothing is left of.

Each is deleted a few rows at a time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.metric_tables import metric_batches, metric_chunks, metric_series, metric_sources
from storage.samples.chunks import STORED_MS, WINDOW_MS
from storage.samples.policy import MINUTE_MS, Policy

# Who follows the tail and is away for longer reads anew.
FOLLOWED_MS = 10 * MINUTE_MS

_BATCHES = 200
_CHUNKS = 50
_SERIES = 500

_BATCH_KEY = (metric_batches.c.source_id, metric_batches.c.seq)
_CHUNK_KEY = (metric_chunks.c.group_id, metric_chunks.c.tier, metric_chunks.c.start_ms, metric_chunks.c.part)

Keys = list[tuple[Any, ...]]


class Expired(NamedTuple):
    """The keys of batches and chunks that go, and the ids of series of one source."""

    batches: Keys
    chunks: Keys
    source_id: int
    series: list[int]

    def __bool__(self) -> bool:
        return bool(self.batches or self.chunks or self.series)


async def find(connection: AsyncConnection, policy: Policy, now_ms: int) -> Expired:
    """Some of what is too old."""
    batches = await _old_batches(connection, now_ms - FOLLOWED_MS)
    old_chunks = await _old_chunks(connection, policy, now_ms)
    return Expired(batches, old_chunks, *await _old_series(connection, _forgotten_ms(policy, now_ms)))


async def remove(connection: AsyncConnection, expired: Expired, policy: Policy, now_ms: int) -> None:
    """Deletes it. Nodes that remember the ids of such series see that some were forgotten."""
    if expired.batches:
        await connection.execute(delete(metric_batches).where(tuple_(*_BATCH_KEY).in_(expired.batches)))
    if expired.chunks:
        await connection.execute(delete(metric_chunks).where(tuple_(*_CHUNK_KEY).in_(expired.chunks)))
    if expired.series:
        # This locks the source, so that nobody appends to them meanwhile.
        sources = metric_sources.c
        forgotten = update(metric_sources).where(sources.source_id == expired.source_id)
        await connection.execute(forgotten.values(forgotten=sources.forgotten + 1))
        columns = metric_series.c
        is_old = columns.last_ms < _forgotten_ms(policy, now_ms)
        await connection.execute(delete(metric_series).where(columns.id.in_(expired.series), is_old))


def _forgotten_ms(policy: Policy, now_ms: int) -> int:
    return now_ms - policy.tiers[-1].age_ms - STORED_MS[-1] - WINDOW_MS


async def _old_batches(connection: AsyncConnection, before_ms: int) -> Keys:
    """Of one source. Batches are as old as their numbers say, so it is enough to look at the oldest ones."""
    columns, sources = metric_batches.c, metric_sources.c
    sealed = (columns.source_id == sources.source_id) & (columns.seq <= sources.sealed)
    oldest = select(columns.stored_ms).where(sealed).order_by(columns.seq).limit(1).scalar_subquery()
    query = select(sources.source_id, sources.sealed).where(oldest < before_ms).limit(1)
    source = (await connection.execute(query)).first()
    if source is None:
        return []
    is_old = (columns.source_id == source.source_id) & (columns.seq <= source.sealed) & (columns.stored_ms < before_ms)
    rows = await connection.execute(select(*_BATCH_KEY).where(is_old).order_by(columns.seq).limit(_BATCHES))
    return [tuple(row) for row in rows]


async def _old_chunks(connection: AsyncConnection, policy: Policy, now_ms: int) -> Keys:
    columns = metric_chunks.c
    for tier in policy.tiers:
        # A window longer, since the first increase of the window after needs the last sample of this one.
        before_ms = now_ms - tier.age_ms - STORED_MS[tier.number] - WINDOW_MS
        query = select(*_CHUNK_KEY).where(columns.tier == tier.number, columns.start_ms < before_ms, ~columns.is_open)
        keys = [tuple(row) for row in await connection.execute(query.limit(_CHUNKS))]
        if keys:
            return keys
    return []


async def _old_series(connection: AsyncConnection, before_ms: int) -> tuple[int, list[int]]:
    """Of one source, which comes first."""
    columns = metric_series.c
    query = select(columns.source_id, columns.id).where(columns.last_ms < before_ms).order_by(columns.id)
    rows = (await connection.execute(query.limit(_SERIES))).all()
    source_id = rows[0].source_id if rows else 0
    return source_id, [row.id for row in rows if row.source_id == source_id]
