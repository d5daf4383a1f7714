"""Alerts as clients, feeds and receivers see them, and how severe they can be."""

from __future__ import annotations

import enum
from typing import Any, Literal

import msgspec

from handlers.names import RowId, WorkspaceId
from handlers.registry import Instant
from storage.alerts import Alert

State = Literal["pending", "firing", "acknowledged", "resolved"]


class Severity(enum.StrEnum):
    """From the least to the most severe."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


_RANKS = {severity.value: rank for rank, severity in enumerate(Severity)}


def rank_of(severity: str) -> int:
    """How severe it is, as a number that compares."""
    return _RANKS.get(severity, 0)


class Suppression(msgspec.Struct, frozen=True, kw_only=True):
    """Why nobody is notified: a silence or a maintenance window until a time, or another alert that inhibits it."""

    kind: Literal["silence", "maintenance", "inhibition"]
    id: RowId
    until: Instant | None = None
    alert_id: RowId | None = None


class AlertShown(msgspec.Struct, frozen=True, kw_only=True):
    """What is or was wrong.

    `version` counts changes. `evidence` is what made it fire, `value` the one of the last evaluation. `fired_at` is
    when it last fired, null if it never did; `reopened` counts how often it fired again after it was resolved.
    """

    id: RowId
    workspace_id: WorkspaceId
    domain: str
    rule_id: RowId | None
    rule_version: int | None
    data_source_id: int | None
    fingerprint: str
    name: str
    summary: str
    severity: Severity
    state: State
    labels: dict[str, str]
    value: float | None
    threshold: float | None
    evidence: dict[str, Any]
    runbook: str | None
    pending_at: Instant
    fired_at: Instant | None
    last_true_at: Instant
    false_since: Instant | None
    missing_since: Instant | None
    acknowledged_at: Instant | None
    acknowledged_by: str | None
    acknowledged_until: Instant | None
    acknowledged_note: str | None
    snoozed_until: Instant | None
    assignee: str | None
    suppressed_by: list[Suppression]
    resolved_at: Instant | None
    resolved_reason: str | None
    reopened: int
    version: int
    updated_at: Instant


_SAME = tuple(
    name
    for name in AlertShown.__struct_fields__
    if name not in ("data_source_id", "severity", "state", "suppressed_by")
)


def shown_alert(alert: Alert) -> AlertShown:
    """The alert of a row."""
    return AlertShown(
        **{name: getattr(alert, name) for name in _SAME},
        data_source_id=alert.source_id,
        severity=Severity(alert.severity),
        state=msgspec.convert(alert.state, State),
        suppressed_by=msgspec.convert(alert.suppressed_by or [], list[Suppression]),
    )
