"""Alerts of the domain `security`: looked at, acknowledged and resolved by people; nothing resolves a detection's."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from analysis.detections.engine import Detected
from handlers import alert_transitions as transitions
from handlers.alert_shapes import AlertShown, Severity, State, shown_alert
from handlers.alert_transitions import Transition
from handlers.audit_trail import record
from handlers.detections.detecting import DOMAIN
from handlers.detections.shapes import EventBehind, SecurityAlert
from handlers.names import RowId, WorkspaceId
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, Forbidden, NotFound, Operation, Page, Permission, Watched
from storage import alert_lists, alerts, detections
from storage.alert_lists import Wanted
from storage.alerts import ACKNOWLEDGED, RESOLVED, Alert
from storage.tables import from_microseconds

PATH = "/security/alerts"
ONE = PATH + "/{alert_id}"

Note = Annotated[
    str, Meta(min_length=1, max_length=2000, pattern=r"^[^\x00]*$(?!\n)", description="For everybody to read.")
]


class ListSecurityAlerts(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    workspace_id: WorkspaceId = "default"
    state: Annotated[list[State], Meta(max_length=4)] | None = None
    severity: Annotated[list[Severity], Meta(max_length=5)] | None = None
    data_source_id: RowId | None = None
    cursor: Cursor | None = None
    limit: Limit = 100


class GetSecurityAlert(msgspec.Struct, frozen=True, kw_only=True):
    alert_id: RowId


class AcknowledgeSecurityAlert(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody sees to it: it notifies no more."""

    alert_id: RowId
    note: Note | None = None


class ResolveSecurityAlert(msgspec.Struct, frozen=True, kw_only=True):
    """It is over, and `reason` says why. What the account does is learnt again as ordinary from now on."""

    alert_id: RowId
    reason: Note


async def list_alerts(context: Context, request: ListSecurityAlerts) -> Page[AlertShown]:
    before = decode_cursor("security_alerts", request.cursor, RowId)
    wanted = Wanted(
        request.workspace_id,
        DOMAIN,
        states=request.state or (),
        severities=[each.value for each in request.severity or ()],
        source_id=request.data_source_id,
    )
    async with context.parts.database.read() as connection:
        rows = await alert_lists.list_of(connection, wanted, before=before, limit=request.limit + 1)
    return page_of(rows, request.limit, "security_alerts", key=lambda row: row.id, item=shown_alert)


async def get_alert(context: Context, request: GetSecurityAlert) -> SecurityAlert:
    alert = await _require(context, request.alert_id, Permission.READ)
    try:
        await context.parts.access.require(context.principal, Permission.MANAGE, alert.workspace_id)
    except Forbidden:
        return _shown(alert, None)
    async with context.parts.database.read() as connection:
        alert = await alerts.get(connection, alert.id) or alert
        return _shown(alert, await detections.evidence_of(connection, alert.id))


def _shown(alert: Alert, body: str | None) -> SecurityAlert:
    if body is None:
        return SecurityAlert(alert=shown_alert(alert), explanation=None, entity=None, events=None, trigger=None)
    found = msgspec.json.decode(body, type=Detected)
    events = [
        EventBehind(id=each.id, at=from_microseconds(each.at), about=each.about, count=each.count)
        for each in found.events
    ]
    trigger = msgspec.to_builtins(found.trigger) | {"at": from_microseconds(found.trigger.at).isoformat()}
    return SecurityAlert(
        alert=shown_alert(alert), explanation=found.explanation, entity=found.entity, events=events, trigger=trigger
    )


async def acknowledge(context: Context, request: AcknowledgeSecurityAlert) -> AlertShown:
    wanted = transitions.acknowledge(context.user.user_id, at=context.now(), note=request.note)
    return await _act(
        context, request.alert_id, "security_alerts.acknowledge", wanted, request.note, done_in=ACKNOWLEDGED
    )


async def resolve(context: Context, request: ResolveSecurityAlert) -> AlertShown:
    wanted = transitions.resolve(request.reason, at=context.now())
    return await _act(context, request.alert_id, "security_alerts.resolve", wanted, request.reason, done_in=RESOLVED)


async def _act(
    context: Context, alert_id: int, action: str, wanted: Transition, note: str | None, *, done_in: str
) -> AlertShown:
    """`done_in` is the state of an alert that is like that already; it is answered as it is."""
    before = await _require(context, alert_id, Permission.WRITE)
    actor, now = context.user.user_id, context.now()
    async with context.parts.feeds.writing() as (connection, outbox):
        changed = await transitions.move(connection, outbox, before.id, wanted, at=now, actor=actor, note=note)
        if changed is not None:
            details: dict[str, Any] = {"workspace_id": changed.workspace_id, "name": changed.name}
            await record(connection, context, action, str(changed.id), details)
            return shown_alert(changed)
        current = await alerts.get(connection, alert_id)
    if current is None:
        raise _no_alert(alert_id)
    if current.state != done_in:
        raise Conflict(
            f"The alert is {current.state}, so there is nothing to {action.rpartition('.')[2]}.", code="wrong_state"
        )
    return shown_alert(current)


async def _require(context: Context, alert_id: int, permission: Permission) -> Alert:
    async with context.parts.database.read() as connection:
        alert = await alerts.get(connection, alert_id)
    if alert is None or alert.domain != DOMAIN:
        raise _no_alert(alert_id)
    try:
        await context.parts.access.require(context.principal, permission, alert.workspace_id)
    except NotFound:
        raise _no_alert(alert_id) from None
    return alert


def _no_alert(alert_id: int) -> NotFound:
    return NotFound(
        f"There is no security alert {alert_id}, or you are not a member of its workspace.", code="no_such_alert"
    )


_WATCHED = Watched(frozenset({"alerts"}), passing=frozenset({"last_true_at"}))

OPERATIONS = (
    Operation(
        "security_alerts.list",
        ListSecurityAlerts,
        Page[AlertShown],
        list_alerts,
        f"GET {PATH}",
        Permission.READ,
        "List a workspace's security alerts.",
        watched=_WATCHED,
    ),
    Operation(
        "security_alerts.get",
        GetSecurityAlert,
        SecurityAlert,
        get_alert,
        f"GET {ONE}",
        Permission.SIGNED_IN,
        "Get a security alert, and for managers the events behind it.",
        errors=(Forbidden,),
    ),
    Operation(
        "security_alerts.acknowledge",
        AcknowledgeSecurityAlert,
        AlertShown,
        acknowledge,
        f"POST {ONE}/acknowledge",
        Permission.SIGNED_IN,
        "Say that you see to a security alert.",
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "security_alerts.resolve",
        ResolveSecurityAlert,
        AlertShown,
        resolve,
        f"POST {ONE}/resolve",
        Permission.SIGNED_IN,
        "Say that a security alert is over, and why.",
        errors=(Conflict, Forbidden),
    ),
)
