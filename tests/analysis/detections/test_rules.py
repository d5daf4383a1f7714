"""What a week of a company does not show: what takes weeks, what folds, what is frozen, and what stays quiet."""

from __future__ import annotations

from detected import START, event, found, rules

from analysis.detections.engine import STORM
from analysis.detections.events import DAY, HOUR, MINUTE, SECOND, Event
from analysis.detections.settings import Settings


def test_a_slow_export_is_found_by_the_week() -> None:
    ordinary = [event(START + day * DAY, "sensitive_read", actor="ann", rows=4_000) for day in range(28)]
    slow = [event(START + day * DAY, "sensitive_read", actor="ann", rows=35_000) for day in range(28, 35)]
    assert rules(found(ordinary)) == set()
    assert rules(found(ordinary + slow)) == {"TD-12"}


def test_one_export_is_told_once_and_again_when_it_has_doubled() -> None:
    ordinary = [event(START + day * DAY, "sensitive_read", actor="ann", rows=4_000) for day in range(28)]
    day = START + 28 * DAY
    more = [event(day + hour * HOUR, "sensitive_read", actor="ann", rows=90_000) for hour in range(12)]
    mass = [each for each in found(ordinary + more) if each.rule == "TD-11"]
    assert [each.value for each in mass] == [180_000, 360_000, 720_000]
    after = [event(day + (each + 1) * DAY, "sensitive_read", actor="ann", rows=4_000) for each in range(5)]
    assert len([each for each in found(ordinary + more[:3] + after) if each.rule == "TD-12"]) == 1


def logins(kind: str, number: int, gap: int) -> list[Event]:
    return [event(START + each * gap, kind, actor="ann", address="203.0.113.9") for each in range(number)]


def test_slow_guessing_is_found_within_a_day() -> None:
    slow = logins("authn_login_fail", 60, 20 * MINUTE)
    assert rules(found(slow)) == {"TD-01", "TD-02"}
    assert rules(found(slow[:49])) == set()
    # Of 60 in 100 hours, never more than 15 are within a day.
    assert rules(found(logins("authn_login_fail", 60, 100 * MINUTE))) == set()


def test_a_slow_spray_is_found_within_a_day() -> None:
    tries = [
        event(START + each * 30 * MINUTE, "authn_login_fail", actor=f"u{each}", address="203.0.113.9")
        for each in range(25)
    ]
    assert rules(found(tries)) == {"TD-04"}
    assert rules(found(tries, Settings(egress_networks=["203.0.113.0/24"]))) == set()


def test_where_people_sign_in_they_mistype_too() -> None:
    slow = logins("authn_login_fail", 60, 20 * MINUTE)
    let_in = logins("authn_login_success", 40, 30 * MINUTE + SECOND)
    assert rules(found(sorted(slow + let_in, key=lambda each: each.at))) == set()


def test_what_a_job_empties_each_night_is_no_burst() -> None:
    nights = [
        event(START + day * DAY + table * SECOND, "sensitive_delete", actor="job", object=f"staging.s{table}")
        for day in range(10)
        for table in range(4)
    ]
    bursts = [each for each in found(nights) if each.rule == "TD-19"]
    assert {(each.at - START) // DAY for each in bursts} == {0, 1, 2}
    late = START + 9 * DAY + HOUR
    others = [event(late + each * SECOND, "sensitive_delete", actor="job", object=f"shop.t{each}") for each in range(3)]
    newest = found(nights + others)[-1]
    assert (newest.rule, newest.trigger.object) == ("TD-19", "shop.t2")


def test_slow_enumeration_is_found_by_what_was_denied_within_an_hour() -> None:
    denied = [event(START + each * 50 * SECOND, "authz_fail", actor="ann", object=f"t{each}") for each in range(70)]
    assert rules(found(denied)) == {"TD-13"}
    assert rules(found(denied[:59])) == set()


def test_travel_is_told_of_an_account_under_a_grave_alert() -> None:
    grave = [event(START, "sys_monitor_disabled", actor="ann")]
    before = [event(START - 9 * DAY, "authn_login_success", actor="ann", latitude=52.5, longitude=13.4)]
    stays = [event(START + HOUR, "authn_login_success", actor="ann", latitude=52.5, longitude=13.4)]
    goes = [event(START + 2 * HOUR, "authn_login_success", actor="ann", latitude=35.7, longitude=139.7)]
    assert "TD-06" in rules(found(before + grave + stays + goes))


def test_the_first_saturday_is_no_unusual_hour() -> None:
    """START is a Monday."""
    week = [
        event(START + day * DAY + minute * 4 * MINUTE, "sql_statement", actor="job")
        for day in range(5)
        for minute in range(360)
    ]
    saturday = [event(START + 5 * DAY + 2 * HOUR, "sensitive_delete", actor="job", object="staging.s1")]
    assert rules(found(week + saturday)) == set()
    assert rules(found(week + saturday, Settings(learning_days=3))) == {"TD-09"}


def test_an_alert_that_is_older_than_its_storm_is_raised_anew() -> None:
    """A storm was looked into for it and nothing noted, and that stopped the stream an hour later."""
    times = (0, 70 * MINUTE, 140 * MINUTE, 210 * MINUTE)
    detected = found([event(START + at, "sys_monitor_disabled", actor="ann") for at in times])
    assert [each.is_new for each in detected] == [True] * 4


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
