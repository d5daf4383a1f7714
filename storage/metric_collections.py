"""How sources are collected from, and how the visits to them go.

The source 0 is the server itself, which has no row of data_sources.
"""

from __future__ import annotations

import json
from collections.abc import Collection as AnyOf
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.governance_tables import data_sources
from storage.metric_tables import metric_collections, metric_visits
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class Collection:
    """A row of metric_collections. `settings` is a JSON object, `credentials` are sealed (`key_id`)."""

    source_id: int
    enabled: bool
    settings: dict[str, Any]
    credentials: bytes | None
    key_id: str | None
    updated_by: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Visits:
    """A row of metric_visits. `remembered` is JSON; `failures` are those since the last success."""

    source_id: int
    visited_at: datetime
    succeeded_at: datetime | None = None
    seconds: float = 0.0
    failures: int = 0
    error: str | None = None
    remembered: str = "{}"


@dataclass(frozen=True, slots=True)
class Collected:
    """A source that is to be collected from. `source_updated_at` tells that its address may be another."""

    collection: Collection
    workspace_id: str
    kind: str
    source_updated_at: datetime

    @property
    def source_id(self) -> int:
        return self.collection.source_id


def _collection(row: Any) -> Collection:
    values = {column.name: row._mapping[column] for column in metric_collections.c}
    return Collection(**{**values, "settings": json.loads(values["settings"])})


async def get(connection: AsyncConnection, source_id: int) -> Collection | None:
    """The collection of a source, None if nobody has ever set one."""
    query = select(metric_collections).where(metric_collections.c.source_id == source_id)
    row = (await connection.execute(query)).first()
    return _collection(row) if row else None


async def get_many(connection: AsyncConnection, source_ids: AnyOf[int]) -> dict[int, Collection]:
    """Those that have one."""
    query = select(metric_collections).where(metric_collections.c.source_id.in_(source_ids))
    return {row.source_id: _collection(row) for row in await connection.execute(query)}


async def put(connection: AsyncConnection, collection: Collection) -> None:
    """Makes or replaces it."""
    values = {**asdict(collection), "settings": json.dumps(collection.settings)}
    made = insert(connection, metric_collections).values(values)
    changes = {name: value for name, value in values.items() if name != "source_id"}
    await connection.execute(made.on_conflict_do_update(index_elements=["source_id"], set_=changes))


async def enabled(connection: AsyncConnection) -> list[Collected]:
    """All data sources that are to be collected from, by their id; not the server itself."""
    extra = (data_sources.c.workspace_id, data_sources.c.kind, data_sources.c.updated_at.label("source_updated_at"))
    query = (
        select(*metric_collections.c, *extra)
        .join(data_sources, data_sources.c.id == metric_collections.c.source_id)
        .where(metric_collections.c.enabled, data_sources.c.deleted_at.is_(None))
        .order_by(metric_collections.c.source_id)
    )
    return [
        Collected(_collection(row), row.workspace_id, row.kind, row.source_updated_at)
        for row in await connection.execute(query)
    ]


async def visits(connection: AsyncConnection, source_ids: AnyOf[int]) -> dict[int, Visits]:
    """Those of sources that were visited."""
    query = select(metric_visits).where(metric_visits.c.source_id.in_(source_ids))
    return {row.source_id: Visits(**row._mapping) for row in await connection.execute(query)}


async def note_visits(connection: AsyncConnection, many: Sequence[Visits]) -> None:
    """How the last visits went, one a source."""
    for each in many:
        values = asdict(each)
        changes = {name: value for name, value in values.items() if name != "source_id"}
        made = insert(connection, metric_visits).values(values)
        await connection.execute(made.on_conflict_do_update(index_elements=["source_id"], set_=changes))
