"""Detections over a stream: events in the order of their time, whichever order they come in.

An event waits until one that is two minutes later has come, or until the stream has rested; what comes later than that
is counted and left out. So the alerts are the same however a stream is cut, mixed within two minutes or repeated.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

import msgspec

from analysis.detections import actions, behaviour, credentials, places, statements
from analysis.detections.events import HOUR, MINUTE, Event
from analysis.detections.hits import Behind, Ground, Hit, Rule, Severity
from analysis.detections.settings import Lookup, Settings
from analysis.detections.state import Raised, State

LATENESS = 2 * MINUTE
DEDUPLICATED = HOUR
# More entities of one rule within ten minutes are one alert.
STORM = 20
_STORM_SPAN = 10 * MINUTE

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (*credentials.RULES, *places.RULES, *behaviour.RULES, *actions.RULES, *statements.RULES), key=attrgetter("id")
    )
)
BY_ID = {rule.id: rule for rule in RULES}

_states = msgspec.msgpack.Decoder(State)


class Detected(msgspec.Struct, frozen=True, kw_only=True):
    """What an alert is made of. `is_new` is false for more of what was raised within the last hour; `hits` counts."""

    rule: str
    entity: str
    at: int
    is_new: bool
    hits: int
    severity: Severity
    explanation: str
    value: float
    threshold: float
    events: tuple[Behind, ...]
    trigger: Event


class Engine:
    """Goes on from `state`."""

    def __init__(self, settings: Settings, state: State | None = None) -> None:
        self.state = state or State()
        self._ground = Ground(self.state, Lookup(settings))
        on = [rule for rule in RULES if rule.id not in settings.disabled]
        kinds = {kind for rule in on for kind in rule.kinds}
        self._by_kind = {kind: tuple(rule for rule in on if kind in rule.kinds) for kind in kinds}

    def take(self, events: Iterable[Event]) -> list[Detected]:
        """The events, and what is found in all that is now old enough."""
        state = self.state
        for event in events:
            if event.at <= state.watermark:
                # An event that comes again is not told from a late one: either way it is too late for it.
                state.late += 1
            else:
                state.pending.setdefault(event.id, event)
                state.newest = max(state.newest, event.at)
        return self._release(state.newest - LATENESS)

    def take_in_order(self, events: Iterable[Event]) -> list[Detected]:
        """Events of a log that numbers its rows, each once and in that order: none of them waits, and none is late.

        One that happened before the one that it comes after is taken to have happened at the same time.
        """
        state = self.state
        found: list[Detected] = []
        for event in events:
            at = max(event.at, state.watermark)
            state.watermark = state.newest = at
            found += self._look_at(event if event.at == at else msgspec.structs.replace(event, at=at))
        return found

    def rest(self) -> list[Detected]:
        """Nothing came for long: what is found in all that waits."""
        return self._release(self.state.newest)

    def _release(self, until: int) -> list[Detected]:
        state = self.state
        if until <= state.watermark:
            return []
        ripe = [event for event in state.pending.values() if event.at <= until]
        state.watermark = until
        if not ripe:
            return []
        ripe.sort(key=_order)
        state.pending = {event.id: event for event in state.pending.values() if event.at > until}
        found: list[Detected] = []
        for event in ripe:
            found += self._look_at(event)
        return found

    def _look_at(self, event: Event) -> list[Detected]:
        state = self.state
        if not state.started_at:
            state.started_at = event.at
        state.looked_at += 1
        state.kinds[event.kind] = state.kinds.get(event.kind, 0) + 1
        if event.latitude is not None:
            state.with_place += 1
        state.sweep(event.at)
        self._ground.frozen = event.actor in state.frozen
        found = []
        for rule in self._by_kind.get(event.kind, ()):
            hit = rule.observe(event, self._ground)
            if hit is not None:
                found.append(self._raise(rule, hit, event))
        return found

    def _raise(self, rule: Rule, hit: Hit, event: Event) -> Detected:
        if hit.severity in ("high", "critical") and event.actor:
            self.state.frozen.setdefault(event.actor, event.at)
        entity = hit.entity if rule.repeats else self._folded(rule, hit.entity, event)
        key = f"{rule.id}|{entity}"
        raised = self.state.raised.get(key)
        is_new = raised is None or event.at - raised.at >= DEDUPLICATED
        if raised is None or is_new:
            raised = self.state.raised[key] = Raised(event.at, 0)
        raised.hits += 1
        return Detected(
            rule=rule.id,
            entity=entity,
            at=event.at,
            is_new=is_new,
            hits=raised.hits,
            severity=hit.severity,
            explanation=hit.explanation,
            value=float(hit.value),
            threshold=float(hit.threshold),
            events=hit.behind,
            trigger=event,
        )

    def _folded(self, rule: Rule, entity: str, event: Event) -> str:
        """The entity, or all of them as one where one alert each would be a storm."""
        window = self.state.window(f"storm {rule.id}", "")
        if entity in window.values or f"{rule.id}|{entity}" in self.state.raised:
            return entity
        window.prune(event.at - _STORM_SPAN)
        if len(window.values) >= STORM:
            return "many"
        window.add(event, entity, _STORM_SPAN)
        return entity


def _order(event: Event) -> tuple[int, str]:
    return event.at, event.id


def packed(state: State) -> bytes:
    """The state as bytes."""
    return msgspec.msgpack.encode(state)


def unpacked(data: bytes) -> State:
    """Raises msgspec.MsgspecError for what is no state of this version."""
    return _states.decode(data)
