"""Sealing: the oldest batches of a source become parts of chunks, one for each group and window.

The parts are written in the transaction that says up to which batch they go, so that each sample is read from the one
or from the others, and never from both.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.metric_tables import metric_batches, metric_series, metric_sources
from storage.samples import chunks, tail
from storage.samples.chunks import Chunk
from storage.samples.columns import Batch
from storage.samples.grouping import in_order, spans_of
from storage.samples.policy import MINUTE_MS

# Sealed when the oldest sample has waited so long, or so many have come: whoever reads looks into all batches that are
# not sealed, and into every part.
WAITING_MS = 5 * MINUTE_MS
_SAMPLES = 100_000

# So many are sealed at a time, in batches of any size.
_AT_ONCE = 200_000
_BATCHES = 1000


class Due(NamedTuple):
    """A source that has something to be sealed, up to which batch it is, and up to which one it may be now."""

    source_id: int
    sealed: int
    up_to: int


class Sealed(NamedTuple):
    """What becomes of batches: parts of chunks, and the first and last times of each series."""

    parts: list[Chunk]
    spans: dict[int, tuple[int, int]]


async def due(connection: AsyncConnection, now_ms: int) -> Due | None:
    """A source whose batches are to be sealed; the one that has waited longest."""
    batches, sources = metric_batches.c, metric_sources.c
    oldest = func.min(batches.stored_ms)
    query = (
        select(sources.source_id, sources.sealed)
        .join(metric_batches, (batches.source_id == sources.source_id) & (batches.seq > sources.sealed))
        .group_by(sources.source_id, sources.sealed)
        .having((oldest <= now_ms - WAITING_MS) | (func.sum(batches.samples) >= _SAMPLES))
        .order_by(oldest)
        .limit(1)
    )
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    sizes = select(batches.seq, batches.samples).where(batches.source_id == row.source_id, batches.seq > row.sealed)
    samples, up_to = 0, row.sealed
    for seq, count in await connection.execute(sizes.order_by(batches.seq).limit(_BATCHES)):
        samples += count
        if samples > _AT_ONCE and up_to > row.sealed:
            break
        up_to = seq
    return Due(row.source_id, row.sealed, up_to)


async def batches_of(connection: AsyncConnection, due: Due) -> list[Batch]:
    """What is to be sealed."""
    columns = metric_batches.c
    query = select(metric_batches).where(columns.source_id == due.source_id)
    query = query.where(columns.seq > due.sealed, columns.seq <= due.up_to).order_by(columns.seq)
    return [tail.batch_of(row) for row in await connection.execute(query)]


def seal(batches: list[Batch]) -> Sealed:
    """The parts that these batches become. Computes; no input or output."""
    columns = in_order([tail.columns_of(batch) for batch in batches])
    part = batches[-1].seq
    parts = [chunks.of_samples(group, part, rows, is_open=True) for group, rows in chunks.split(columns)]
    return Sealed(parts, spans_of(columns))


async def widened(connection: AsyncConnection, spans: dict[int, tuple[int, int]]) -> list[dict[str, int]]:
    """The series of which samples are older or newer than those before, with their first and last times."""
    columns = metric_series.c
    wider = []
    ids = sorted(spans)
    for place in range(0, len(ids), _BATCHES):
        query = select(columns.id, columns.first_ms, columns.last_ms).where(
            columns.id.in_(ids[place : place + _BATCHES])
        )
        for series_id, first, last in await connection.execute(query):
            span = min(first, spans[series_id][0]), max(last, spans[series_id][1])
            if span != (first, last):
                wider.append({"series_id": series_id, "first_ms": span[0], "last_ms": span[1]})
    return wider


async def finish(connection: AsyncConnection, due: Due, parts: list[Chunk]) -> None:
    """The batches are in chunks from now on."""
    await chunks.replace(connection, (), parts)
    columns = metric_sources.c
    moved = update(metric_sources).where(columns.source_id == due.source_id, columns.sealed == due.sealed)
    result = await connection.execute(moved.values(sealed=due.up_to))
    if result.rowcount != 1:
        raise RuntimeError(f"somebody else seals source {due.source_id}")
