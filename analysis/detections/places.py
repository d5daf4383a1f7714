"""Detections on who comes from where: TD-06 to TD-08, TD-14 and TD-15."""

from __future__ import annotations

from itertools import pairwise
from math import asin, cos, radians, sin, sqrt

from analysis.detections.events import DAY, HOUR, MINUTE, Event, network_of
from analysis.detections.hits import Behind, Ground, Hit, Rule, Severity, alone, behind
from analysis.detections.state import Place
from analysis.detections.windows import Entry

_EARTH_KILOMETRES = 6371.0
_LOGIN = frozenset({"authn_login_success"})


def impossible_travel(event: Event, on: Ground) -> Hit | None:
    if event.latitude is None or event.longitude is None or on.lookup.is_egress(event.address):
        return None
    before = on.state.places.get(event.actor)
    # Where somebody was last is no habit that one could be taught: it is noted under a grave alert, too.
    on.state.places[event.actor] = Place(event.at, event.id, event.latitude, event.longitude, event.network_owner)
    if before is None or (before.network_owner and before.network_owner == event.network_owner):
        return None
    distance = kilometres(before.latitude, before.longitude, event.latitude, event.longitude)
    hours = max(event.at - before.at, MINUTE) / HOUR
    limits = on.lookup.settings
    if distance <= limits.travel_kilometres or distance / hours <= limits.travel_kilometres_per_hour:
        return None
    text = f"{event.actor} was let in at two places {distance:.0f} km apart within {hours:.1f} hours."
    first = Behind(id=before.id, at=before.at, about=f"{before.latitude:.2f}, {before.longitude:.2f}")
    second = alone(event, f"{event.latitude:.2f}, {event.longitude:.2f}")
    return Hit(event.actor, "medium", text, distance / hours, limits.travel_kilometres_per_hour, (first, *second))


def kilometres(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """The distance on a sphere (haversine)."""
    a, b = radians(latitude), radians(other_latitude)
    half = sin((b - a) / 2) ** 2 + cos(a) * cos(b) * sin(radians(other_longitude - longitude) / 2) ** 2
    return 2 * _EARTH_KILOMETRES * asin(min(1.0, sqrt(half)))


def is_new(event: Event, on: Ground, name: str, key: str) -> bool:
    """Whether it was not seen for long, after the time of learning; notes that it is seen now unless frozen."""
    seen = on.state.seen.setdefault(name, {})
    last = seen.get(key)
    if not on.frozen:
        seen[key] = event.at
    if event.at - on.state.started_at < on.lookup.settings.learning_days * DAY:
        return False
    return last is None or event.at - last > on.lookup.settings.unseen_days * DAY


def new_principal(event: Event, on: Ground) -> Hit | None:
    if not event.actor or not is_new(event, on, "TD-07", event.actor):
        return None
    severity: Severity = "medium" if event.is_admin else "low"
    days = on.lookup.settings.unseen_days
    text = f"{event.actor} was let in and had not been seen here for {days} days, or never."
    return Hit(event.actor, severity, text, 1, 1, alone(event, event.address))


def new_place(event: Event, on: Ground) -> Hit | None:
    """A new network, country or application of somebody who is known."""
    if not event.actor or on.lookup.is_egress(event.address):
        return None
    known = event.actor in on.state.seen.get("TD-08 actors", {})
    if not on.frozen:
        on.state.seen.setdefault("TD-08 actors", {})[event.actor] = event.at
    found = []
    for what, value in (
        ("network", network_of(event.address)),
        ("country", event.country),
        ("application", event.application),
    ):
        key = f"{event.actor}\n{what}\n{value}"
        if value and is_new(event, on, "TD-08", key):
            found.append(f"{what} {value}")
    if not found or not known:
        return None
    text = f"{event.actor} was let in from what is new of this account: {', '.join(found)}."
    return Hit(event.actor, "low", text, len(found), 1, alone(event, ", ".join(found)))


def token_in_two_networks(event: Event, on: Ground) -> Hit | None:
    if event.kind == "authn_token_reuse":
        text = f"A credential of {event.actor or 'somebody'} that may be used once was used again."
        return Hit(event.token or event.actor, "high", text, 1, 1, alone(event, event.address))
    if not event.token or not event.address or on.lookup.is_egress(event.address):
        return None
    window = on.state.window("TD-14", event.token)
    window.add(event, network_of(event.address), 5 * MINUTE)
    # Somebody who goes from one network to another comes from each once; a stolen token is used on both by turns.
    if len(window.values) < 2 or _changes(window.entries) < 2:
        return None
    text = f"The credential {event.token} of {event.actor} is used from {len(window.values)} networks at once: "
    text += f"{', '.join(sorted(window.values)[:5])}."
    return Hit(event.token, "high", text, len(window.values), 2, behind(window.entries))


def _changes(entries: list[Entry]) -> int:
    return sum(one.value != other.value for one, other in pairwise(entries))


def use_after_end(event: Event, on: Ground) -> Hit | None:
    entity = event.token or event.actor
    window = on.state.window("TD-15", entity)
    window.add(event, event.address, 10 * MINUTE)
    threshold = on.lookup.settings.uses_after_end
    if window.total < threshold:
        return None
    text = f"A credential ({entity or 'unknown'}) was used {window.total} times within 10 minutes after it had ended."
    return Hit(entity, "medium", text, window.total, threshold, behind(window.entries))


RULES = (
    Rule("TD-06", "Impossible travel", "medium", "initial access", _LOGIN, impossible_travel, needs_place=True),
    Rule("TD-07", "A principal not seen before", "low", "initial access", _LOGIN, new_principal, learns_days=14),
    Rule("TD-08", "A new place or application", "low", "initial access", _LOGIN, new_place, learns_days=14),
    Rule(
        "TD-14",
        "One credential in two networks, or used twice",
        "high",
        "credential access",
        frozenset({"authn_token_reuse", "authn_login_success", "sensitive_read", "sql_statement"}),
        token_in_two_networks,
    ),
    Rule(
        "TD-15",
        "A credential is used after its end",
        "medium",
        "persistence",
        frozenset({"session_use_after_expire"}),
        use_after_end,
    ),
)
