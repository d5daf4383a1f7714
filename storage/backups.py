"""Backups of data sources: where each is, what is in it, and how it was last verified."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.backup_tables import backups
from storage.run_tables import runs
from storage.runs import FAILED, QUEUED, SUCCEEDED, WAITING
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class Backup:
    """A row of backups. `state` is that of the run until the backup has ended; `contents`, `verification` are JSON."""

    id: int
    workspace_id: str
    source_id: int
    run_id: str
    state: str
    error_code: str | None
    error_message: str | None
    file: str | None
    host: str | None
    bytes: int | None
    sha256: str | None
    contents: str | None
    verified_at: datetime | None
    verification: str | None
    created_by: str
    created_at: datetime
    finished_at: datetime | None


# One that did not end and whose run is gone was lost with it.
_STATE = case(
    (backups.c.state.is_not(None), backups.c.state),
    (runs.c.state == WAITING, QUEUED),
    else_=func.coalesce(runs.c.state, FAILED),
)
_FROM_RUN = {
    "state": _STATE,
    "error_code": func.coalesce(backups.c.error_code, runs.c.error_code),
    "error_message": func.coalesce(backups.c.error_message, runs.c.error_message),
    "finished_at": func.coalesce(backups.c.finished_at, runs.c.finished_at),
}
_BACKUP = select(
    *(_FROM_RUN.get(field.name, backups.c[field.name]).label(field.name) for field in fields(Backup))
).select_from(backups.outerjoin(runs, runs.c.id == backups.c.run_id))


async def ensure(
    connection: AsyncConnection, *, workspace_id: str, source_id: int, run_id: str, created_by: str, at: datetime
) -> Backup:
    """The backup that the run makes."""
    values = {
        "workspace_id": workspace_id,
        "source_id": source_id,
        "run_id": run_id,
        "created_by": created_by,
        "created_at": at,
    }
    await connection.execute(insert(connection, backups).values(values).on_conflict_do_nothing())
    return Backup(*(await connection.execute(_BACKUP.where(backups.c.run_id == run_id))).one())


async def get(connection: AsyncConnection, source_id: int, backup_id: int) -> Backup | None:
    row = (await connection.execute(_BACKUP.where(backups.c.id == backup_id, backups.c.source_id == source_id))).first()
    return Backup(*row) if row else None


async def list_of(
    connection: AsyncConnection, source_id: int, *, state: str | None = None, before: int | None = None, limit: int
) -> list[Backup]:
    """The newest first; `before` is the last id seen."""
    query = _BACKUP.where(backups.c.source_id == source_id).order_by(backups.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(_STATE.in_([state]))
    if before is not None:
        query = query.where(backups.c.id < before)
    return [Backup(*row) for row in await connection.execute(query)]


async def end(connection: AsyncConnection, backup_id: int, state: str, *, at: datetime, **values: Any) -> bool:
    """Whether it had not ended before."""
    condition = (backups.c.id == backup_id) & backups.c.state.is_(None)
    statement = update(backups).where(condition).values(state=state, finished_at=at, **values)
    return (await connection.execute(statement)).rowcount > 0


async def note_verification(connection: AsyncConnection, backup_id: int, verification: str, *, at: datetime) -> None:
    """How it was verified last."""
    values = {"verification": verification, "verified_at": at}
    await connection.execute(update(backups).where(backups.c.id == backup_id).values(values))


async def remove(connection: AsyncConnection, backup_id: int) -> bool:
    """Whether there was one."""
    return (await connection.execute(delete(backups).where(backups.c.id == backup_id))).rowcount > 0


async def held(connection: AsyncConnection, source_id: int) -> tuple[int, int]:
    """How many backups the source has that succeeded, and their bytes."""
    mine = (backups.c.source_id == source_id) & (backups.c.state == SUCCEEDED)
    query = select(func.count(), func.coalesce(func.sum(backups.c.bytes), 0)).select_from(backups).where(mine)
    count, size = (await connection.execute(query)).one()
    return int(count), int(size)
