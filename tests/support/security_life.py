"""A second made-up company, of other shapes than the first: five weeks of shifts, weekends, deployments, nightly jobs,
broken clients, phones, real journeys and newcomers. Nobody in it means harm, and much of it looks as if.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from analysis.detections.events import DAY, HOUR, MINUTE, SECOND, Event

BEGIN = 20_640 * DAY  # a Monday
EGRESS = "100.64.0.0/16"
_OFFICES = ((59.33, 18.07, "SE"), (1.35, 103.82, "SG"), (-23.55, -46.63, "BR"), (43.65, -79.38, "CA"))
_TEXTS = (
    "O'Hara", "Crate & Barrel", "5' 11\" tall", "drop table lamps; select wood", "50% off -- today only", "union hall",
    "C#", "D'Arcy; and sons", "where is my order?", "select all that apply", "it's 3 or 4 boxes",
)  # fmt: skip


@dataclass(frozen=True)
class Household:
    """How large a company is; `reads` is what each person asks for on a day."""

    people: int = 200
    services: int = 12
    days: int = 35
    reads: int = 85
    service_statements: int = 1_150
    seed: int = 1


@dataclass
class Person:
    """Somebody's habits: the hour at which they begin (UTC), on which days, where, and how much they read."""

    name: str
    begins: float
    days: frozenset[int]
    office: tuple[float, float, str]
    network: str
    tables: list[str]
    rows: float
    is_admin: bool = False
    hired: int = 0


@dataclass
class Life:
    """The log so far, and who lives in it."""

    household: Household
    random: random.Random
    events: list[Event] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)

    def add(self, at: float, kind: str, actor: str, **more: object) -> str:
        """The id of the new event."""
        id_ = f"n{len(self.events)}"
        self.events.append(Event(id=id_, at=int(at), kind=kind, actor=actor, **more))  # type: ignore[arg-type]
        return id_


def lived(household: Household) -> Life:
    """All of it, not yet in the order of time."""
    life = Life(household, random.Random(household.seed))
    life.people = [_born(life, number) for number in range(household.people)]
    for person in life.people:
        for day in range(person.hired, household.days):
            if day % 7 in person.days:
                _working_day(life, person, day)
    for number in range(household.services):
        for day in range(household.days):
            _serve(life, number, BEGIN + day * DAY)
    return life


def _born(life: Life, number: int) -> Person:
    pick = life.random
    office = pick.choice(_OFFICES)
    weekdays = pick.choices((range(5), range(2, 7), (0, 2, 4), range(7)), (75, 10, 10, 5))[0]
    return Person(
        name=f"{pick.choice('abcdefghij')}.{number}",
        # In each place it is morning at another hour; a tenth work at night.
        begins=(8.5 - office[1] / 15 + (12 if pick.random() < 0.1 else 0) + pick.gauss(0, 0.8)) % 24,
        days=frozenset(weekdays),
        office=office,
        network=f"172.{16 + number % 16}.{number % 250}",
        tables=[f"w{pick.randrange(12)}.t{pick.randrange(60)}" for _ in range(pick.randint(3, 40))],
        rows=pick.lognormvariate(4.5, 1.2),
        is_admin=number % 25 == 0,
        hired=pick.randint(15, 30) if pick.random() < 0.05 else 0,
    )


def _working_day(life: Life, person: Person, day: int) -> None:
    pick = life.random
    at = BEGIN + day * DAY + (person.begins + pick.gauss(0, 0.5)) * HOUR
    if pick.random() < 0.02:
        at += pick.uniform(6, 14) * HOUR  # called at night
    address, where = _place(life, person, day)
    # A new password is mistyped, an old one is still in somebody's phone.
    for _ in range(pick.choices((0, 1, 2, 4, 7), (78, 14, 5, 2, 1))[0]):
        life.add(at, "authn_login_fail", person.name, address=address)
        at += pick.uniform(3, 40) * SECOND
    token = f"s-{person.name}-{day}"
    program = "console" if pick.random() < 0.97 else pick.choice(("dbeaver", "excel", "python"))
    common = {"token": token, "is_admin": person.is_admin}
    life.add(at, "authn_login_success", person.name, address=address, application=program, **common, **where)
    is_heavy = pick.random() < 0.03  # the end of a quarter, a new report
    for _ in range(max(1, int(pick.gauss(life.household.reads, life.household.reads / 3)))):
        moment = at + pick.betavariate(1.5, 1.7) * 9 * HOUR
        if pick.random() < 0.004:  # the phone goes from one network to another
            address = f"{address.rpartition('.')[0]}.{pick.randint(2, 250)}"
        rows = int(pick.expovariate(1 / person.rows)) * (15 if is_heavy else 1)
        table = pick.choice(person.tables)
        life.add(moment, "sensitive_read", person.name, address=address, object=table, rows=rows, token=token)
    _mishaps(life, person, at, address)
    if person.is_admin:
        _administer(life, person, at, address)


