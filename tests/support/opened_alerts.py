"""Alerts to begin with, as an evaluator or a detection would open them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from handlers import alert_transitions as transitions
from handlers.parts import Parts
from storage import feeds
from storage.alerts import FIRING, Alert, NewAlert

LAB = "lab"
START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def new_alert(name: str = "cpu", **changes: Any) -> NewAlert:
    """Firing, severe and about the source 7 of `lab`, unless said otherwise."""
    alert = NewAlert(
        workspace_id=LAB,
        domain="performance",
        rule_id=None,
        rule_version=None,
        source_id=7,
        fingerprint=f"print-{name}",
        name=name,
        summary=f"{name} is 99",
        severity="high",
        state=FIRING,
        labels={"host": "a"},
        value=99.0,
        threshold=90.0,
        evidence={"points": [[1, 99.0]]},
    )
    return replace(alert, **changes)


async def open_in(parts: Parts, *new: NewAlert, at: datetime) -> list[Alert]:
    async with parts.feeds.writing() as (connection, outbox):
        return await transitions.open_alerts(connection, outbox, new, at=at)


async def resolve_in(parts: Parts, *alert_ids: int, at: datetime) -> None:
    over = transitions.resolve("It is below 90.", at=at)
    async with parts.feeds.writing() as (connection, outbox):
        moves = [transitions.Move(alert_id, over) for alert_id in alert_ids]
        await transitions.move_many(connection, outbox, moves, at=at)


async def told(parts: Parts, feed: str) -> Sequence[tuple[str, dict[str, Any]]]:
    """The types of a feed's events, and their data."""
    async with parts.database.read() as connection:
        found = await feeds.get(connection, feed)
        events = await feeds.read(connection, found.id, after=0, limit=10_000) if found else []
    return [(event.type, dict(event.data)) for event in events]


def alert(number: int, state: str = FIRING, **changes: Any) -> Alert:
    """A row that is in no database."""
    made = Alert(
        id=number,
        workspace_id="lab",
        domain="performance",
        rule_id=None,
        rule_version=None,
        source_id=None,
        fingerprint=f"{number}",
        name="cpu",
        summary="cpu",
        severity="high",
        state=state,
        labels={},
        value=None,
        threshold=None,
        evidence={},
        runbook=None,
        pending_at=START,
        fired_at=START,
        last_true_at=START,
        false_since=None,
        missing_since=None,
        acknowledged_at=None,
        acknowledged_by=None,
        acknowledged_until=None,
        acknowledged_note=None,
        snoozed_until=None,
        assignee=None,
        suppressed_by=None,
        resolved_at=None,
        resolved_reason=None,
        reopened=0,
        version=1,
        updated_at=START,
    )
    return replace(made, **changes)
