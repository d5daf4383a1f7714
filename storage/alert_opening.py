"""Alerts are opened, or opened again: many in few statements, and of each fingerprint one at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.alert_tables import alerts
from storage.alerts import FIRING, Alert, NewAlert, alert_of, encoded, get_many, parts_of
from storage.upsert import insert


async def find(
    connection: AsyncConnection, fingerprints: Collection[str], *, resolved_after: datetime
) -> dict[tuple[str, str, str], Alert]:
    """The newest alert of each of the fingerprints that is open, or was resolved later than that; by `key`."""
    found: dict[tuple[str, str, str], Alert] = {}
    for some in parts_of(sorted(set(fingerprints))):
        is_new = alerts.c.resolved_at.is_(None) | (alerts.c.resolved_at > resolved_after)
        query = select(alerts).where(alerts.c.fingerprint.in_(some), is_new).order_by(alerts.c.id)
        for row in await connection.execute(query.with_for_update()):
            alert = alert_of(row)
            found[alert.key] = alert
    return found


async def create(connection: AsyncConnection, new: Sequence[NewAlert], *, at: datetime) -> list[Alert]:
    """The alerts that are new: those that another transaction opened meanwhile are left out."""
    if not new:
        return []
    made = insert(connection, alerts).on_conflict_do_nothing(
        index_elements=["workspace_id", "domain", "fingerprint"], index_where=alerts.c.resolved_at.is_(None)
    )
    rows = await connection.execute(made.returning(*alerts.c), [_columns(each, at) for each in new])
    return [alert_of(row) for row in rows]


def _columns(new: NewAlert, at: datetime) -> dict[str, Any]:
    at = new.at or at
    values = {each.name: getattr(new, each.name) for each in fields(NewAlert) if each.name != "at"}
    values |= {"labels": encoded(dict(new.labels)), "evidence": encoded(dict(new.evidence))}
    values |= {"pending_at": at, "fired_at": at if new.state == FIRING else None, "last_true_at": at}
    return values | {"reopened": 0, "version": 1, "updated_at": at}


async def reopen(connection: AsyncConnection, again: Mapping[int, NewAlert], *, at: datetime) -> list[Alert]:
    """Resolved alerts, by id, are what the new ones say, in place of those."""
    if not again:
        return []
    rows = []
    for alert_id, new in sorted(again.items()):
        values = _columns(new, at)
        kept = {name: values[name] for name in _SAID_ANEW}
        rows.append({f"new_{name}": value for name, value in kept.items()} | {"alert_id": alert_id, "at": new.at or at})
    await connection.execute(_REOPEN, rows)
    return await get_many(connection, sorted(again))


_SAID_ANEW = (
    "rule_id",
    "rule_version",
    "source_id",
    "name",
    "summary",
    "severity",
    "state",
    "labels",
    "value",
    "threshold",
    "evidence",
    "runbook",
    "pending_at",
    "last_true_at",
)
_FIRES_AGAIN = bindparam("new_state", type_=alerts.c.state.type) == FIRING
_NOBODY = dict.fromkeys(
    ("acknowledged_at", "acknowledged_by", "acknowledged_until", "acknowledged_note", "suppressed_by", "resolved_at")
)
_GONE = dict.fromkeys(("resolved_reason", "false_since", "missing_since"))
_REOPEN = (
    update(alerts)
    .where(alerts.c.id == bindparam("alert_id"), alerts.c.resolved_at.is_not(None))
    .values(
        {name: bindparam(f"new_{name}", type_=alerts.c[name].type) for name in _SAID_ANEW}
        | _NOBODY
        | _GONE
        | {
            "fired_at": case((_FIRES_AGAIN, bindparam("at", type_=alerts.c.fired_at.type)), else_=alerts.c.fired_at),
            "reopened": alerts.c.reopened + case((_FIRES_AGAIN & alerts.c.fired_at.is_not(None), 1), else_=0),
            "version": alerts.c.version + 1,
            "updated_at": bindparam("at", type_=alerts.c.updated_at.type),
        }
    )
)
