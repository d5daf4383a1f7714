"""How a data source grows, and in how many days it is full."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from analysis.monitoring.growth import Growth as Found
from analysis.monitoring.growth import growth
from handlers.performance.collection_settings import Capacity, settings_of
from handlers.performance.collection_shapes import DataSourceId
from handlers.registry import Context, Forbidden, Operation, Permission
from handlers.source_access import require_source
from storage import metric_collections
from storage.samples.columns import Series, Times, Values

# What says how large something is, of every kind of source.
METRICS = ("postgresql.database.size", "mysql.database.size", "sqlite.database.size", "files.size")
DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
# The largest databases of a server; those that are small do not fill it.
_MOST = 20


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """How one database or format grows, in bytes, as far as the past tells.

    `status`: `growing`; `uncertain`, the interval of the pace holds 0; `not_growing`; `full`; `too_few` sizes yet.
    `days` until the capacity is reached lies between `earliest_days` and `latest_days`; null: not in sight, or no
    capacity is set. `level` is how often such intervals hold.
    """

    metric: str
    labels: dict[str, str]
    status: str
    history_days: float
    bytes: float | None
    bytes_per_day: float | None
    bytes_per_day_low: float | None
    bytes_per_day_high: float | None
    days: float | None
    earliest_days: float | None
    latest_days: float | None
    level: float


class GrowthAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`whole` is all of it together, against the capacity; `items` are its parts, the largest first, without one."""

    data_source_id: int
    capacity_bytes: int | None
    whole: Growth | None
    items: list[Growth]


class GetGrowth(msgspec.Struct, frozen=True, kw_only=True):
    """`capacity_bytes` instead of that of the collection's settings; `days` of the past are looked at."""

    data_source_id: DataSourceId
    capacity_bytes: Capacity | None = None
    days: Annotated[int, Meta(ge=1, le=730)] = 90


async def get_growth(context: Context, request: GetGrowth) -> GrowthAnswer:
    source = await require_source(context, request.data_source_id, Permission.READ)
    samples = context.parts.samples
    series = [one for metric in METRICS for one in await samples.series(source.id, metric)]
    async with context.parts.database.read() as connection:
        collection = await metric_collections.get(connection, source.id)
    capacity = request.capacity_bytes
    if capacity is None and collection is not None:
        capacity = settings_of(collection).capacity_bytes
    now_ms = int(context.now().timestamp() * 1000)
    start_ms = now_ms - request.days * DAY_MS
    tier = samples.best_tier(_HOUR_MS, start_ms)
    rolled = await samples.read_rollup(series, start_ms, now_ms + 1, tier)
    sizes = [(one, rolled[one.id].start_ms, rolled[one.id].max) for one in series if len(rolled[one.id].start_ms)]
    return await asyncio.to_thread(_answer, source.id, capacity, sizes)


Sizes = list[tuple[Series, Times, Values]]


def _answer(source_id: int, capacity: int | None, sizes: Sizes) -> GrowthAnswer:
    items = [_shown(one.key.metric, dict(one.key.labels), growth(at, size, None)) for one, at, size in sizes]
    items.sort(key=lambda item: -(item.bytes or 0.0))
    whole = None
    if sizes:
        at, total = _summed(sizes)
        whole = _shown(sizes[0][0].key.metric, {}, growth(at, total, None if capacity is None else float(capacity)))
    return GrowthAnswer(data_source_id=source_id, capacity_bytes=capacity, whole=whole, items=items[:_MOST])


def _summed(sizes: Sizes) -> tuple[Times, Values]:
    """All together at every time that one has: each part is as large as it was last seen, from when it was first."""
    times = np.unique(np.concatenate([at for _, at, _ in sizes]))
    total = np.zeros(len(times))
    for _, at, size in sizes:
        known = np.isfinite(size)
        place = np.searchsorted(at[known], times, side="right") - 1
        total += np.where(place >= 0, size[known][np.maximum(place, 0)], 0.0) if known.any() else 0.0
    return times, total


def _shown(metric: str, labels: dict[str, str], found: Found) -> Growth:
    return Growth(
        metric=metric,
        labels=labels,
        status=found.status,
        history_days=found.history_days,
        bytes=found.size,
        bytes_per_day=found.per_day,
        bytes_per_day_low=found.per_day_low,
        bytes_per_day_high=found.per_day_high,
        days=found.days,
        earliest_days=found.earliest,
        latest_days=found.latest,
        level=found.level,
    )


OPERATIONS = (
    Operation(
        "metrics.growth",
        GetGrowth,
        GrowthAnswer,
        get_growth,
        "GET /performance/growth/{data_source_id}",
        Permission.SIGNED_IN,
        "Tell how a data source grows, and in how many days it is full.",
        errors=(Forbidden,),
        stops_with_caller=True,
    ),
)
