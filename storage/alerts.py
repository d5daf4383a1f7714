"""Alerts and what happened to them: rows change by one conditional UPDATE, never by reading, checking and writing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, bindparam, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.alert_tables import alerts

PENDING, FIRING, ACKNOWLEDGED, RESOLVED = "pending", "firing", "acknowledged", "resolved"
ACTIVE = frozenset({FIRING, ACKNOWLEDGED})
OPEN = frozenset({PENDING, FIRING, ACKNOWLEDGED})

# Both databases take some 32,000 parameters a statement.
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class NewAlert:
    """An alert that is to be opened, `pending` or `firing` at once. `fingerprint` says which alerts are the same one.

    It is unique in the workspace and domain among those that are not resolved. `at` is when it began, if not when it is
    opened.
    """

    workspace_id: str
    domain: str
    rule_id: int | None
    rule_version: int | None
    source_id: int | None
    fingerprint: str
    name: str
    summary: str
    severity: str
    state: str
    labels: Mapping[str, str]
    value: float | None = None
    threshold: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    runbook: str | None = None
    at: datetime | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.workspace_id, self.domain, self.fingerprint


@dataclass(frozen=True, slots=True)
class Alert:
    """A row of alerts."""

    id: int
    workspace_id: str
    domain: str
    rule_id: int | None
    rule_version: int | None
    source_id: int | None
    fingerprint: str
    name: str
    summary: str
    severity: str
    state: str
    labels: dict[str, str]
    value: float | None
    threshold: float | None
    evidence: dict[str, Any]
    runbook: str | None
    pending_at: datetime
    fired_at: datetime | None
    last_true_at: datetime
    false_since: datetime | None
    missing_since: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledged_until: datetime | None
    acknowledged_note: str | None
    snoozed_until: datetime | None
    assignee: str | None
    suppressed_by: list[dict[str, Any]] | None
    resolved_at: datetime | None
    resolved_reason: str | None
    reopened: int
    version: int
    updated_at: datetime

    @property
    def key(self) -> tuple[str, str, str]:
        return self.workspace_id, self.domain, self.fingerprint


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What becomes of alerts that are in one of the states `of`: `values` are columns.

    `fires` sets when it fired, and counts a time after the first. `due` is a column that holds a time which has come;
    `unless_equal` is one of `values` that has to be another than before.
    """

    of: frozenset[str]
    values: Mapping[str, Any]
    fires: bool = False
    due: str | None = None
    unless_equal: str | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What the next evaluation has to know of an alert, and what is shown of the last one."""

    alert_id: int
    last_true_at: datetime
    false_since: datetime | None
    missing_since: datetime | None
    value: float | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What an alert is shown with from now on."""

    alert_id: int
    value: float | None
    summary: str
    evidence: Mapping[str, Any]


def alert_of(row: Any) -> Alert:
    """The alert of a row of the table."""
    values = dict(row._mapping)
    for name in ("labels", "evidence", "suppressed_by"):
        if values[name] is not None:
            values[name] = msgspec.json.decode(values[name])
    # What SQLite returns of an UPDATE are whole numbers where it stores them so.
    for name in ("value", "threshold"):
        if values[name] is not None:
            values[name] = float(values[name])
    return Alert(**values)


