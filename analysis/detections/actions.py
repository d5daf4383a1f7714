"""Detections on single actions: TD-10 and TD-18 to TD-20."""

from __future__ import annotations

from typing import get_args

from analysis.detections.events import DAY, HOUR, MINUTE, Event, Kind
from analysis.detections.hits import Ground, Hit, Rule, Severity, alone, behind
from analysis.detections.windows import Habit


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
    if _is_habit(event, on):
        return None
    window = on.state.window("TD-19", event.actor)
    window.add(event, _about(event), 10 * MINUTE)
    threshold = on.lookup.settings.destructive
    if window.total < threshold:
        return None
    text = f"{event.actor or 'Somebody'} deleted {window.total} times within 10 minutes."
    return Hit(event.actor, "high", text, window.total, threshold, behind(window.entries))


def _is_habit(event: Event, on: Ground) -> bool:
    """Whether the account emptied the same on some days before, as jobs do that fill a table anew each night.

    This is learnt under a grave alert, too: its own alert would otherwise keep it from ever being learnt.
    """
    key = f"{event.actor}\n{event.object}"
    habit = on.state.habits.get(key)
    is_habit = habit is not None and habit.days - (habit.day == event.at // DAY) >= _DAYS_OF_A_HABIT
    if event.object:
        if habit is None:
            on.state.habits[key] = Habit(event.at // DAY)
        else:
            habit.add(event.at // DAY)
    return is_habit


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


_DAYS_OF_A_HABIT = 3
_CHANGE = frozenset({"privilege_permissions_changed"})
_OFF = frozenset({"sys_monitor_disabled"})
_DELETE = frozenset({"sensitive_delete"})

RULES = (
    Rule("TD-10", "Privilege escalation", "high", "privilege escalation", _CHANGE, escalation),
    Rule("TD-18", "Defence evasion", "high", "defense evasion", _OFF, defence_evasion),
    Rule("TD-19", "Destructive burst", "high", "impact", _DELETE, destructive_burst),
    Rule("TD-20", "Canary touched", "critical", "collection", frozenset(get_args(Kind)), canary, repeats=True),
)
