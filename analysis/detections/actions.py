"""Detections on single actions: TD-10 and TD-18 to TD-20."""

from __future__ import annotations

from typing import get_args

from analysis.detections.events import DAY, HOUR, MINUTE, Event, Kind
from analysis.detections.hits import Ground, Hit, Rule, Severity, alone, behind


def escalation(event: Event, on: Ground) -> Hit | None:
    hours = on.lookup.settings.change_hours
    is_outside = hours is not None and not hours[0] <= event.at % DAY // HOUR < hours[1]
    is_own = bool(event.actor) and event.actor == event.target
    severity: Severity = "high" if is_own or is_outside else "medium"
    text = f"{event.actor or 'Somebody'} gave {'themselves' if is_own else event.target or 'somebody'} more rights"
    text += " outside the hours for changes." if is_outside else "."
    return Hit(event.actor, severity, text, 1, 1, alone(event, _about(event)))


def defence_evasion(event: Event, _: Ground) -> Hit | None:
    text = f"{event.actor or 'Somebody'} turned off or loosened what watches: {_about(event) or 'not said what'}."
    return Hit(event.actor, "high", text, 1, 1, alone(event, _about(event)))


def destructive_burst(event: Event, on: Ground) -> Hit | None:
    if event.object in on.lookup.restricted:
        text = f"{event.actor or 'Somebody'} deleted from {event.object}, which is restricted."
        return Hit(event.actor, "high", text, 1, 1, alone(event, event.object))
    window = on.state.window("TD-19", event.actor)
    window.add(event, _about(event), 10 * MINUTE)
    threshold = on.lookup.settings.destructive
    if window.total < threshold:
        return None
    text = f"{event.actor or 'Somebody'} deleted {window.total} times within 10 minutes."
    return Hit(event.actor, "high", text, window.total, threshold, behind(window.entries))


def canary(event: Event, on: Ground) -> Hit | None:
    if not on.lookup.canaries:
        return None
    touched = next((each for each in (event.object, event.actor, event.token) if each in on.lookup.canaries), None)
    if touched is None and event.statement:
        touched = next((each for each in on.lookup.canaries if each in event.statement), None)
    if touched is None:
        return None
    text = f"{event.actor or 'Somebody'} touched {touched}, which nobody has a reason to touch."
    return Hit(f"{touched} {event.id}", "critical", text, 1, 1, alone(event, touched))


def _about(event: Event) -> str:
    return (event.object or event.target or event.statement)[:200]


_CHANGE = frozenset({"privilege_permissions_changed"})
_OFF = frozenset({"sys_monitor_disabled"})
_DELETE = frozenset({"sensitive_delete"})

RULES = (
    Rule("TD-10", "Privilege escalation", "high", "privilege escalation", _CHANGE, escalation),
    Rule("TD-18", "Defence evasion", "high", "defense evasion", _OFF, defence_evasion),
    Rule("TD-19", "Destructive burst", "high", "impact", _DELETE, destructive_burst),
    Rule("TD-20", "Canary touched", "critical", "collection", frozenset(get_args(Kind)), canary, repeats=True),
)
