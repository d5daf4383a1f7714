"""What threat detection remembers: a stream's state changes only under its row's lock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import alerts
from storage.alert_tables import alerts as alert_table
from storage.alerts import Alert
from storage.detection_tables import detection_alerts, detection_streams
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class Stream:
    """A row of detection_streams."""

    scope: str
    workspace_id: str
    source_id: int | None
    settings: str
    state: bytes | None
    due_at: datetime | None
    updated_at: datetime


# What the audit trail tells of no workspace alone.
SERVER = "server"


def scope_of(source_id: int) -> str:
    return f"source:{source_id}"


def workspace_scope(workspace_id: str) -> str:
    """Of what the audit trail tells of a workspace."""
    return f"workspace:{workspace_id}"


async def ensure(
    connection: AsyncConnection,
    scope: str,
    *,
    workspace_id: str,
    source_id: int | None = None,
    settings: str = "{}",
    at: datetime,
) -> Stream:
    """The stream, made if there is none, locked until the transaction ends. `settings` are those of a new one."""
    values = {
        "scope": scope,
        "workspace_id": workspace_id,
        "source_id": source_id,
        "settings": settings,
        "updated_at": at,
    }
    made = insert(connection, detection_streams).values(values)
    await connection.execute(made.on_conflict_do_nothing(index_elements=["scope"]))
    stream = await locked(connection, scope)
    assert stream is not None
    return stream


async def locked(connection: AsyncConnection, scope: str) -> Stream | None:
    """The stream, for this transaction alone."""
    query = select(detection_streams).where(detection_streams.c.scope == scope).with_for_update()
    row = (await connection.execute(query)).first()
    return Stream(*row) if row else None


async def get_many(connection: AsyncConnection, scopes: Collection[str]) -> dict[str, Stream]:
    rows = await connection.execute(select(detection_streams).where(detection_streams.c.scope.in_(scopes)))
    return {row.scope: Stream(*row) for row in rows}


async def change(connection: AsyncConnection, scope: str, values: Mapping[str, Any]) -> None:
    """`values` are columns."""
    await connection.execute(update(detection_streams).where(detection_streams.c.scope == scope).values(values))


async def due(connection: AsyncConnection, *, at: datetime, limit: int) -> list[str]:
    """Scopes of streams that have rested."""
    query = select(detection_streams.c.scope).where(detection_streams.c.due_at <= at)
    return list(await connection.scalars(query.order_by(detection_streams.c.due_at).limit(limit)))


async def note_evidence(connection: AsyncConnection, alert_id: int, *, scope: str, actor: str, body: str) -> None:
    """What is behind an alert, in the place of what was."""
    made = insert(connection, detection_alerts).values(alert_id=alert_id, scope=scope, actor=actor, body=body)
    changed = {"body": made.excluded.body, "actor": made.excluded.actor}
    await connection.execute(made.on_conflict_do_update(index_elements=["alert_id"], set_=changed))


async def evidence_of(connection: AsyncConnection, alert_id: int) -> str | None:
    query = select(detection_alerts.c.body).where(detection_alerts.c.alert_id == alert_id)
    body: str | None = await connection.scalar(query)
    return body


async def open_alerts(connection: AsyncConnection, scope: str) -> list[tuple[Alert, str]]:
    """The stream's alerts that are not resolved, each with its actor."""
    query = (
        select(detection_alerts.c.alert_id, detection_alerts.c.actor)
        .join(alert_table, detection_alerts.c.alert_id == alert_table.c.id)
        .where(detection_alerts.c.scope == scope, alert_table.c.resolved_at.is_(None))
    )
    actors = {row.alert_id: row.actor for row in await connection.execute(query)}
    return [(alert, actors[alert.id]) for alert in await alerts.get_many(connection, list(actors))]
