"""What a week of a company does not show: what takes weeks, what folds, what is frozen, and what stays quiet."""

from __future__ import annotations

from typing import Any

from analysis.detections.engine import STORM, Detected, Engine
from analysis.detections.events import DAY, HOUR, MINUTE, SECOND, Event
from analysis.detections.settings import Settings

START = 20_500 * DAY
NAMELESS = Settings()


def event(at: int, kind: Any, **more: Any) -> Event:
    return Event(id=f"{at}-{sorted(more.items())}", at=at, kind=kind, **more)


def found(events: list[Event], settings: Settings = NAMELESS) -> list[Detected]:
    engine = Engine(settings)
    return engine.take(events) + engine.rest()


def rules(detected: list[Detected]) -> set[str]:
    return {each.rule for each in detected}


def test_a_slow_export_is_found_by_the_week() -> None:
    ordinary = [event(START + day * DAY, "sensitive_read", actor="ann", rows=4_000) for day in range(28)]
    slow = [event(START + day * DAY, "sensitive_read", actor="ann", rows=35_000) for day in range(28, 35)]
    assert rules(found(ordinary)) == set()
    assert rules(found(ordinary + slow)) == {"TD-12"}


def test_a_storm_is_folded() -> None:
    events = [
        event(START + number * SECOND, "privilege_permissions_changed", actor=f"a{number}", target="x")
        for number in range(STORM + 40)
    ]
    new = [each for each in found(events) if each.is_new]
    assert len(new) == STORM + 1
    assert new[-1].entity == "many"


def test_more_within_an_hour_is_counted_and_after_it_is_new() -> None:
    times = (0, MINUTE, 59 * MINUTE, 61 * MINUTE)
    detected = found([event(START + at, "sys_monitor_disabled", actor="ann") for at in times])
    assert [(each.is_new, each.hits) for each in detected] == [(True, 1), (False, 2), (False, 3), (True, 1)]


def test_nothing_is_learnt_of_an_account_under_a_grave_alert() -> None:
    day = [event(START, "authn_login_success", actor="ann", address="10.0.0.1")]
    grave = [event(START + 20 * DAY, "sys_monitor_disabled", actor="ann")]
    strange = [
        event(START + 20 * DAY + number * 2 * HOUR, "authn_login_success", actor="ann", address="203.0.113.1")
        for number in range(1, 3)
    ]
    places = [each for each in found(day + grave + strange) if each.rule == "TD-08"]
    assert len(places) == 2
    assert len([each for each in found(day + strange) if each.rule == "TD-08"]) == 1


def test_the_egress_network_is_no_place() -> None:
    at_home = event(START, "authn_login_success", actor="ann", address="10.0.0.1", latitude=52.5, longitude=13.4)
    there = event(
        START + HOUR, "authn_login_success", actor="ann", address="198.51.100.7", latitude=37.8, longitude=-122.4
    )
    assert rules(found([at_home, there])) == {"TD-06"}
    assert rules(found([at_home, there], Settings(egress_networks=["198.51.100.0/24"]))) == set()


def test_one_error_or_one_input_is_no_injection() -> None:
    entered = event(START, "input_validation_fail", actor="ann", input="1' OR '1'='1")
    error = event(START + SECOND, "sql_error", actor="ann", error="42601")
    other = event(START + SECOND, "sql_error", actor="bob", error="42601")
    assert rules(found([entered])) == rules(found([error])) == rules(found([entered, other])) == set()
    assert rules(found([entered, error])) == {"TD-16"}


def test_a_restricted_object_and_the_hours_for_changes() -> None:
    settings = Settings(restricted_objects=["shop.cards"], change_hours=[8, 18])
    read = event(START + 10 * HOUR, "sensitive_read", actor="ann", object="shop.cards", rows=5_000)
    assert rules(found([read], settings)) == {"TD-11"}
    assert rules(found([read])) == set()
    changed = [
        event(START + hour * HOUR, "privilege_permissions_changed", actor="ann", target="bob") for hour in (9, 22)
    ]
    assert [each.severity for each in found(changed, settings)] == ["medium", "high"]
