"""What a rule says when it finds something, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from analysis.detections.events import Event
from analysis.detections.settings import Lookup
from analysis.detections.state import State
from analysis.detections.windows import Entry

Severity = Literal["info", "low", "medium", "high", "critical"]

MOST_EVENTS = 50


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """An event behind an alert: `about` is what of it counts for the rule."""

    id: str
    at: int
    about: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule's finding: whom it is about, how bad it is, why in a sentence, and the newest events behind it."""

    entity: str
    severity: Severity
    explanation: str
    value: float
    threshold: float
    behind: tuple[Behind, ...] = ()


@dataclass(slots=True)
class Ground:
    """What a rule judges by. `frozen`: nothing is to be learnt of the actor, of whom a grave alert is open."""

    state: State
    lookup: Lookup
    frozen: bool = False


Observe = Callable[[Event, Ground], Hit | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A detection. `observe` is called with each event of its kinds, in the order of time.

    `needs_place`: only events with coordinates tell it anything. A rule that `repeats` is never deduplicated.
    """

    id: str
    title: str
    severity: Severity
    tactic: str
    kinds: frozenset[str]
    observe: Observe
    learns_days: int = 0
    needs_place: bool = False
    repeats: bool = False


def behind(entries: Iterable[Entry]) -> tuple[Behind, ...]:
    """The newest of a window."""
    newest = list(entries)[-MOST_EVENTS:]
    return tuple(Behind(id=each.id, at=each.at, about=each.value, count=each.count) for each in newest)


def alone(event: Event, about: str) -> tuple[Behind, ...]:
    return (Behind(id=event.id, at=event.at, about=about, count=event.count),)
