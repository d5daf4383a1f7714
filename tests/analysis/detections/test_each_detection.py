"""Each of the twenty detections fires on what it must and is quiet on what it must not, with its defaults."""

from __future__ import annotations

from detected import START, event, found, rules

from analysis.detections.engine import RULES
from analysis.detections.events import DAY, HOUR, MINUTE, SECOND, Event
from analysis.detections.settings import Settings


def failures(number: int, gap: int = 10 * SECOND, *, names: int = 1, origins: int = 1) -> list[Event]:
    return [
        event(START + each * gap, "authn_login_fail", actor=f"u{each % names}", address=f"203.0.{each % origins}.9")
        for each in range(number)
    ]


def let_in(at: int, actor: str = "u0", **more: str) -> Event:
    return event(at, "authn_login_success", actor=actor, **{"address": "203.0.0.9", **more})


def test_td_01_guesses_at_one_account() -> None:
    assert "TD-01" in rules(found(failures(10, origins=10)))
    assert "TD-01" not in rules(found(failures(9)))
    assert "TD-01" not in rules(found(failures(12, 6 * MINUTE)))


def test_td_02_guesses_from_one_origin() -> None:
    assert "TD-02" in rules(found(failures(20, names=5)))
    assert "TD-02" not in rules(found(failures(40, names=5, origins=4)))


def test_td_03_let_in_after_guesses() -> None:
    guesses = failures(12)
    assert "TD-03" in rules(found([*guesses, let_in(START + 20 * MINUTE)]))
    assert "TD-03" not in rules(found([*guesses, let_in(START + 40 * MINUTE)]))
    assert "TD-03" not in rules(found([*guesses[:5], let_in(START + 5 * MINUTE)]))


def test_td_04_a_password_tried_on_many() -> None:
    assert "TD-04" in rules(found(failures(12, names=12)))
    assert "TD-04" not in rules(found(failures(9, names=9)))
    assert "TD-04" not in rules(found(failures(12, names=12, origins=12)))


def test_td_05_credentials_tried_from_everywhere() -> None:
    assert "TD-05" in rules(found(failures(60, 5 * SECOND, names=60, origins=60)))
    assert "TD-05" not in rules(found(failures(60, 5 * SECOND, names=60, origins=5)))
    # Of a company in which as many fail every day at this hour.
    usual = [
        event(
            START - day * DAY + each * 6 * SECOND, "authn_login_fail", actor=f"u{each}", address=f"203.0.{each % 250}.9"
        )
        for day in range(7, -1, -1)
        for each in range(600)
    ]
    today = [each for each in found(usual) if each.rule == "TD-05" and each.at >= START]
    assert today == []


def test_td_06_two_places_at_once() -> None:
    berlin, tokyo = {"latitude": 52.5, "longitude": 13.4}, {"latitude": 35.7, "longitude": 139.7}
    first = event(START, "authn_login_success", actor="u0", **berlin)
    assert "TD-06" in rules(found([first, event(START + HOUR, "authn_login_success", actor="u0", **tokyo)]))
    assert "TD-06" not in rules(found([first, event(START + 14 * HOUR, "authn_login_success", actor="u0", **tokyo)]))
    assert "TD-06" not in rules(found([first, event(START + HOUR, "authn_login_success", actor="u1", **tokyo)]))


def test_td_07_nobody_knows_them() -> None:
    old = [let_in(START - 20 * DAY)]
    assert "TD-07" in rules(found([*old, let_in(START, "stranger")]))
    assert "TD-07" not in rules(found([*old, let_in(START)]))
    assert "TD-07" not in rules(found([*old, let_in(START - 10 * DAY, "stranger")]))
    assert "TD-07" in rules(found([*old, let_in(START + 50 * DAY)]))


def test_td_08_from_elsewhere() -> None:
    old = [let_in(START - 20 * DAY, application="console")]
    assert "TD-08" in rules(found([*old, let_in(START, application="sqlmap")]))
    assert "TD-08" in rules(found([*old, let_in(START, application="console", address="192.0.2.1")]))
    assert "TD-08" not in rules(found([*old, let_in(START, application="console", address="203.0.0.77")]))


def test_td_09_at_an_unusual_hour() -> None:
    work = [
        event(START + day * DAY + 9 * HOUR + each * 20 * MINUTE, "sensitive_read", actor="u0", object="t")
        for day in range(-21, 0)
        for each in range(24)
    ]
    at_night = event(START + 2 * HOUR, "sensitive_delete", actor="u0", object="t")
    at_day = event(START + 11 * HOUR, "sensitive_delete", actor="u0", object="t")
    assert "TD-09" in rules(found([*work, at_night]))
    assert "TD-09" not in rules(found([*work, at_day]))
    assert "TD-09" not in rules(found([*work, event(START + 2 * HOUR, "sensitive_read", actor="u0", object="t")]))


def test_td_10_more_rights() -> None:
    own, other = (event(START, "privilege_permissions_changed", actor="u0", target=each) for each in ("u0", "u1"))
    assert [each.severity for each in found([own])] == ["high"]
    assert [each.severity for each in found([other])] == ["medium"]
    assert "TD-10" not in rules(found([event(START, "sql_statement", actor="u0", statement="REVOKE a FROM u1")]))