def _place(life: Life, person: Person, day: int) -> tuple[str, dict[str, object]]:
    pick = life.random
    latitude, longitude, country = person.office
    if pick.random() < 0.25:
        return f"100.64.{pick.randrange(256)}.{pick.randrange(2, 250)}", {"latitude": 50.1, "longitude": 8.7}
    if pick.random() < 0.05:  # at home, or on the way
        address = f"{pick.choice((81, 85, 90))}.{pick.randrange(200)}.{pick.randrange(200)}.7"
        return address, {"latitude": latitude + pick.uniform(-2, 2), "longitude": longitude, "country": country}
    if (int(person.name[2:]) * 31 + day // 3) % 120 == 0:  # a journey: a day or more after the last sign-in
        latitude, longitude, country = _OFFICES[day % len(_OFFICES)]
    return f"{person.network}.{pick.randint(2, 60)}", {
        "latitude": latitude,
        "longitude": longitude,
        "country": country,
        "network_owner": "own",
    }


def _mishaps(life: Life, person: Person, at: float, address: str) -> None:
    pick = life.random
    if pick.random() < 0.25:
        for _ in range(pick.randint(1, 4)):
            moment = at + pick.uniform(0, 8) * HOUR
            life.add(moment, "sql_error", person.name, address=address, error=pick.choice(("42601", "42703", "42P01")))
    if pick.random() < 0.15:
        moment = at + pick.uniform(0, 8) * HOUR
        life.add(moment, "input_validation_fail", person.name, address=address, input=pick.choice(_TEXTS))
    if pick.random() < 0.08:  # a link to what one may not see, and sometimes a whole page of them
        moment = at + pick.uniform(0, 8) * HOUR
        for number in range(pick.choice((1, 1, 1, 2, 8, 15))):
            life.add(moment + number * SECOND, "authz_fail", person.name, address=address, object=f"w1.t{number}")
    if pick.random() < 0.02:
        life.add(at + 5 * HOUR, "session_use_after_expire", person.name, address=address, token=f"old-{person.name}")
    if pick.random() < 0.04:
        life.add(at + 4 * HOUR, "sensitive_delete", person.name, address=address, object=f"tmp.{person.name}")


def _administer(life: Life, person: Person, at: float, address: str) -> None:
    """Rights for newcomers, and now and then a release that drops what is no longer needed."""
    pick = life.random
    if pick.random() < 0.1:
        moment, target = at + pick.uniform(1, 6) * HOUR, pick.choice(life.people).name
        text = f"GRANT reporting TO {target}"
        life.add(moment, "privilege_permissions_changed", person.name, address=address, target=target, statement=text)
    if pick.random() < 0.05:
        moment = at + pick.uniform(1, 6) * HOUR
        for number in range(pick.randint(1, 4)):
            table = f"w2.old{pick.randrange(99)}"
            life.add(moment + number * 20 * SECOND, "sensitive_delete", person.name, address=address, object=table)


def _serve(life: Life, number: int, midnight: float) -> None:
    pick, name = life.random, f"job{number}"
    common = {"address": f"172.31.9.{number + 2}", "is_service": True}
    for each in range(life.household.service_statements):
        at = midnight + (each + pick.random()) * DAY / life.household.service_statements
        shape = pick.choices(range(6), (60, 20, 10, 6, 3, 1))[0]
        text = f"SELECT c{shape} FROM w{number}.t{shape} WHERE id = {pick.randrange(10**6)}"
        if each % 40 == 0:
            life.add(at, "authn_login_success", name, application="worker", **common)
        life.add(at + SECOND, "sql_statement", name, statement=text, **common)
    if number % 4 == 0:  # every night the same tables are emptied and filled again
        for table in range(6):
            at = midnight + 2 * HOUR + table * 30 * SECOND + pick.uniform(0, 9) * MINUTE / 10
            life.add(at, "sensitive_delete", name, object=f"staging.s{table}", **common)
    if number == 3 and pick.random() < 0.1:  # its password was changed, and nobody told it
        for each in range(40):
            life.add(midnight + 3 * HOUR + each * 3 * MINUTE, "authn_login_fail", name, **common)
