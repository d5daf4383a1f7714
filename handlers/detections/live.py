"""Which detections are at work for a stream, and what the others lack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.detections.engine import RULES
from analysis.detections.events import DAY
from analysis.detections.hits import Rule
from analysis.detections.settings import Settings
from analysis.detections.state import State
from handlers.detections.shapes import DetectionShown, DetectionState, StreamShown
from storage.tables import from_microseconds

# The days of learning of these are settings; others have their own.
_LEARNING = frozenset({"TD-07", "TD-08", "TD-09", "TD-17"})


@dataclass(frozen=True, slots=True)
class Teller:
    """What tells of a stream's events, as far as it is known what it can never tell of."""

    name: str
    kinds: frozenset[str]
    # Where those that it does not tell of are looked for.
    elsewhere: str
    # What the events lack that a detection compares, by its id.
    lacks: Mapping[str, str]


def stream_shown(
    source_id: int | None, name: str, state: State, settings: Settings, teller: Teller | None = None
) -> StreamShown:
    shown = [_detection(rule, state, settings, teller) for rule in RULES]
    return StreamShown(
        data_source_id=source_id,
        name=name,
        looked_at=state.looked_at,
        waiting=len(state.pending),
        late=state.late,
        newest_event_at=from_microseconds(state.newest) if state.newest else None,
        live=sum(each.state == "live" for each in shown),
        detections=shown,
    )


def _detection(rule: Rule, state: State, settings: Settings, teller: Teller | None) -> DetectionShown:
    what, reason = (teller and _never(rule, settings, teller)) or _standing(rule, state, settings)
    return DetectionShown(
        id=rule.id,
        title=rule.title,
        severity=rule.severity,
        tactic=rule.tactic,
        kinds=sorted(rule.kinds),
        state=what,
        reason=reason,
    )


def _never(rule: Rule, settings: Settings, teller: Teller) -> tuple[DetectionState, str] | None:
    """Why the detection can find nothing whatever comes, if that is so."""
    if rule.id in settings.disabled:
        return None
    if not rule.kinds & teller.kinds:
        return "no_events", f"{teller.name} tells of nothing that it looks at{teller.elsewhere}."
    if (lack := teller.lacks.get(rule.id)) is not None:
        return "no_events", f"{teller.name} {lack}."
    return None


def _standing(rule: Rule, state: State, settings: Settings) -> tuple[DetectionState, str | None]:
    if rule.id in settings.disabled:
        return "off", "It is turned off in the settings."
    if not any(state.kinds.get(kind) for kind in rule.kinds):
        return "no_events", f"No event of the kinds that it looks at has come: {', '.join(sorted(rule.kinds))}."
    if rule.needs_place and not state.with_place:
        return "no_events", "No event came with the latitude and longitude that it compares."
    if rule.id == "TD-20" and not settings.canaries:
        return "off", "The settings name no canaries."
    days = settings.learning_days if rule.id in _LEARNING else rule.learns_days
    ends_at = state.started_at + days * DAY
    if state.newest < ends_at:
        return "learning", f"It learns what is ordinary until {from_microseconds(ends_at):%Y-%m-%d %H:%M} UTC."
    return "live", None