def reads(day: int, rows: int, number: int = 1) -> list[Event]:
    at = START + day * DAY + 9 * HOUR
    return [
        event(at + each * MINUTE, "sensitive_read", actor="u0", object=f"t{each}", rows=rows) for each in range(number)
    ]


def test_td_11_a_mass_export() -> None:
    usual = [each for day in range(-10, 0) for each in reads(day, 5_000)]
    assert "TD-11" in rules(found(usual + reads(0, 30_000, 5)))
    assert "TD-11" not in rules(found(usual + reads(0, 30_000, 3)))
    large = [each for day in range(-10, 0) for each in reads(day, 50_000)]
    assert "TD-11" not in rules(found(large + reads(0, 30_000, 5)))


def test_td_12_a_slow_export() -> None:
    usual = [each for day in range(-28, 0) for each in reads(day, 4_000)]
    assert rules(found(usual + [each for day in range(7) for each in reads(day, 35_000)])) == {"TD-12"}
    assert rules(found(usual + [each for day in range(7) for each in reads(day, 15_000)])) == set()


def test_td_13_enumeration() -> None:
    def asked(number: int, denied: int, gap: int = SECOND) -> list[Event]:
        kinds = ("authz_fail" if each < denied else "sensitive_read" for each in range(number))
        return [event(START + each * gap, kind, actor="u0", object=f"t{each}") for each, kind in enumerate(kinds)]

    assert "TD-13" in rules(found(asked(60, 10)))
    assert "TD-13" in rules(found(asked(20, 20)))
    assert "TD-13" not in rules(found(asked(60, 0)))
    assert "TD-13" not in rules(found(asked(19, 19)))
    assert "TD-13" not in rules(found(asked(50, 50, 2 * MINUTE)))


def test_td_14_one_token_in_two_networks() -> None:
    def used(addresses: list[str]) -> list[Event]:
        return [
            event(START + each * 30 * SECOND, "sensitive_read", actor="u0", token="t", address=address)
            for each, address in enumerate(addresses)
        ]

    home, road = "203.0.113.5", "192.0.2.5"
    assert "TD-14" in rules(found(used([home, road, home])))
    assert "TD-14" not in rules(found(used([home, home, road, road])))
    assert "TD-14" in rules(found([event(START, "authn_token_reuse", actor="u0", token="t")]))


def test_td_15_use_after_the_end() -> None:
    uses = [event(START + each * MINUTE, "session_use_after_expire", token="t") for each in range(3)]
    assert "TD-15" in rules(found(uses))
    assert "TD-15" not in rules(found(uses[:2]))


def test_td_16_injection() -> None:
    entered = [
        event(START + each * SECOND, "input_validation_fail", actor="u0", input="1' OR 1=1--") for each in range(5)
    ]
    error = event(START + MINUTE, "sql_error", actor="u0", error="42601")
    assert "TD-16" in rules(found(entered))
    assert "TD-16" in rules(found([entered[0], error]))
    assert "TD-16" not in rules(found(entered[:4]))
    harmless = event(START, "input_validation_fail", actor="u0", input="O'Brien; drop by -- soon")
    assert "TD-16" not in rules(found([harmless, error]))


def test_td_17_statements_that_reach_out_or_are_new() -> None:
    reach = event(START, "sql_statement", actor="u0", statement="COPY t TO PROGRAM 'sh'")
    assert [each.severity for each in found([reach]) if each.rule == "TD-17"] == ["high"]
    assert rules(found([event(START, "sql_statement", actor="u0", statement="COPY t TO STDOUT")])) == set()
    usual = event(
        START - 20 * DAY, "sql_statement", actor="job", is_service=True, statement="SELECT a FROM t WHERE b = 1"
    )
    same = event(START, "sql_statement", actor="job", is_service=True, statement="SELECT a FROM t WHERE b = 2")
    other = event(START, "sql_statement", actor="job", is_service=True, statement="SELECT c FROM t WHERE b = 2")
    assert "TD-17" in rules(found([usual, other]))
    assert "TD-17" not in rules(found([usual, same]))


def test_td_18_what_watches_is_turned_off() -> None:
    assert rules(found([event(START, "sys_monitor_disabled", actor="u0", object="pgaudit")])) == {"TD-18"}
    assert rules(found([event(START, "sql_statement", actor="u0", statement="SHOW log_statement")])) == set()


def test_td_19_a_destructive_burst() -> None:
    deletes = [event(START + each * MINUTE, "sensitive_delete", actor="u0", object=f"t{each}") for each in range(3)]
    assert "TD-19" in rules(found(deletes))
    assert "TD-19" not in rules(found(deletes[:2]))
    apart = [event(START + each * 6 * MINUTE, "sensitive_delete", actor="u0", object=f"t{each}") for each in range(3)]
    assert "TD-19" not in rules(found(apart))


def test_td_20_a_canary() -> None:
    settings = Settings(canaries=["planted"])
    touched = [event(START + each * SECOND, "sensitive_read", actor="u0", object="planted") for each in range(2)]
    assert [(each.severity, each.is_new) for each in found(touched, settings)] == [("critical", True)] * 2
    assert rules(found([event(START, "sensitive_read", actor="u0", object="other")], settings)) == set()


def test_all_detections_are_tried_here() -> None:
    names = {name.removeprefix("test_")[:5] for name in globals() if name.startswith("test_td_")}
    assert {rule.id.lower().replace("-", "_") for rule in RULES} == names
