"""A log that numbers its rows: none waits for later ones, none is late, and it makes no difference how it is cut."""

from __future__ import annotations

import random

import pytest

from analysis.detections.engine import Engine, packed
from analysis.detections.events import MINUTE, SECOND, Event
from analysis.detections.settings import Settings


def failures(seed: int) -> list[Event]:
    """Of clocks that differ by up to five seconds."""
    rng = random.Random(seed)
    return [
        Event(
            id=f"audit:{number}",
            at=100 * MINUTE + number * SECOND + rng.randrange(-5 * SECOND, 5 * SECOND),
            kind="authn_login_fail",
            actor="root",
            address="203.0.113.9",
        )
        for number in range(60)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_however_it_is_cut_the_same_is_found_and_nothing_is_late(seed: int) -> None:
    events = failures(seed)
    whole, cut = Engine(Settings()), Engine(Settings())
    expected = whole.take_in_order(events)
    rng = random.Random(seed)
    found, at = [], 0
    while at < len(events):
        size = rng.randrange(1, 9)
        found += cut.take_in_order(events[at : at + size])
        at += size
    assert found == expected
    assert packed(cut.state) == packed(whole.state)
    assert (whole.state.looked_at, whole.state.late, whole.state.pending) == (60, 0, {})
    assert [each.rule for each in found if each.is_new] == ["TD-01", "TD-02"]


def test_what_is_found_is_found_with_the_event_that_fulfils_it() -> None:
    engine, events = Engine(Settings()), failures(1)
    assert engine.take_in_order(events[:9]) == []
    (found,) = engine.take_in_order(events[9:10])
    assert (found.rule, found.value, found.trigger.id) == ("TD-01", 10.0, "audit:9")


def test_one_from_before_counts_as_of_the_time_of_the_one_that_it_comes_after() -> None:
    engine = Engine(Settings())
    late = Event(id="audit:2", at=10 * MINUTE, kind="authn_login_fail", actor="root")
    engine.take_in_order([Event(id="audit:1", at=100 * MINUTE, kind="authn_login_fail", actor="root"), late])
    assert engine.state.watermark == 100 * MINUTE
    assert [entry.at for entry in engine.state.window("TD-01", "root").entries] == [100 * MINUTE] * 2
