"""The one way in which alerts change state, whoever changes them: the row, its history and its events together.

All of it happens in the caller's transaction. A change is one conditional UPDATE: of those who try at once only one
gets it, and an alert that is not in a state which the change is for stays as it is. Each change is an event on
`alerts.<domain>` and on `alerts.<domain>.<source>` in the alert's workspace, with the alert as it was right after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.alert_shapes import rank_of, shown_alert
from handlers.feed_names import feed_of
from handlers.outbox import Outbox
from storage import alert_history, alert_opening, alerts
from storage.alert_history import Happening
from storage.alerts import ACKNOWLEDGED, FIRING, OPEN, PENDING, RESOLVED, Alert, Change, Finding, NewAlert

# What fires again within this time after it was resolved is the same incident.
REOPEN_WINDOW = timedelta(minutes=10)
# With more evidence an event might not fit into a feed; it is to be had by the alert's id.
MAX_EVIDENCE_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Transition:
    """What happens to an alert; `kind` is the type of its event. Many moves that share one are few statements."""

    kind: str
    change: Change


@dataclass(frozen=True, slots=True)
class Move:
    """An alert that changes, perhaps with what it is shown with from then on."""

    alert_id: int
    transition: Transition
    finding: Finding | None = None
    actor: str | None = None
    note: str | None = None


_NOT_ACKNOWLEDGED: dict[str, Any] = dict.fromkeys(
    ("acknowledged_at", "acknowledged_by", "acknowledged_until", "acknowledged_note")
)

# An alert that was resolved a moment ago and fires again is told as reopened.
FIRED, REOPENED, COMMENTED = "alert.fired", "alert.reopened", "alert.commented"
FIRE = Transition(FIRED, Change(frozenset({PENDING}), {"state": FIRING}, fires=True))
UNACKNOWLEDGE = Transition(
    "alert.unacknowledged", Change(frozenset({ACKNOWLEDGED}), {"state": FIRING, **_NOT_ACKNOWLEDGED})
)
UNSNOOZE = Transition("alert.unsnoozed", Change(OPEN, {"snoozed_until": None}, unless_equal="snoozed_until"))
ACKNOWLEDGEMENT_ENDS = Transition(
    "alert.unacknowledged",
    Change(frozenset({ACKNOWLEDGED}), {"state": FIRING, **_NOT_ACKNOWLEDGED}, due="acknowledged_until"),
)
SNOOZE_ENDS = Transition("alert.unsnoozed", Change(OPEN, {"snoozed_until": None}, due="snoozed_until"))


def resolve(reason: str, *, at: datetime) -> Transition:
    """`reason` says in a sentence why it is over."""
    values = {"state": RESOLVED, "resolved_at": at, "resolved_reason": reason, "suppressed_by": None}
    return Transition("alert.resolved", Change(OPEN, values))


def acknowledge(by: str, *, at: datetime, until: datetime | None = None, note: str | None = None) -> Transition:
    """Somebody sees to it: it notifies no more, until the acknowledgement ends if it does."""
    values = {"state": ACKNOWLEDGED, "acknowledged_at": at, "acknowledged_by": by}
    values |= {"acknowledged_until": until, "acknowledged_note": note}
    return Transition("alert.acknowledged", Change(frozenset({FIRING}), values))


def snooze(until: datetime) -> Transition:
    return Transition("alert.snoozed", Change(OPEN, {"snoozed_until": until}))


def assign(user_id: str | None) -> Transition:
    change = Change(OPEN, {"assignee": user_id}, unless_equal="assignee")
    return Transition("alert.assigned" if user_id else "alert.unassigned", change)


def suppress(by: Sequence[Mapping[str, Any]]) -> Transition:
    """Nobody is notified because of these (see `alert_shapes.Suppression`); with none, people are again."""
    values = {"suppressed_by": list(by) or None}
    change = Change(OPEN, values, unless_equal="suppressed_by")
    return Transition("alert.suppressed" if by else "alert.unsuppressed", change)


def set_severity(alert: Alert, severity: str) -> Transition:
    """Where it becomes worse than what somebody acknowledged, it fires again."""
    values: dict[str, Any] = {"severity": severity}
    if rank_of(severity) <= rank_of(alert.severity):
        return Transition("alert.severity_lowered", Change(OPEN, values))
    if alert.state != ACKNOWLEDGED:
        return Transition("alert.severity_raised", Change(OPEN - {ACKNOWLEDGED}, values))
    values |= {"state": FIRING, **_NOT_ACKNOWLEDGED}
    return Transition("alert.severity_raised", Change(frozenset({ACKNOWLEDGED}), values))


async def open_alert(connection: AsyncConnection, outbox: Outbox, new: NewAlert, *, at: datetime) -> Alert:
    """The alert, new or reopened; the one that is open already where there is one, as it is."""
    return (await open_alerts(connection, outbox, [new], at=at))[0]


async def open_alerts(
    connection: AsyncConnection, outbox: Outbox, new: Sequence[NewAlert], *, at: datetime
) -> list[Alert]:
    """One for each that is to be opened, in their order.

    The same fingerprint within `REOPEN_WINDOW` after it was resolved is the same incident, and reopened. What is open
    already stays as it is, and nothing is told of it.
    """
    wanted = {each.key: each for each in new}
    earliest = min((each.at or at for each in new), default=at)
    known = await alert_opening.find(
        connection, [each.fingerprint for each in wanted.values()], resolved_after=earliest - REOPEN_WINDOW
    )
    known = {key: alert for key, alert in known.items() if key in wanted and _is_same(alert, wanted[key].at or at)}
    again = {alert.id: wanted[key] for key, alert in known.items() if alert.state == RESOLVED}
    reopened = await alert_opening.reopen(connection, again, at=at)
    created = await alert_opening.create(connection, [each for key, each in wanted.items() if key not in known], at=at)
    await _tell(connection, outbox, [_Told(alert, _kind_of_opened(alert)) for alert in (*reopened, *created)])
    known |= {alert.key: alert for alert in (*reopened, *created)}
    if missing := [each for key, each in wanted.items() if key not in known]:
        # Another transaction opened them between our look and our insert.
        known |= await alert_opening.find(connection, [each.fingerprint for each in missing], resolved_after=at)
    return [known[each.key] for each in new]


def _is_same(alert: Alert, at: datetime) -> bool:
    """Whether what is bad at that time is this incident."""
    return alert.resolved_at is None or alert.resolved_at > at - REOPEN_WINDOW


def _kind_of_opened(alert: Alert) -> str:
    if alert.state == PENDING:
        return "alert.pending"
    return REOPENED if alert.reopened else FIRED


async def move(
    connection: AsyncConnection,
    outbox: Outbox,
    alert_id: int,
    transition: Transition,
    *,
    at: datetime,
    actor: str | None = None,
    note: str | None = None,
    expected_version: int | None = None,
) -> Alert | None:
    """The alert as it is now; None if it was in no state, or not of the version, that the transition is for."""
    changed = await alerts.change(connection, [alert_id], transition.change, at=at, expected_version=expected_version)
    await _tell(connection, outbox, [_Told(alert, _kind_of(alert, transition), actor, note) for alert in changed], at)
    return changed[0] if changed else None


async def move_many(connection: AsyncConnection, outbox: Outbox, moves: Sequence[Move], *, at: datetime) -> list[Alert]:
    """Those that changed, as they are now; one alert at most once in a call.

    What makes no change, because the alert is in another state, is left out.
    """
    by_id = {each.alert_id: each for each in moves}
    await alerts.lock(connection, by_id)
    await alerts.find_anew(connection, [each.finding for each in moves if each.finding is not None])
    groups: dict[Transition, list[int]] = {}
    for each in by_id.values():
        groups.setdefault(each.transition, []).append(each.alert_id)
    changed: list[Alert] = []
    for transition, ids in groups.items():
        changed += await alerts.change(connection, ids, transition.change, at=at)
    told = []
    for alert in changed:
        each = by_id[alert.id]
        told.append(_Told(alert, _kind_of(alert, each.transition), each.actor, each.note))
    await _tell(connection, outbox, told, at)
    return changed


async def comment(
    connection: AsyncConnection, outbox: Outbox, alert_id: int, text: str, *, at: datetime, actor: str
) -> None:
    """Something is said of it; it stays of the same version. Nothing if the alert is gone."""
    await alerts.lock(connection, [alert_id])
    told = [_Told(alert, COMMENTED, actor, text) for alert in await alerts.get_many(connection, [alert_id])]
    await _tell(connection, outbox, told, at)


@dataclass(frozen=True, slots=True)
class _Told:
    alert: Alert
    kind: str
    actor: str | None = None
    note: str | None = None


def _kind_of(alert: Alert, transition: Transition) -> str:
    return REOPENED if transition.change.fires and alert.reopened else transition.kind


async def _tell(connection: AsyncConnection, outbox: Outbox, told: Sequence[_Told], at: datetime | None = None) -> None:
    happenings = [
        Happening(
            each.alert.id,
            at or each.alert.updated_at,
            each.kind,
            each.alert.state,
            each.actor,
            each.alert.value,
            _note_of(each),
        )
        for each in told
    ]
    await alert_history.note(connection, happenings)
    for each in told:
        data = {"alert": _data_of(each.alert), "note": _note_of(each)}
        for feed in feeds_of(each.alert):
            outbox.add(feed, each.kind, data, actor=each.actor)


def _note_of(told: _Told) -> str | None:
    return told.note if told.note is not None or told.kind != "alert.resolved" else told.alert.resolved_reason


def feeds_of(alert: Alert) -> list[str]:
    """The feeds that are told of the alert."""
    names = [f"alerts.{alert.domain}"]
    if alert.source_id is not None:
        names.append(f"{names[0]}.{alert.source_id}")
    return [feed_of(alert.workspace_id, name) for name in names]


def _data_of(alert: Alert) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(shown_alert(alert))
    if len(msgspec.json.encode(alert.evidence)) > MAX_EVIDENCE_BYTES:
        shown["evidence"] = {"omitted": True}
    return shown
