"""The history of alerts: what happened, who did it, and what was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import insert as plain_insert
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.alert_tables import alert_history


@dataclass(frozen=True, slots=True)
class Happening:
    """A row of alert_history to be written."""

    alert_id: int
    at: datetime
    kind: str
    state: str
    actor: str | None = None
    value: float | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of alert_history."""

    id: int
    alert_id: int
    at: datetime
    kind: str
    actor: str | None
    state: str
    value: float | None
    note: str | None


async def note(connection: AsyncConnection, happenings: Sequence[Happening]) -> None:
    """Adds to the history."""
    rows = [{each.name: getattr(one, each.name) for each in fields(Happening)} for one in happenings]
    if rows:
        await connection.execute(plain_insert(alert_history), rows)


async def of_alert(
    connection: AsyncConnection, alert_id: int, *, kind: str | None = None, after: int | None = None, limit: int
) -> list[Entry]:
    """The oldest first; `after` is the last id seen."""
    query = select(alert_history).where(alert_history.c.alert_id == alert_id).order_by(alert_history.c.id).limit(limit)
    if kind is not None:
        query = query.where(alert_history.c.kind == kind)
    if after is not None:
        query = query.where(alert_history.c.id > after)
    return [Entry(*row) for row in await connection.execute(query)]
