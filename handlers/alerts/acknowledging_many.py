"""Many alerts acknowledged at once: what became of each is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from handlers import alert_transitions as transitions
from handlers.alert_shapes import AlertShown, shown_alert
from handlers.alert_transitions import Move
from handlers.alerts.acting import Seconds
from handlers.alerts.standing import DOMAIN, PATH, Text
from handlers.audit_trail import record
from handlers.names import RowId, WorkspaceId
from handlers.registry import Context, Operation, Permission
from storage import alerts
from storage.alerts import Alert

MAX_AT_ONCE = 500

Outcome = Literal["acknowledged", "unchanged", "pending", "resolved", "not_found"]


class AcknowledgeAlerts(msgspec.Struct, frozen=True, kw_only=True):
    """As `alerts.acknowledge`, of alerts of one workspace."""

    workspace_id: WorkspaceId = "default"
    alert_ids: Annotated[list[RowId], Meta(min_length=1, max_length=MAX_AT_ONCE)]
    note: Text | None = None
    expires_in: Seconds | None = None


class AcknowledgedOne(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one: `unchanged` had been acknowledged before, `pending` does not fire yet."""

    alert_id: RowId
    outcome: Outcome
    alert: AlertShown | None


class AcknowledgedAlerts(msgspec.Struct, frozen=True, kw_only=True):
    """In the order in which they were named."""

    items: list[AcknowledgedOne]


async def acknowledge_many(context: Context, request: AcknowledgeAlerts) -> AcknowledgedAlerts:
    now, actor = context.now(), context.user.user_id
    until = None if request.expires_in is None else now + timedelta(seconds=request.expires_in)
    wanted = transitions.acknowledge(actor, at=now, until=until, note=request.note)
    ids = list(dict.fromkeys(request.alert_ids))
    async with context.parts.feeds.writing() as (connection, outbox):
        await alerts.lock(connection, ids)
        known = {
            alert.id: alert
            for alert in await alerts.get_many(connection, ids)
            if alert.workspace_id == request.workspace_id and alert.domain == DOMAIN
        }
        moves = [Move(alert_id, wanted, actor=actor, note=request.note) for alert_id in known]
        moved = {alert.id: alert for alert in await transitions.move_many(connection, outbox, moves, at=now)}
        details = {"note": request.note, "alert_ids": sorted(moved)}
        await record(connection, context, "alerts.acknowledge_many", request.workspace_id, details)
    return AcknowledgedAlerts(items=[_item(alert_id, known.get(alert_id), moved.get(alert_id)) for alert_id in ids])


def _item(alert_id: int, before: Alert | None, moved: Alert | None) -> AcknowledgedOne:
    if moved is not None:
        return AcknowledgedOne(alert_id=alert_id, outcome="acknowledged", alert=shown_alert(moved))
    if before is None:
        return AcknowledgedOne(alert_id=alert_id, outcome="not_found", alert=None)
    outcomes: dict[str, Outcome] = {alerts.PENDING: "pending", alerts.RESOLVED: "resolved"}
    outcome = outcomes.get(before.state, "unchanged")
    return AcknowledgedOne(alert_id=alert_id, outcome=outcome, alert=shown_alert(before))


OPERATIONS = (
    Operation(
        "alerts.acknowledge_many",
        AcknowledgeAlerts,
        AcknowledgedAlerts,
        acknowledge_many,
        f"POST {PATH}/acknowledge",
        Permission.WRITE,
        "Acknowledge many alerts of a workspace.",
    ),
)
