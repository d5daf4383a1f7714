"""Chunks as rows: a window of a group of series, in parts.

Where parts of a window speak of the same series and time, the one with the highest number counts. Open parts are of
windows that may still be written to: they are merged and rolled up once the window is closed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import delete, select, tuple_
from sqlalchemy import insert as plain_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.metric_tables import metric_chunks
from storage.samples import chunk_body
from storage.samples.columns import Times
from storage.samples.grouping import Columns, Owners
from storage.samples.policy import DAY_MS, HOUR_MS
from storage.samples.rollup import Rollup

# Sixteen series share what is written once a chunk, and whoever wants one of them reads the others in a millisecond.
GROUP_BITS = 4

# What is closed at a time: a whole number of buckets of every tier.
WINDOW_MS = 6 * HOUR_MS

# How long the windows of each tier are: some thousand rows a chunk.
STORED_MS = (WINDOW_MS, DAY_MS, 16 * DAY_MS, 256 * DAY_MS)

_MEMBER = (1 << GROUP_BITS) - 1
_PORTION = 1000


class Chunk(NamedTuple):
    """A row of metric_chunks, in the order of its columns."""

    group_id: int
    tier: int
    start_ms: int
    part: int
    first_ms: int
    last_ms: int
    points: int
    is_open: bool
    body: bytes


def groups_of(series_ids: Iterable[int]) -> list[int]:
    """The groups that these series are in."""
    return sorted({one >> GROUP_BITS for one in series_ids})


def window_of(at_ms: int, tier: int = 0) -> int:
    """The start of the window of a time."""
    return at_ms // STORED_MS[tier] * STORED_MS[tier]


def of_samples(group_id: int, part: int, columns: Columns, *, is_open: bool) -> Chunk:
    """A chunk of samples of one group and window, which are in order."""
    owner, at_ms, value = columns
    level = chunk_body.QUICK if is_open else chunk_body.LASTING
    body = chunk_body.encode_samples(owner & _MEMBER, at_ms, value, level)
    return _chunk(group_id, 0, part, at_ms, is_open=is_open, body=body)


def of_rollup(group_id: int, tier: int, part: int, owner: Owners, rollup: Rollup) -> Chunk:
    """A chunk of buckets of one group and window, which are in order."""
    body = chunk_body.encode_rollup(owner & _MEMBER, rollup, chunk_body.LASTING)
    return _chunk(group_id, tier, part, rollup.start_ms, is_open=False, body=body)


def samples_in(chunk: Chunk) -> Columns:
    """The samples of a chunk, in order."""
    member, at_ms, value = chunk_body.decode_samples(chunk.body)
    return member + (chunk.group_id << GROUP_BITS), at_ms, value


def rollup_in(chunk: Chunk) -> tuple[Owners, Rollup]:
    """The owners of a chunk's buckets, and these, in order."""
    member, rollup = chunk_body.decode_rollup(chunk.body)
    return member + (chunk.group_id << GROUP_BITS), rollup


def _chunk(group_id: int, tier: int, part: int, at_ms: Times, *, is_open: bool, body: bytes) -> Chunk:
    first, last = int(at_ms.min()), int(at_ms.max())
    return Chunk(group_id, tier, window_of(first, tier), part, first, last, len(at_ms), is_open, body)


async def fetch(
    connection: AsyncConnection, groups: Sequence[int], tier: int, start_ms: int, end_ms: int
) -> list[Chunk]:
    """What there is of these groups from `start_ms` to below `end_ms`, by group, window and part."""
    columns = metric_chunks.c
    found: list[Chunk] = []
    for place in range(0, len(groups), _PORTION):
        query = select(metric_chunks).where(columns.group_id.in_(groups[place : place + _PORTION]))
        query = query.where(columns.tier == tier, columns.start_ms > start_ms - STORED_MS[tier])
        query = query.where(columns.start_ms < end_ms, columns.first_ms < end_ms, columns.last_ms >= start_ms)
        query = query.order_by(columns.group_id, columns.start_ms, columns.part)
        found += [Chunk(*row) for row in await connection.execute(query)]
    return found


async def fetch_windows(
    connection: AsyncConnection, groups: Sequence[int], tier: int, starts_ms: Sequence[int]
) -> list[Chunk]:
    """All parts of these groups' windows that begin at these times, by group, window and part."""
    columns = metric_chunks.c
    found: list[Chunk] = []
    for place in range(0, len(groups), _PORTION):
        query = select(metric_chunks).where(columns.group_id.in_(groups[place : place + _PORTION]))
        query = query.where(columns.tier == tier, columns.start_ms.in_(starts_ms))
        query = query.order_by(columns.group_id, columns.start_ms, columns.part)
        found += [Chunk(*row) for row in await connection.execute(query)]
    return found


async def open_windows(
    connection: AsyncConnection, groups: Sequence[int], start_ms: int, end_ms: int
) -> set[tuple[int, int]]:
    """The groups and starts of windows that have open parts and begin from `start_ms` to below `end_ms`."""
    columns = metric_chunks.c
    query = select(columns.group_id, columns.start_ms).distinct().where(columns.is_open)
    query = query.where(columns.start_ms >= start_ms, columns.start_ms < end_ms)
    query = query.where(columns.group_id >= groups[0], columns.group_id <= groups[-1])
    return {(row.group_id, row.start_ms) for row in await connection.execute(query)}


async def replace(connection: AsyncConnection, old: Collection[Chunk], new: Collection[Chunk]) -> None:
    """Rows in the place of others."""
    columns = metric_chunks.c
    key = tuple_(columns.group_id, columns.tier, columns.start_ms, columns.part)
    if old:
        await connection.execute(delete(metric_chunks).where(key.in_([chunk[:4] for chunk in old])))
    if new:
        rows: list[dict[str, Any]] = [chunk._asdict() for chunk in new]
        await connection.execute(plain_insert(metric_chunks), rows)


def split(columns: Columns) -> Iterable[tuple[int, Columns]]:
    """Samples in order, by group and window: the group, and its samples in order."""
    owner, at_ms, value = columns
    group, window = owner >> GROUP_BITS, at_ms // WINDOW_MS
    order = np.lexsort((window, group))
    group, window = group[order], window[order]
    begins = np.flatnonzero(np.r_[True, (np.diff(group) != 0) | (np.diff(window) != 0)])
    for begin, end in zip(begins, np.r_[begins[1:], len(order)], strict=True):
        rows = order[begin:end]
        yield int(group[begin]), (owner[rows], at_ms[rows], value[rows])
