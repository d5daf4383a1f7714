"""A company and attacks that the detections were not made with, in short: what is found of them, and what is not."""

from __future__ import annotations

import random

import pytest
from detection_scores import Scores, scored
from security_attacks import SETTINGS, attacked
from security_guesses import Campaign
from security_life import Household

from analysis.detections.engine import LATENESS, Detected, Engine, packed, unpacked
from analysis.detections.events import DAY, Event

SHORT = Household(people=40, services=4, reads=14, service_statements=50, seed=4)
# What needs one event cannot be missed, however wide an attack is drawn.
SURE = {"TD-07", "TD-08", "TD-10", "TD-17", "TD-18", "TD-20"}


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return attacked(SHORT, each=2)


@pytest.fixture(scope="module")
def found(campaign: Campaign) -> list[Detected]:
    return _run(campaign.events)


@pytest.fixture(scope="module")
def scores(campaign: Campaign) -> Scores:
    """Where somebody sees to each alert within a day."""
    return scored(campaign.attacks, _run(campaign.events, resolves=True))


def _run(events: list[Event], *, resolves: bool = False) -> list[Detected]:
    engine = Engine(SETTINGS)
    found = []
    for start in range(0, len(events), 300):
        found += engine.take(events[start : start + 300])
        if resolves:
            open_since = engine.state.newest - DAY
            engine.state.frozen = {who: at for who, at in engine.state.frozen.items() if at > open_since}
    return found + engine.rest()


def test_most_attacks_are_found(campaign: Campaign, scores: Scores) -> None:
    assert len(campaign.attacks) == 40
    by_rule = {each.rule: (len(each.delays), each.attacks) for each in scores.of}
    assert {rule: by_rule[rule] for rule in SURE} == dict.fromkeys(SURE, (2, 2))
    assert sum(caught for caught, _ in by_rule.values()) >= 32, by_rule


def test_ordinary_life_that_looks_as_if_raises_little(scores: Scores) -> None:
    false = {each.rule: each.false for each in scores.of if each.false}
    assert scores.grave <= SHORT.days / 3, false
    assert scores.false <= 2.5 * SHORT.days, false


def test_neither_crashes_nor_order_nor_repetition_change_it(campaign: Campaign, found: list[Detected]) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    pick = random.Random(seed)
    late = sorted(campaign.events, key=lambda event: event.at + pick.random() * (LATENESS - 1))
    events = [each for event in late for each in [event] * (1 + (pick.random() < 0.2))]
    cuts = sorted(pick.sample(range(1, len(events)), 30))
    state, resumed = None, []
    for begin, end in zip([0, *cuts], [*cuts, len(events)], strict=True):
        engine = Engine(SETTINGS, state)
        stored = packed(engine.state)
        engine.take(events[begin : begin + pick.randrange(100)])
        engine = Engine(SETTINGS, unpacked(stored))
        resumed += engine.take(events[begin:end])
        state = unpacked(packed(engine.state))
    assert resumed + Engine(SETTINGS, state).rest() == found
