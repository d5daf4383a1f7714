"""Schedules: which job is run when. When that is, is worked out by who writes the row."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy import insert as plain_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.run_tables import schedules
from storage.tables import workspaces


@dataclass(frozen=True, slots=True)
class Plan:
    """What somebody may say of a schedule. `arguments` is JSON; one of `cron` and `every_seconds` is set."""

    title: str
    job: str
    arguments: str
    cron: str | None
    time_zone: str | None
    every_seconds: int | None
    missed: str
    overlap: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """A row of schedules."""

    id: int
    workspace_id: str
    title: str
    job: str
    arguments: str
    cron: str | None
    time_zone: str | None
    every_seconds: int | None
    missed: str
    overlap: str
    enabled: bool
    next_run_at: datetime | None
    last_run_id: str | None
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime

    @property
    def plan(self) -> Plan:
        return Plan(**{name: getattr(self, name) for name in Plan.__dataclass_fields__})


async def create(
    connection: AsyncConnection, workspace_id: str, plan: Plan, *, next_run_at: datetime | None, by: str, at: datetime
) -> Schedule:
    values = {**asdict(plan), "workspace_id": workspace_id, "next_run_at": next_run_at}
    values |= {"created_by": by, "created_at": at, "updated_by": by, "updated_at": at}
    row = (await connection.execute(plain_insert(schedules).values(values).returning(*schedules.c))).one()
    return Schedule(*row)


async def get(connection: AsyncConnection, schedule_id: int, *, locked: bool = False) -> Schedule | None:
    """`locked`: nobody else changes it until the transaction ends. SQLite has one writer at a time anyway."""
    query = select(schedules).where(schedules.c.id == schedule_id)
    row = (await connection.execute(query.with_for_update() if locked else query)).first()
    return Schedule(*row) if row else None


async def count(connection: AsyncConnection, workspace_id: str) -> int:
    query = select(func.count()).select_from(schedules).where(schedules.c.workspace_id == workspace_id)
    return await connection.scalar(query) or 0


async def list_of(
    connection: AsyncConnection, workspace_id: str, *, after: int | None = None, limit: int
) -> list[Schedule]:
    """By id; `after` is the last id seen."""
    query = select(schedules).where(schedules.c.workspace_id == workspace_id).order_by(schedules.c.id).limit(limit)
    if after is not None:
        query = query.where(schedules.c.id > after)
    return [Schedule(*row) for row in await connection.execute(query)]


async def change(
    connection: AsyncConnection,
    schedule_id: int,
    plan: Plan,
    *,
    next_run_at: datetime | None,
    by: str,
    at: datetime,
) -> Schedule:
    values: dict[str, Any] = {**asdict(plan), "next_run_at": next_run_at, "updated_by": by, "updated_at": at}
    statement = update(schedules).where(schedules.c.id == schedule_id).values(values).returning(*schedules.c)
    return Schedule(*(await connection.execute(statement)).one())


async def remove(connection: AsyncConnection, schedule_id: int) -> bool:
    """Whether there was one. Its runs stay, without it."""
    result = await connection.execute(delete(schedules).where(schedules.c.id == schedule_id))
    return result.rowcount > 0


# By the clock

# What is in a deleted workspace rests until the workspace is restored.
_IS_SEEN = schedules.c.workspace_id.in_(select(workspaces.c.id).where(workspaces.c.deleted_at.is_(None)))


async def due(connection: AsyncConnection, now: datetime, *, limit: int) -> list[Schedule]:
    """Those whose time has come, the longest due first."""
    query = select(schedules).where(schedules.c.next_run_at <= now, _IS_SEEN)
    query = query.order_by(schedules.c.next_run_at).limit(limit)
    return [Schedule(*row) for row in await connection.execute(query)]


async def next_due(connection: AsyncConnection) -> datetime | None:
    """When the time of the next one comes."""
    query = select(schedules.c.next_run_at).where(schedules.c.next_run_at.is_not(None), _IS_SEEN)
    return await connection.scalar(query.order_by(schedules.c.next_run_at).limit(1))


async def advance(
    connection: AsyncConnection, seen: Schedule, *, next_run_at: datetime | None, last_run_id: str | None
) -> bool:
    """Moves it on from the time at which it was seen due. Whether nobody else did: each due time is one caller's."""
    condition = (schedules.c.id == seen.id) & (schedules.c.next_run_at == seen.next_run_at)
    condition &= schedules.c.updated_at == seen.updated_at
    values = {"next_run_at": next_run_at, "last_run_id": last_run_id or seen.last_run_id}
    result = await connection.execute(update(schedules).where(condition).values(values))
    return result.rowcount > 0


async def note_run(connection: AsyncConnection, schedule_id: int, run_id: str) -> None:
    """It was run at somebody's word."""
    await connection.execute(update(schedules).where(schedules.c.id == schedule_id).values(last_run_id=run_id))
