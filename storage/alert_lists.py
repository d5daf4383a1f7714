"""Lists of alerts and how many there are, by what people look for; and letting go of old ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.alert_tables import alerts
from storage.alerts import Alert, alert_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts of a workspace; None and nothing stand for any. `text` is looked for in names, summaries, labels."""

    workspace_id: str
    domain: str
    states: Sequence[str] = ()
    severities: Sequence[str] = ()
    source_id: int | None = None
    rule_id: int | None = None
    assignee: str | None = None
    text: str | None = None


async def list_of(connection: AsyncConnection, wanted: Wanted, *, before: int | None = None, limit: int) -> list[Alert]:
    """The newest first; `before` is the last id seen."""
    query = select(alerts).where(*_conditions(wanted)).order_by(alerts.c.id.desc()).limit(limit)
    if wanted.states:
        query = query.where(alerts.c.state.in_(wanted.states))
    if before is not None:
        query = query.where(alerts.c.id < before)
    return [alert_of(row) for row in await connection.execute(query)]


async def counts(connection: AsyncConnection, wanted: Wanted) -> dict[str, dict[str, int]]:
    """How many there are of each severity, by state; `states` narrows nothing here."""
    query = select(alerts.c.state, alerts.c.severity, func.count()).where(*_conditions(wanted))
    found: dict[str, dict[str, int]] = {}
    for state, severity, count in await connection.execute(query.group_by(alerts.c.state, alerts.c.severity)):
        found.setdefault(state, {})[severity] = count
    return found


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions = [alerts.c.workspace_id == wanted.workspace_id, alerts.c.domain == wanted.domain]
    if wanted.severities:
        conditions.append(alerts.c.severity.in_(wanted.severities))
    exact = {name: getattr(wanted, name) for name in ("source_id", "rule_id", "assignee")}
    conditions += [alerts.c[name] == value for name, value in exact.items() if value is not None]
    if wanted.text:
        looked_at = (alerts.c.name, alerts.c.summary, alerts.c.labels)
        conditions.append(or_(*(column.icontains(wanted.text, autoescape=True) for column in looked_at)))
    return conditions


async def overdue(connection: AsyncConnection, column: str, *, at: datetime, limit: int) -> list[Alert]:
    """Open alerts of which a time has come: `acknowledged_until` or `snoozed_until`; the longest due first."""
    due = alerts.c[column]
    query = select(alerts).where(alerts.c.resolved_at.is_(None), due <= at).order_by(due, alerts.c.id).limit(limit)
    return [alert_of(row) for row in await connection.execute(query)]


async def next_due(connection: AsyncConnection) -> datetime | None:
    """When the next acknowledgement or snooze ends."""
    is_open = alerts.c.resolved_at.is_(None)
    found = [
        await connection.scalar(select(func.min(column)).where(is_open))
        for column in (alerts.c.acknowledged_until, alerts.c.snoozed_until)
    ]
    times = [each for each in found if each is not None]
    return min(times) if times else None


async def workspaces_with_open(connection: AsyncConnection) -> set[str]:
    """The workspaces in which not everything is resolved."""
    query = select(alerts.c.workspace_id).where(alerts.c.resolved_at.is_(None)).distinct()
    return set(await connection.scalars(query))


async def trim(connection: AsyncConnection, *, resolved_before: datetime, cleared_before: datetime, limit: int) -> int:
    """Deletes resolved alerts with their histories, of those that never fired the younger ones too: how many."""
    is_old = or_(
        alerts.c.resolved_at < resolved_before, alerts.c.fired_at.is_(None) & (alerts.c.resolved_at < cleared_before)
    )
    chosen = select(alerts.c.id).where(is_old).order_by(alerts.c.id).limit(limit)
    ids = list(await connection.scalars(chosen))
    if ids:
        await connection.execute(delete(alerts).where(alerts.c.id.in_(ids)))
    return len(ids)
