"""Exceptions: findings that are accepted by the names of their checks and objects, before they are found."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, update
from sqlalchemy import insert as plain_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.finding_tables import security_exceptions


@dataclass(frozen=True, slots=True)
class NewException:
    """`checks` and `objects` are patterns of names; `source_id` None is for all sources of the workspace."""

    workspace_id: str
    source_id: int | None
    checks: str
    objects: str
    why: str
    owner: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class AuditException:
    """A row of security_exceptions."""

    id: int
    workspace_id: str
    source_id: int | None
    checks: str
    objects: str
    why: str
    owner: str
    ends_at: datetime
    created_by: str
    created_at: datetime
    ended_at: datetime | None
    ended_by: str | None


_COLUMNS = [security_exceptions.c[field.name] for field in fields(AuditException)]


async def create(connection: AsyncConnection, new: NewException, *, by: str, at: datetime) -> AuditException:
    values = {**asdict(new), "created_by": by, "created_at": at}
    statement = plain_insert(security_exceptions).values(values).returning(*_COLUMNS)
    return AuditException(*(await connection.execute(statement)).one())


async def get(connection: AsyncConnection, exception_id: int) -> AuditException | None:
    row = (await connection.execute(select(*_COLUMNS).where(security_exceptions.c.id == exception_id))).first()
    return AuditException(*row) if row else None


async def list_of(
    connection: AsyncConnection,
    workspace_id: str,
    *,
    in_force_at: datetime | None = None,
    before: int | None = None,
    limit: int,
) -> list[AuditException]:
    """The newest first; with `in_force_at` those that were not over then. `before` is the last id seen."""
    query = select(*_COLUMNS).where(security_exceptions.c.workspace_id == workspace_id)
    if in_force_at is not None:
        query = query.where(_in_force(in_force_at))
    if before is not None:
        query = query.where(security_exceptions.c.id < before)
    return await _all(connection, query.order_by(security_exceptions.c.id.desc()).limit(limit))


async def in_force(connection: AsyncConnection, workspace_id: str, *, at: datetime) -> list[AuditException]:
    """What ends last comes first."""
    query = select(*_COLUMNS).where(security_exceptions.c.workspace_id == workspace_id, _in_force(at))
    return await _all(connection, query.order_by(security_exceptions.c.ends_at.desc(), security_exceptions.c.id))


async def count_in_force(connection: AsyncConnection, workspace_id: str, *, at: datetime) -> int:
    query = select(func.count()).where(security_exceptions.c.workspace_id == workspace_id, _in_force(at))
    return (await connection.execute(query)).scalar_one()


async def end(connection: AsyncConnection, exception_id: int, *, by: str, at: datetime) -> AuditException | None:
    """As it is then; None where it was over already."""
    condition = (security_exceptions.c.id == exception_id) & _in_force(at)
    statement = update(security_exceptions).where(condition).values(ended_at=at, ended_by=by).returning(*_COLUMNS)
    row = (await connection.execute(statement)).first()
    return AuditException(*row) if row else None


def _in_force(at: datetime) -> ColumnElement[bool]:
    alive: ColumnElement[bool] = security_exceptions.c.ends_at > at
    return alive & or_(security_exceptions.c.ended_at.is_(None), security_exceptions.c.ended_at > at)


async def _all(connection: AsyncConnection, query: Select[Any]) -> list[AuditException]:
    return [AuditException(*row) for row in await connection.execute(query)]
