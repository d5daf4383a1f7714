"""Whole streams: every attack is found, and neither a crash nor the order or repetition of events changes a thing."""

from __future__ import annotations

import random

import pytest
from security_replay import EGRESS, Company, Replay, written

from analysis.detections.engine import LATENESS, RULES, Detected, Engine, packed, unpacked
from analysis.detections.events import Event
from analysis.detections.settings import Settings

SETTINGS = Settings(
    egress_networks=[EGRESS], canaries=["shop.salaries_old"], learning_days=3, restricted_objects=["shop.secret"]
)
SHORT = Company(people=25, days=7, reads=60, service_reads=150)


@pytest.fixture(scope="module")
def replay() -> Replay:
    return written(SHORT)


@pytest.fixture(scope="module")
def found(replay: Replay) -> list[Detected]:
    return _run(replay.events)


def _run(events: list[Event], cuts: int = 1000) -> list[Detected]:
    engine = Engine(SETTINGS)
    found = [each for start in range(0, len(events), cuts) for each in engine.take(events[start : start + cuts])]
    return found + engine.rest()


def test_every_attack_is_found_in_time(replay: Replay, found: list[Detected]) -> None:
    tested = {attack.rule for attack in replay.attacks}
    assert tested == {rule.id for rule in RULES} - {"TD-12"}
    for attack in replay.attacks:
        hits = [each for each in found if each.rule == attack.rule and attack.begins <= each.at <= attack.ends]
        assert any(each.entity.split(" ")[0] in {name.split(" ")[0] for name in attack.entities} for each in hits), (
            attack
        )
        assert all(each.events and each.explanation.endswith(".") for each in hits)


def test_ordinary_life_raises_little(replay: Replay, found: list[Detected]) -> None:
    attacks = replay.attacks
    begins, ends = min(each.begins for each in attacks), max(each.ends for each in attacks)
    false = [each for each in found if each.is_new and not begins <= each.at <= ends]
    assert len(false) <= SHORT.days, [(each.rule, each.explanation) for each in false]
    assert not [each for each in false if each.severity in ("high", "critical")]


def test_a_crash_at_any_point_changes_nothing(replay: Replay, found: list[Detected]) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    pick = random.Random(seed)
    within = [
        number
        for number, event in enumerate(replay.events)
        if number and any(attack.begins <= event.at <= attack.ends for attack in replay.attacks)
    ]
    cuts = sorted({*pick.sample(within, 150), *pick.sample(range(1, len(replay.events)), 10)})
    state, resumed = None, []
    for begin, end in zip([0, *cuts], [*cuts, len(replay.events)], strict=True):
        engine = Engine(SETTINGS, state)
        # Worked on and lost before it was stored: the state from before goes on.
        before = packed(engine.state)
        engine.take(replay.events[begin : begin + pick.randrange(50)])
        engine = Engine(SETTINGS, unpacked(before))
        resumed += engine.take(replay.events[begin:end])
        state = unpacked(packed(engine.state))
    assert resumed + Engine(SETTINGS, state).rest() == found


def test_events_in_another_order_and_twice_change_nothing(replay: Replay, found: list[Detected]) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    pick = random.Random(seed)
    late = sorted(replay.events, key=lambda event: event.at + pick.random() * (LATENESS - 1))
    mixed = [each for event in late for each in [event] * pick.choice((1, 1, 1, 2))]
    assert _run(mixed, cuts=500) == found


def test_what_comes_too_late_is_counted_and_changes_nothing(replay: Replay) -> None:
    engine = Engine(SETTINGS)
    engine.take(replay.events[:2000])
    before = engine.state.looked_at
    assert engine.take(replay.events[:5]) == []
    assert (engine.state.late, engine.state.looked_at) == (5, before)
