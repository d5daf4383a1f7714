"""Events made by hand, and what is detected in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from analysis.detections.engine import Detected, Engine
from analysis.detections.events import DAY, Event
from analysis.detections.settings import Settings

START = 20_500 * DAY  # a Monday
DEFAULTS = Settings()


def event(at: int, kind: Any, **more: Any) -> Event:
    return Event(id=f"{kind} {at} {sorted(more.items())}"[:200], at=at, kind=kind, **more)


def found(events: Iterable[Event], settings: Settings = DEFAULTS) -> list[Detected]:
    engine = Engine(settings)
    return engine.take(events) + engine.rest()


def rules(detected: Iterable[Detected]) -> set[str]:
    return {each.rule for each in detected}
