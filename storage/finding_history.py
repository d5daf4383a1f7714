"""What happened to findings: who or which audit did what, and when."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.finding_tables import security_finding_history
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class NewEntry:
    """`details` is JSON."""

    finding_id: int
    kind: str
    at: datetime
    scan_id: int | None = None
    actor: str | None = None
    note: str | None = None
    details: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of security_finding_history."""

    id: int
    finding_id: int
    kind: str
    at: datetime
    scan_id: int | None
    actor: str | None
    note: str | None
    details: str | None


async def add(connection: AsyncConnection, entries: Sequence[NewEntry]) -> None:
    if entries:
        await connection.execute(insert(connection, security_finding_history), [asdict(one) for one in entries])


async def of_finding(
    connection: AsyncConnection, finding_id: int, *, after: int | None = None, limit: int
) -> list[Entry]:
    """From the first; `after` is the last id seen."""
    columns = [security_finding_history.c[field.name] for field in fields(Entry)]
    query = select(*columns).where(security_finding_history.c.finding_id == finding_id)
    if after is not None:
        query = query.where(security_finding_history.c.id > after)
    query = query.order_by(security_finding_history.c.id).limit(limit)
    return [Entry(*row) for row in await connection.execute(query)]
