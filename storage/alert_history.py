"""The history of alerts: what happened, who did it, and what was said. It is written by `alerts.note`."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.alert_tables import alert_history
from storage.alerts import Entry


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
