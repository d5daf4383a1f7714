"""The series of a source: which id stands for which, and new ones.

An id holds the source and the series' number in it, 0, 1, 2, … in the order in which they came; so the series of a
source lie side by side, and those with neighbouring numbers, which are often measured together, are stored together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, Select, func, select, update
from sqlalchemy import insert as plain_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.metric_tables import metric_series
from storage.samples.columns import Series, SeriesKey

# JavaScript knows whole numbers up to 2^53.
NUMBER_BITS = 24

# PostgreSQL takes up to 32,767 parameters.
_ROWS = 2000


def id_of(source_id: int, number: int) -> int:
    """The id of a series."""
    return (source_id << NUMBER_BITS) + number


def digest(key: SeriesKey) -> bytes:
    """The same for the same metric and labels, whatever the kind and the unit."""
    return hashlib.blake2b(msgspec.json.encode((key.metric, key.labels)), digest_size=16).digest()


async def find(connection: AsyncConnection, source_id: int, keys: Sequence[SeriesKey]) -> dict[SeriesKey, int]:
    """The ids of those that there are; one that is of another kind or unit than it was is so from now on."""
    by_digest: dict[bytes, list[SeriesKey]] = {}
    for key in keys:
        by_digest.setdefault(digest(key), []).append(key)
    found: dict[SeriesKey, int] = {}
    columns = metric_series.c
    for some in _portions(list(by_digest)):
        query = select(columns.id, columns.digest, columns.kind, columns.unit)
        query = query.where(columns.source_id == source_id, columns.digest.in_(some))
        for row in (await connection.execute(query)).all():
            same = by_digest[row.digest]
            found.update(dict.fromkeys(same, row.id))
            if (row.kind, row.unit) != (same[-1].kind, same[-1].unit):
                values = {"kind": same[-1].kind, "unit": same[-1].unit}
                await connection.execute(update(metric_series).where(columns.id == row.id).values(values))
    return found


async def add(
    connection: AsyncConnection, source_id: int, first_number: int, spans: dict[SeriesKey, tuple[int, int]]
) -> dict[SeriesKey, int]:
    """New series with these first and last times, numbered from `first_number` on. The source must be locked."""
    rows: dict[bytes, dict[str, Any]] = {}
    ids: dict[SeriesKey, int] = {}
    for key, (first, last) in spans.items():
        row = _row_of(source_id, first_number + len(rows), key, first, last)
        ids[key] = rows.setdefault(row["digest"], row)["id"]
    for some in _portions(list(rows.values())):
        await connection.execute(plain_insert(metric_series), some)
    return ids


def _row_of(source_id: int, number: int, key: SeriesKey, first_ms: int, last_ms: int) -> dict[str, Any]:
    return {
        "id": id_of(source_id, number),
        "source_id": source_id,
        "metric": key.metric,
        "labels": msgspec.json.encode(dict(key.labels)).decode(),
        "digest": digest(key),
        "kind": key.kind,
        "unit": key.unit,
        "first_ms": first_ms,
        "last_ms": last_ms,
    }


async def count_active(connection: AsyncConnection, source_id: int, since_ms: int) -> int:
    """How many series of the source had samples since then."""
    query = select(func.count()).where(metric_series.c.source_id == source_id, metric_series.c.last_ms >= since_ms)
    return await connection.scalar(query) or 0


async def list_of(connection: AsyncConnection, source_id: int, metric: str | None) -> list[Series]:
    """The series of a source, of one metric if it is given, in the order in which they came."""
    query = _series().where(metric_series.c.source_id == source_id)
    if metric is not None:
        query = query.where(metric_series.c.metric == metric)
    return [series_of(row) for row in await connection.execute(query)]


async def with_ids(connection: AsyncConnection, ids: Collection[int]) -> list[Series]:
    """Those of these series that there are."""
    rows: list[Series] = []
    for some in _portions(list(ids)):
        rows += [series_of(row) for row in await connection.execute(_series().where(metric_series.c.id.in_(some)))]
    return rows


def _series() -> Select[Any]:
    return select(metric_series).order_by(metric_series.c.id)


def series_of(row: Row[Any]) -> Series:
    """A row of metric_series."""
    labels = tuple(sorted(msgspec.json.decode(row.labels, type=dict[str, str]).items()))
    return Series(row.id, row.source_id, SeriesKey(row.metric, labels, row.kind, row.unit), row.first_ms, row.last_ms)


def _portions(items: list[Any]) -> Iterable[list[Any]]:
    return (items[start : start + _ROWS] for start in range(0, len(items), _ROWS))
