"""Exports of the audit trail and of events: where they go, how far each has got, and how it fares."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import upsert
from storage.event_export_tables import event_export_positions, event_exports
from storage.feeds import Feed
from storage.tables import feeds, workspaces


@dataclass(frozen=True, slots=True)
class Export:
    """A row of event_exports; `target` is a JSON object, `credentials` are sealed."""

    id: int
    name: str
    streams: list[str]
    target: dict[str, Any]
    credentials: bytes | None
    key_id: str | None
    enabled: bool
    sent: int
    missed: int
    last_sent_at: datetime | None
    tries: int
    next_attempt_at: datetime | None
    failing_since: datetime | None
    last_error: str | None
    broken_at: int | None
    created_by: str
    created_at: datetime
    updated_at: datetime


class Position(NamedTuple):
    """The last that was sent of a stream: its number, and the hash of the row or the epoch of the feed."""

    number: int
    mark: str


_JSON = ("streams", "target")


def _export(row: Any) -> Export:
    values = dict(row._mapping)
    return Export(**{**values, **{name: json.loads(values[name]) for name in _JSON}})


def _encoded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value) if name in _JSON else value for name, value in values.items()}


async def create(
    connection: AsyncConnection,
    *,
    name: str,
    streams: Collection[str],
    target: Mapping[str, Any],
    enabled: bool,
    created_by: str,
    at: datetime,
) -> Export:
    """A new export without credentials, that has sent nothing."""
    values = {"name": name, "streams": list(streams), "target": target, "enabled": enabled, "created_by": created_by}
    nothing = {"sent": 0, "missed": 0, "tries": 0, "created_at": at, "updated_at": at}
    statement = insert(event_exports).values(_encoded(values | nothing)).returning(*event_exports.c)
    return _export((await connection.execute(statement)).one())


async def get(connection: AsyncConnection, export_id: int) -> Export | None:
    row = (await connection.execute(select(event_exports).where(event_exports.c.id == export_id))).first()
    return _export(row) if row else None


async def list_of(connection: AsyncConnection, *, after: int | None = None, limit: int) -> list[Export]:
    """The oldest first; `after` is the last id seen."""
    query = select(event_exports).order_by(event_exports.c.id).limit(limit)
    if after is not None:
        query = query.where(event_exports.c.id > after)
    return [_export(row) for row in await connection.execute(query)]


async def count(connection: AsyncConnection) -> int:
    return (await connection.execute(select(func.count()).select_from(event_exports))).scalar_one()


async def change(connection: AsyncConnection, export_id: int, **values: Any) -> Export | None:
    """Sets columns by name; the export as it is now, None if there is none."""
    statement = update(event_exports).where(event_exports.c.id == export_id).values(_encoded(values))
    row = (await connection.execute(statement.returning(*event_exports.c))).first()
    return _export(row) if row else None


async def remove(connection: AsyncConnection, export_id: int) -> bool:
    """Whether there was one."""
    result = await connection.execute(delete(event_exports).where(event_exports.c.id == export_id))
    return result.rowcount > 0


async def positions(connection: AsyncConnection, export_ids: Collection[int]) -> dict[int, dict[str, Position]]:
    """How far each stream was sent, by export and stream."""
    query = select(event_export_positions).where(event_export_positions.c.export_id.in_(export_ids))
    found: dict[int, dict[str, Position]] = {each: {} for each in export_ids}
    for row in await connection.execute(query):
        found[row.export_id][row.stream] = Position(row.number, row.mark)
    return found


async def set_position(connection: AsyncConnection, export_id: int, stream: str, position: Position) -> None:
    values = {"export_id": export_id, "stream": stream, **position._asdict()}
    made = upsert.insert(connection, event_export_positions).values(values)
    keys = ["export_id", "stream"]
    await connection.execute(made.on_conflict_do_update(index_elements=keys, set_=position._asdict()))


async def feeds_called(connection: AsyncConnection, names: Collection[str]) -> list[Feed]:
    """The feeds of these names in all workspaces that hold or held events; by name."""
    found: list[Feed] = []
    for name in names:
        query = select(*feeds.c).join(workspaces, feeds.c.name == workspaces.c.id + f"/{name}")
        rows = await connection.execute(query.where(workspaces.c.deleted_at.is_(None), feeds.c.head > 0))
        found += [Feed(*row) for row in rows]
    return sorted(found, key=lambda feed: feed.name)
