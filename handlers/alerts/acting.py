"""What people do about an alert: acknowledge it, snooze it, give it to somebody.

Each is one conditional update with its history, its audit row and its events in one transaction. One that has been
done already is answered as it is, with `changed` false: whoever was first is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from handlers import alert_transitions as transitions
from handlers.alert_shapes import AlertShown, shown_alert
from handlers.alert_transitions import Transition
from handlers.alerts.standing import ONE, Text, no_alert, require_alert
from handlers.audit_trail import record
from handlers.names import RowId, UserId
from handlers.registry import (
    Conflict,
    Context,
    Forbidden,
    InvalidRequest,
    Operation,
    Permission,
    PreconditionFailed,
)
from storage import alerts, members
from storage.alerts import ACKNOWLEDGED, FIRING, PENDING, RESOLVED, Alert

Version = Annotated[
    int, Meta(ge=1, le=2**31 - 1, description="Of the alert as the caller knows it: nothing is done to another.")
]
Seconds = Annotated[int, Meta(ge=1, le=366 * 86400)]


class AcknowledgeAlert(msgspec.Struct, frozen=True, kw_only=True):
    """It notifies no more. After `expires_in` seconds it does again, unless it is resolved by then."""

    alert_id: RowId
    note: Text | None = None
    expires_in: Seconds | None = None
    version: Version | None = None


class UnacknowledgeAlert(msgspec.Struct, frozen=True, kw_only=True):
    """It fires, and notifies, again."""

    alert_id: RowId
    note: Text | None = None
    version: Version | None = None


class SnoozeAlert(msgspec.Struct, frozen=True, kw_only=True):
    """It notifies nobody for so many seconds; another snooze takes the place of the one before."""

    alert_id: RowId
    seconds: Seconds
    note: Text | None = None
    version: Version | None = None


class UnsnoozeAlert(msgspec.Struct, frozen=True, kw_only=True):
    alert_id: RowId
    version: Version | None = None


class AssignAlert(msgspec.Struct, frozen=True, kw_only=True):
    """`user_id` is a member of the workspace; null takes it from whoever has it."""

    alert_id: RowId
    user_id: UserId | None
    note: Text | None = None
    version: Version | None = None


class AlertChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The alert as it is now. `changed` is false where it was like that already."""

    changed: bool
    alert: AlertShown


async def acknowledge(context: Context, request: AcknowledgeAlert) -> AlertChanged:
    now = context.now()
    until = None if request.expires_in is None else now + timedelta(seconds=request.expires_in)
    wanted = transitions.acknowledge(context.user.user_id, at=now, until=until, note=request.note)
    return await _act(context, "alerts.acknowledge", request, wanted, done_in=frozenset({ACKNOWLEDGED}))


async def unacknowledge(context: Context, request: UnacknowledgeAlert) -> AlertChanged:
    wanted = transitions.UNACKNOWLEDGE
    return await _act(context, "alerts.unacknowledge", request, wanted, done_in=frozenset({FIRING}))


async def snooze(context: Context, request: SnoozeAlert) -> AlertChanged:
    wanted = transitions.snooze(context.now() + timedelta(seconds=request.seconds))
    return await _act(context, "alerts.snooze", request, wanted, {"seconds": request.seconds})


async def unsnooze(context: Context, request: UnsnoozeAlert) -> AlertChanged:
    return await _act(context, "alerts.unsnooze", request, transitions.UNSNOOZE, done_in=alerts.OPEN)


async def assign(context: Context, request: AssignAlert) -> AlertChanged:
    alert = await require_alert(context, request.alert_id, Permission.WRITE)
    await _require_member(context, alert, request.user_id)
    wanted = transitions.assign(request.user_id)
    details = {"user_id": request.user_id}
    return await _act(context, "alerts.assign", request, wanted, details, done_in=alerts.OPEN)


async def _require_member(context: Context, alert: Alert, user_id: str | None) -> None:
    """Raises InvalidRequest."""
    if user_id is None:
        return
    async with context.parts.database.read() as connection:
        role = await members.role_of(connection, alert.workspace_id, user_id)
    if role is None:
        raise InvalidRequest(
            f"user_id: {user_id!r} is no member of the workspace {alert.workspace_id!r}.",
            code="no_member",
            details={"parameter": "user_id"},
        )


async def _act(
    context: Context,
    action: str,
    request: Any,
    wanted: Transition,
    details: Mapping[str, Any] | None = None,
    *,
    done_in: frozenset[str] = frozenset(),
) -> AlertChanged:
    """`done_in` are the states in which an alert that the transition is not for is like that already."""
    before = await require_alert(context, request.alert_id, Permission.WRITE)
    note = getattr(request, "note", None)
    async with context.parts.feeds.writing() as (connection, outbox):
        moved = await transitions.move(
            connection,
            outbox,
            before.id,
            wanted,
            at=context.now(),
            actor=context.user.user_id,
            note=note,
            expected_version=request.version,
        )
        if moved is not None:
            said = {"note": note, "version": moved.version, **(details or {})}
            await record(connection, context, action, str(moved.id), said)
            return AlertChanged(changed=True, alert=shown_alert(moved))
        now = await alerts.get(connection, before.id)
    return AlertChanged(changed=False, alert=shown_alert(_unchanged(before.id, now, request.version, done_in)))


def _unchanged(alert_id: int, now: Alert | None, version: int | None, done_in: frozenset[str]) -> Alert:
    """The alert, if it is like that already. Raises NotFound, Conflict, PreconditionFailed, which show it as it is."""
    if now is None:
        raise no_alert(alert_id)
    details = {"alert": msgspec.to_builtins(shown_alert(now))}
    if now.state == RESOLVED:
        raise Conflict("The alert is resolved.", code="alert_resolved", details=details)
    if version is not None and version != now.version:
        raise PreconditionFailed(
            f"The alert is of version {now.version} by now, not {version}; look at it and decide again.",
            details=details,
        )
    if now.state not in done_in:
        why = "does not fire yet" if now.state == PENDING else f"is {now.state}"
        raise Conflict(f"The alert {why}.", code=f"alert_{now.state}", details=details)
    return now


_ERRORS = (Conflict, Forbidden, PreconditionFailed)

OPERATIONS = (
    Operation(
        "alerts.acknowledge",
        AcknowledgeAlert,
        AlertChanged,
        acknowledge,
        f"POST {ONE}/acknowledge",
        Permission.SIGNED_IN,
        "Say that somebody sees to a firing alert.",
        errors=_ERRORS,
    ),
    Operation(
        "alerts.unacknowledge",
        UnacknowledgeAlert,
        AlertChanged,
        unacknowledge,
        f"POST {ONE}/unacknowledge",
        Permission.SIGNED_IN,
        "Take back an acknowledgement.",
        errors=_ERRORS,
    ),
    Operation(
        "alerts.snooze",
        SnoozeAlert,
        AlertChanged,
        snooze,
        f"POST {ONE}/snooze",
        Permission.SIGNED_IN,
        "Let an alert notify nobody for some time.",
        errors=_ERRORS,
    ),
    Operation(
        "alerts.unsnooze",
        UnsnoozeAlert,
        AlertChanged,
        unsnooze,
        f"POST {ONE}/unsnooze",
        Permission.SIGNED_IN,
        "End a snooze.",
        errors=_ERRORS,
    ),
    Operation(
        "alerts.assign",
        AssignAlert,
        AlertChanged,
        assign,
        f"POST {ONE}/assign",
        Permission.SIGNED_IN,
        "Give an alert to somebody.",
        errors=_ERRORS,
    ),
)
