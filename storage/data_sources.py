"""Data sources: the databases and files that are governed, each of one workspace.

Deleting hides a source with all that is known of it; its name is free again. Credentials are here only sealed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import AlreadyExists
from storage.governance_tables import data_sources
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class DataSource:
    """A row of data_sources. `settings` and `last_test` are JSON objects, `credentials` are sealed (`key_id`)."""

    id: int
    workspace_id: str
    name: str
    kind: str
    description: str | None
    settings: dict[str, Any]
    credentials: bytes | None
    key_id: str | None
    owner: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    tested_at: datetime | None
    last_test: dict[str, Any] | None


def _source(row: Any) -> DataSource:
    values = dict(row._mapping)
    tested = values["last_test"]
    values["settings"] = json.loads(values["settings"])
    values["last_test"] = json.loads(tested) if tested is not None else None
    return DataSource(**values)


async def create(
    connection: AsyncConnection,
    *,
    workspace_id: str,
    name: str,
    kind: str,
    description: str | None,
    settings: Mapping[str, Any],
    owner: str,
    at: datetime,
) -> DataSource:
    """A new source without credentials. Raises AlreadyExists if the workspace has one of the name."""
    values = {
        "workspace_id": workspace_id,
        "name": name,
        "kind": kind,
        "description": description,
        "settings": json.dumps(settings),
        "owner": owner,
        "created_at": at,
        "updated_at": at,
    }
    statement = insert(connection, data_sources).values(values).on_conflict_do_nothing().returning(*data_sources.c)
    row = (await connection.execute(statement)).first()
    if row is None:
        raise AlreadyExists(f"the workspace {workspace_id!r} has a source {name!r}")
    return _source(row)


async def get(connection: AsyncConnection, source_id: int) -> DataSource | None:
    """The source, unless it is deleted."""
    condition = (data_sources.c.id == source_id) & data_sources.c.deleted_at.is_(None)
    row = (await connection.execute(select(data_sources).where(condition))).first()
    return _source(row) if row else None


async def find(connection: AsyncConnection, workspace_id: str, name: str) -> DataSource | None:
    """The source of that name, unless it is deleted."""
    condition = (data_sources.c.workspace_id == workspace_id) & (data_sources.c.name == name)
    query = select(data_sources).where(condition & data_sources.c.deleted_at.is_(None))
    row = (await connection.execute(query)).first()
    return _source(row) if row else None


async def list_of(
    connection: AsyncConnection, workspace_id: str, *, kind: str | None = None, after: int | None = None, limit: int
) -> list[DataSource]:
    """The workspace's sources that are not deleted, the oldest first; `after` is the last id seen."""
    query = (
        select(data_sources)
        .where(data_sources.c.workspace_id == workspace_id, data_sources.c.deleted_at.is_(None))
        .order_by(data_sources.c.id)
        .limit(limit)
    )
    if kind is not None:
        query = query.where(data_sources.c.kind == kind)
    if after is not None:
        query = query.where(data_sources.c.id > after)
    return [_source(row) for row in await connection.execute(query)]


async def change(connection: AsyncConnection, source_id: int, *, at: datetime, **values: Any) -> DataSource | None:
    """Sets columns by name; the source as it is now, None if there is none. Raises AlreadyExists for a taken name."""
    current = await get(connection, source_id)
    if current is None:
        return None
    name = values.get("name", current.name)
    other = await find(connection, current.workspace_id, name)
    if other is not None and other.id != source_id:
        raise AlreadyExists(f"the workspace {current.workspace_id!r} has a source {name!r}")
    if "settings" in values:
        values["settings"] = json.dumps(values["settings"])
    condition = (data_sources.c.id == source_id) & data_sources.c.deleted_at.is_(None)
    statement = update(data_sources).where(condition).values(updated_at=at, **values).returning(*data_sources.c)
    row = (await connection.execute(statement)).first()
    return _source(row) if row else None


async def note_test(connection: AsyncConnection, source_id: int, result: Mapping[str, Any], *, at: datetime) -> None:
    """Remembers how the last test went. Does not count as a change of the source."""
    values = {"tested_at": at, "last_test": json.dumps(result)}
    await connection.execute(update(data_sources).where(data_sources.c.id == source_id).values(values))


async def delete(connection: AsyncConnection, source_id: int, *, at: datetime) -> bool:
    """Hides the source and forgets its credentials. Whether there was one to hide."""
    condition = (data_sources.c.id == source_id) & data_sources.c.deleted_at.is_(None)
    values = {"deleted_at": at, "updated_at": at, "credentials": None, "key_id": None}
    return (await connection.execute(update(data_sources).where(condition).values(values))).rowcount > 0
