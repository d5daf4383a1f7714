"""What must not notify: silences, maintenance windows, and alerts that keep others silent."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy import insert as plain_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.alert_tables import alert_inhibitions, alert_silences


@dataclass(frozen=True, slots=True)
class NewSilence:
    """`matchers` is JSON. Without `cron` it is from `starts_at` to `ends_at`; with it, so many `seconds` each time."""

    workspace_id: str
    matchers: str
    starts_at: datetime
    ends_at: datetime | None
    cron: str | None
    time_zone: str | None
    seconds: int | None
    comment: str


@dataclass(frozen=True, slots=True)
class Silence:
    """A row of alert_silences."""

    id: int
    workspace_id: str
    matchers: str
    starts_at: datetime
    ends_at: datetime | None
    cron: str | None
    time_zone: str | None
    seconds: int | None
    comment: str
    created_by: str
    created_at: datetime
    ended_at: datetime | None
    ended_by: str | None


@dataclass(frozen=True, slots=True)
class Inhibition:
    """A row of alert_inhibitions; `source`, `target` and `equal` are JSON."""

    id: int
    workspace_id: str
    source: str
    target: str
    equal: str
    updated_by: str
    updated_at: datetime


async def create(connection: AsyncConnection, new: NewSilence, *, by: str, at: datetime) -> Silence:
    values = {**asdict(new), "created_by": by, "created_at": at}
    statement = plain_insert(alert_silences).values(values).returning(*alert_silences.c)
    return Silence(*(await connection.execute(statement)).one())


async def get(connection: AsyncConnection, silence_id: int) -> Silence | None:
    row = (await connection.execute(select(alert_silences).where(alert_silences.c.id == silence_id))).first()
    return Silence(*row) if row else None


async def list_of(
    connection: AsyncConnection,
    workspace_id: str,
    *,
    alive_at: datetime | None = None,
    before: int | None = None,
    limit: int,
) -> list[Silence]:
    """The newest first; with `alive_at` those that were not over then. `before` is the last id seen."""
    query = select(alert_silences).where(alert_silences.c.workspace_id == workspace_id)
    query = query.order_by(alert_silences.c.id.desc()).limit(limit)
    if alive_at is not None:
        query = query.where(_is_alive(alive_at))
    if before is not None:
        query = query.where(alert_silences.c.id < before)
    return [Silence(*row) for row in await connection.execute(query)]


async def count_alive(connection: AsyncConnection, workspace_id: str, *, at: datetime) -> int:
    query = select(func.count()).where(alert_silences.c.workspace_id == workspace_id, _is_alive(at))
    return await connection.scalar(query) or 0


async def alive(connection: AsyncConnection, *, at: datetime) -> list[Silence]:
    """All that are not over, in every workspace, by id."""
    rows = await connection.execute(select(alert_silences).where(_is_alive(at)).order_by(alert_silences.c.id))
    return [Silence(*row) for row in rows]


def _is_alive(at: datetime) -> ColumnElement[bool]:
    ends = alert_silences.c.ends_at
    return alert_silences.c.ended_at.is_(None) & or_(ends.is_(None), ends > at)


async def end(connection: AsyncConnection, silence_id: int, *, by: str, at: datetime) -> Silence | None:
    """The silence, if it was not over."""
    ended = update(alert_silences).where(alert_silences.c.id == silence_id, _is_alive(at))
    row = (await connection.execute(ended.values(ended_at=at, ended_by=by).returning(*alert_silences.c))).first()
    return Silence(*row) if row else None


# Inhibitions


async def create_inhibition(
    connection: AsyncConnection, workspace_id: str, source: str, target: str, equal: str, *, by: str, at: datetime
) -> Inhibition:
    values = {"workspace_id": workspace_id, "source": source, "target": target, "equal": equal}
    values_of_row = {**values, "updated_by": by, "updated_at": at}
    statement = plain_insert(alert_inhibitions).values(values_of_row).returning(*alert_inhibitions.c)
    return Inhibition(*(await connection.execute(statement)).one())


async def get_inhibition(connection: AsyncConnection, inhibition_id: int) -> Inhibition | None:
    query = select(alert_inhibitions).where(alert_inhibitions.c.id == inhibition_id)
    row = (await connection.execute(query)).first()
    return Inhibition(*row) if row else None


async def inhibitions_of(
    connection: AsyncConnection, workspace_id: str, *, after: int | None = None, limit: int
) -> list[Inhibition]:
    """By id; `after` is the last id seen."""
    query = select(alert_inhibitions).where(alert_inhibitions.c.workspace_id == workspace_id)
    query = query.order_by(alert_inhibitions.c.id).limit(limit)
    if after is not None:
        query = query.where(alert_inhibitions.c.id > after)
    return [Inhibition(*row) for row in await connection.execute(query)]


async def count_inhibitions(connection: AsyncConnection, workspace_id: str) -> int:
    query = select(func.count()).where(alert_inhibitions.c.workspace_id == workspace_id)
    return await connection.scalar(query) or 0


async def remove_inhibition(connection: AsyncConnection, inhibition_id: int) -> bool:
    """Whether there was one."""
    result = await connection.execute(delete(alert_inhibitions).where(alert_inhibitions.c.id == inhibition_id))
    return result.rowcount > 0
