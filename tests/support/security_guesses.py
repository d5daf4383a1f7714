"""Who attacks the second made-up company, and how they try to sign in."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, log

from security_life import Life, Person

from analysis.detections.events import SECOND, Event


@dataclass(frozen=True)
class Labelled:
    """An attack: the detection that should find it, when it began and ended, and its events."""

    rule: str
    begins: int
    ends: int
    ids: frozenset[str]
    about: str


@dataclass
class Campaign:
    """A log in the order of time and the attacks in it."""

    events: list[Event]
    attacks: list[Labelled]


class Attacker:
    """Draws what an attack is like, and writes it."""

    def __init__(self, life: Life, seed: int) -> None:
        self.life = life
        self.random = random.Random(seed)

    def wide(self, low: float, high: float) -> float:
        """From a range of which each power of ten is as likely."""
        return exp(self.random.uniform(log(low), log(high)))

    def address(self) -> str:
        return f"{self.random.choice((45, 91, 185, 193))}.{self.random.randrange(256)}.{self.random.randrange(256)}.9"

    def someone(self) -> Person:
        """Who is there since long."""
        return self.random.choice([each for each in self.life.people if not each.hired and not each.is_admin])


def guess(by: Attacker, at: float) -> Iterator[str]:
    person, number, gap = by.someone(), int(by.wide(15, 1500)), by.wide(0.2, 900)
    addresses = [by.address() for _ in range(by.random.choice((1, 1, 3, 40)))]
    for each in range(number):
        address = addresses[each % len(addresses)]
        by.life.add(at + each * gap * SECOND, "authn_login_fail", person.name, address=address)
    yield f"{number} tries, one every {gap:.1f} s, from {len(addresses)} origins"


def guess_many(by: Attacker, at: float) -> Iterator[str]:
    names = [by.someone().name for _ in range(by.random.randint(2, 8))]
    number, gap, address = int(by.wide(30, 2000)), by.wide(0.2, 300), by.address()
    for each in range(number):
        by.life.add(at + each * gap * SECOND, "authn_login_fail", by.random.choice(names), address=address)
    yield f"{number} tries, one every {gap:.1f} s, on {len(names)} accounts"


def guessed(by: Attacker, at: float) -> Iterator[str]:
    person, number, gap, address = by.someone(), int(by.wide(8, 400)), by.wide(0.5, 300), by.address()
    for each in range(number):
        by.life.add(at + each * gap * SECOND, "authn_login_fail", person.name, address=address)
    after = at + number * gap * SECOND + by.wide(1, 7200) * SECOND
    by.life.add(after, "authn_login_success", person.name, address=address, application="console")
    yield f"{number} tries, one every {gap:.1f} s"


def spray(by: Attacker, at: float) -> Iterator[str]:
    number, gap = int(by.wide(12, 180)), by.wide(0.5, 600)
    addresses = [by.address() for _ in range(by.random.choice((1, 1, 2, 10)))]
    for each, person in enumerate(by.random.sample(by.life.people, min(number, len(by.life.people)))):
        address = addresses[each % len(addresses)]
        by.life.add(at + each * gap * SECOND, "authn_login_fail", person.name, address=address)
    yield f"{number} accounts, one every {gap:.1f} s, from {len(addresses)} origins"


def stuff(by: Attacker, at: float) -> Iterator[str]:
    number, span, origins = int(by.wide(150, 6000)), by.wide(300, 86_400), int(by.wide(25, 1000))
    addresses = [by.address() for _ in range(origins)]
    for each in range(number):
        name = by.random.choice(by.life.people).name if by.random.random() < 0.1 else f"mail{by.random.randrange(9999)}"
        moment = at + each * span / number * SECOND
        by.life.add(moment, "authn_login_fail", name, address=by.random.choice(addresses))
    yield f"{number} tries in {span / 3600:.1f} h from {origins} origins"
