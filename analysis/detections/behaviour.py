"""Detections on what is unusual for somebody: TD-09, TD-11, TD-12 and TD-13."""

from __future__ import annotations

from statistics import median

from analysis.detections.events import DAY, HOUR, MINUTE, Event
from analysis.detections.hits import Ground, Hit, Rule, Severity, alone, behind
from analysis.detections.state import HOURS_A_WEEK, Days, State, Week

# Somebody who works at all hours alike has 1/168 = 0.6 % in each; a sixth of that is told from chance.
OFF_HOURS_SHARE = 0.001
_EVENTS_TO_LEARN = 200
_DAYS_TO_LEARN = 5
_WEEKS_TO_LEARN = 3
_DENIED_SHARE = 0.1
_MISSING = "missing: "
_ACTIONS = frozenset({"privilege_permissions_changed", "sensitive_delete", "sys_monitor_disabled"})
_READ = frozenset({"sensitive_read"})


def off_hours(event: Event, on: Ground) -> Hit | None:
    if not event.actor:
        return None
    week = on.state.weeks.get(event.actor)
    if week is None:
        week = on.state.weeks[event.actor] = Week([0.0] * HOURS_A_WEEK, since=event.at // DAY)
    matters = event.is_admin or event.kind in _ACTIONS or event.object in on.lookup.restricted
    # The first Saturday is unlike all that was before.
    is_known = week.number >= _EVENTS_TO_LEARN and event.at // DAY - week.since >= on.lookup.settings.learning_days
    share = week.share(event.at) if matters and is_known else 1.0
    if not on.frozen:
        week.add(event.at)
    if share >= OFF_HOURS_SHARE:
        return None
    text = f"{event.actor} did something sensitive ({event.kind} {event.object}".rstrip() + ") at an hour in which "
    text += f"{share:.2%} of what this account does happens."
    severity: Severity = "medium" if event.kind in _ACTIONS else "low"
    return Hit(event.actor, severity, text, share, OFF_HOURS_SHARE, alone(event, event.object))


def mass_export(event: Event, on: Ground) -> Hit | None:
    if not event.actor:
        return None
    limits = on.lookup.settings
    if event.object in on.lookup.restricted and event.rows >= limits.restricted_rows:
        text = f"{event.actor} read {event.rows:,} rows of {event.object}, which is restricted."
        return Hit(event.actor, "high", text, event.rows, limits.restricted_rows, alone(event, event.object))
    days = _noted(event, on.state)
    if on.frozen:
        days.taint()
    today = days.rows[-1]
    if today <= limits.export_rows:
        return None
    ordinary = days.percentile_95() if len(days.past()) >= _DAYS_TO_LEARN else _of_peers(on.state, days.day)
    if ordinary is None or today <= limits.export_factor * ordinary:
        return None
    days.taint()
    if days.told[0] == days.day and today < 2 * days.told[1]:
        return None
    days.told = (days.day, today)
    text = f"{event.actor} read {today:,} rows today; {ordinary:,} a day are much for this account."
    threshold = max(limits.export_rows, limits.export_factor * ordinary)
    return Hit(event.actor, "high", text, today, threshold, alone(event, event.object))


def _noted(event: Event, state: State) -> Days:
    days = state.days.get(event.actor)
    if days is None:
        days = state.days[event.actor] = Days(event.at // DAY, [0])
    days.add(event.at, event.rows)
    return days


def _of_peers(state: State, day: int) -> int | None:
    """What is much for those who are known for long enough, reckoned once a day; None where nobody is."""
    if state.peers is None or state.peers[0] != day:
        known = [days for days in state.days.values() if len(days.past()) >= _DAYS_TO_LEARN]
        state.peers = (day, int(median(days.percentile_95() for days in known)) if known else None)
    return state.peers[1]


def slow_export(event: Event, on: Ground) -> Hit | None:
    """Comes after `mass_export`, which notes the rows."""
    days = on.state.days.get(event.actor)
    if days is None or sum(days.rows[-7:]) <= on.lookup.settings.export_rows:
        return None
    *before, newest = days.weeks()[-9:] or [0]
    if len(before) < _WEEKS_TO_LEARN:
        return None
    ordinary = median(before)
    threshold = on.lookup.settings.slow_export_factor * ordinary
    if newest <= threshold or (days.day - days.told_week[0] < 7 and newest < 2 * days.told_week[1]):
        return None
    days.told_week = (days.day, newest)
    text = f"{event.actor} read {newest:,} rows within 7 days; {ordinary:,.0f} are ordinary for this account."
    return Hit(event.actor, "medium", text, newest, threshold, alone(event, event.object))


def enumeration(event: Event, on: Ground) -> Hit | None:
    if not event.actor:
        return None
    window = on.state.window("TD-13", event.actor)
    is_denied = event.kind == "authz_fail"
    window.add(event, f"{_MISSING if is_denied else ''}{event.object}", 5 * MINUTE)
    limits = on.lookup.settings
    if is_denied and (slow := _slow_enumeration(event, on)) is not None:
        return slow
    if len(window.values) < limits.enumerated_objects and not (is_denied and window.total >= limits.denied):
        return None
    denied = sum(count for value, count in window.values.items() if value.startswith(_MISSING))
    many = len(window.values) >= limits.enumerated_objects and denied >= _DENIED_SHARE * window.total
    if denied < limits.denied and not many:
        return None
    text = f"{event.actor} asked for {len(window.values)} objects within 5 minutes; {denied} requests were denied "
    text += "or for what is not there."
    value, threshold = (len(window.values), limits.enumerated_objects) if many else (denied, limits.denied)
    return Hit(event.actor, "medium", text, value, threshold, behind(window.entries))


def _slow_enumeration(event: Event, on: Ground) -> Hit | None:
    window = on.state.window("TD-13 denied", event.actor)
    window.add(event, event.object, HOUR)
    threshold = on.lookup.settings.denied_in_60_minutes
    if window.total < threshold:
        return None
    text = f"{event.actor} was denied {window.total} requests within 60 minutes, for {len(window.values)} objects."
    return Hit(event.actor, "medium", text, window.total, threshold, behind(window.entries))


RULES = (
    Rule(
        "TD-09",
        "Sensitive work at an unusual hour",
        "low",
        "collection",
        frozenset({"authn_login_success", "sensitive_read", "sql_statement", *_ACTIONS}),
        off_hours,
        learns_days=14,
    ),
    Rule("TD-11", "Mass export", "high", "exfiltration", _READ, mass_export, learns_days=_DAYS_TO_LEARN),
    Rule("TD-12", "Slow export", "medium", "exfiltration", _READ, slow_export, learns_days=(_WEEKS_TO_LEARN + 1) * 7),
    Rule("TD-13", "Enumeration of objects", "medium", "discovery", frozenset({"authz_fail", *_READ}), enumeration),
)