def encoded(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


# Changing


async def lock(connection: AsyncConnection, alert_ids: Iterable[int]) -> None:
    """Keeps others from changing them until the transaction ends; in the order of ids, so that none wait in a ring."""
    for some in parts_of(sorted(set(alert_ids))):
        query = select(alerts.c.id).where(alerts.c.id.in_(some)).order_by(alerts.c.id)
        await connection.execute(query.with_for_update())


async def change(
    connection: AsyncConnection,
    alert_ids: Collection[int],
    wanted: Change,
    *,
    at: datetime,
    expected_version: int | None = None,
) -> list[Alert]:
    """Those that were in one of the states, as they are now; the others stay as they are. `lock` more than one."""
    values: dict[str, Any] = {
        name: encoded(value) if name == "suppressed_by" else value for name, value in wanted.values.items()
    }
    values |= {"version": alerts.c.version + 1, "updated_at": at}
    if wanted.fires:
        again = case((alerts.c.fired_at.is_(None), 0), else_=1)
        values |= {"fired_at": at, "reopened": alerts.c.reopened + again}
    conditions: list[ColumnElement[bool]] = [alerts.c.state.in_(sorted(wanted.of))]
    if wanted.due is not None:
        conditions.append(alerts.c[wanted.due] <= at)
    if wanted.unless_equal is not None:
        conditions.append(alerts.c[wanted.unless_equal].is_distinct_from(values[wanted.unless_equal]))
    if expected_version is not None:
        conditions.append(alerts.c.version == expected_version)
    changed: dict[int, Alert] = {}
    for some in parts_of(list(alert_ids)):
        statement = update(alerts).where(alerts.c.id.in_(some), *conditions).values(values).returning(*alerts.c)
        changed |= {row.id: alert_of(row) for row in await connection.execute(statement)}
    return [changed[alert_id] for alert_id in alert_ids if alert_id in changed]


async def remember(connection: AsyncConnection, memories: Iterable[Memory]) -> None:
    """Stores what evaluations have to know of those before them. It is no change that anybody is told of."""
    rows = [
        {f"new_{each.name}": getattr(memory, each.name) for each in fields(Memory)}
        for memory in sorted(memories, key=lambda memory: memory.alert_id)
    ]
    if rows:
        await connection.execute(_REMEMBER, rows)


_REMEMBER = (
    update(alerts)
    .where(alerts.c.id == bindparam("new_alert_id"), alerts.c.resolved_at.is_(None))
    .values(
        {
            name: bindparam(f"new_{name}", type_=alerts.c[name].type)
            for name in ("last_true_at", "false_since", "missing_since", "value")
        }
    )
)


async def find_anew(connection: AsyncConnection, findings: Iterable[Finding]) -> None:
    """Alerts are shown with other values from now on; before a change, whose event then has them."""
    rows = [
        {
            "new_alert_id": finding.alert_id,
            "new_value": finding.value,
            "new_summary": finding.summary,
            "new_evidence": encoded(dict(finding.evidence)),
        }
        for finding in sorted(findings, key=lambda finding: finding.alert_id)
    ]
    if rows:
        await connection.execute(_FIND_ANEW, rows)


_FIND_ANEW = (
    update(alerts)
    .where(alerts.c.id == bindparam("new_alert_id"), alerts.c.resolved_at.is_(None))
    .values({name: bindparam(f"new_{name}", type_=alerts.c[name].type) for name in ("value", "summary", "evidence")})
)


# Reading


async def get(connection: AsyncConnection, alert_id: int) -> Alert | None:
    return next(iter(await get_many(connection, [alert_id])), None)


async def get_many(connection: AsyncConnection, alert_ids: Sequence[int]) -> list[Alert]:
    """Those that there are, in the order of the ids."""
    found: dict[int, Alert] = {}
    for some in parts_of(alert_ids):
        rows = await connection.execute(select(alerts).where(alerts.c.id.in_(some)))
        found |= {row.id: alert_of(row) for row in rows}
    return [found[alert_id] for alert_id in alert_ids if alert_id in found]


async def open_of(
    connection: AsyncConnection,
    *,
    domain: str | None = None,
    workspace_id: str | None = None,
    rule_id: int | None = None,
) -> list[Alert]:
    """All that are not resolved, by id."""
    query = select(alerts).where(alerts.c.resolved_at.is_(None)).order_by(alerts.c.id)
    if domain is not None:
        query = query.where(alerts.c.domain == domain)
    if workspace_id is not None:
        query = query.where(alerts.c.workspace_id == workspace_id)
    if rule_id is not None:
        query = query.where(alerts.c.rule_id == rule_id)
    return [alert_of(row) for row in await connection.execute(query)]


def parts_of(ids: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Of many, as many as a statement may ask for."""
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
