"""Attacks upon the second made-up company: how many, how fast and how wide is drawn anew for each, over wide ranges.

They go from a program at full speed to somebody who has days. Nothing here is set by what a detection asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from security_guesses import Attacker, Campaign, Labelled, guess, guess_many, guessed, spray, stuff
from security_life import BEGIN, EGRESS, Household, lived

from analysis.detections.events import DAY, HOUR, MINUTE, SECOND
from analysis.detections.settings import Settings

CANARIES = ("w0.salaries_2019", "backup_operator")
SETTINGS = Settings(egress_networks=[EGRESS], canaries=list(CANARIES))
_PAYLOADS = (
    "1' OR '1'='1", "x' UNION SELECT usename, passwd FROM pg_shadow--", "1; DROP TABLE a--", "' AND SLEEP(5)#",
    "1 AND 1=(SELECT COUNT(*) FROM information_schema.tables)", "admin'--", "') OR 1=1--", "1' ORDER BY 9--",
)  # fmt: skip
_EVASIONS = (
    "SET pgaudit.log = 'none'", "ALTER SYSTEM SET log_connections = off", "DROP EXTENSION pgaudit",
    "SET GLOBAL server_audit_logging = OFF", "ALTER SYSTEM RESET log_statement", "UNINSTALL PLUGIN server_audit",
)  # fmt: skip
_REACHES = (
    "COPY (SELECT 1) TO PROGRAM 'sh'", "SELECT pg_read_file('/etc/passwd')", "SELECT lo_import('/etc/shadow')",
    "SELECT 'x' INTO OUTFILE '/var/www/a.php'", "SELECT c9, c8 FROM w3.never_before WHERE x = 1",
    "SELECT usename, passwd FROM pg_catalog.pg_shadow",
)  # fmt: skip


def attacked(household: Household, each: int = 6) -> Campaign:
    """The company's log, with so many attacks of each sort in its last two weeks; a short one's last two days."""
    life = lived(household)
    attacker = Attacker(life, household.seed + 1)
    first = max(household.days - 14, household.days // 2)
    attacks = []
    for rule, attack in ATTACKS.items():
        for _ in range(each):
            # What takes a week is compared with weeks.
            begin = household.days - 5 if rule == "TD-12" else first
            at = BEGIN + attacker.random.uniform(begin, household.days - 1) * DAY
            before = len(life.events)
            about = ", ".join(attack(attacker, at))
            events = life.events[before:]
            times = [event.at for event in events]
            attacks.append(Labelled(rule, min(times), max(times), frozenset(event.id for event in events), about))
    return Campaign(sorted(life.events, key=lambda event: (event.at, event.id)), attacks)


def _travel(by: Attacker, at: float) -> Iterator[str]:
    person, hours = by.someone(), by.wide(0.2, 8)
    latitude, longitude, country = person.office
    where = {"latitude": latitude, "longitude": longitude, "country": country}
    by.life.add(at, "authn_login_success", person.name, address=f"{person.network}.9", **where)
    there = {"latitude": by.random.uniform(-40, 60), "longitude": (longitude + 120) % 360 - 180, "country": "XX"}
    by.life.add(at + hours * HOUR, "authn_login_success", person.name, address=by.address(), **there)
    yield f"after {hours:.1f} h"


def _stranger(by: Attacker, at: float) -> Iterator[str]:
    name = f"svc_{by.random.randrange(999)}"
    by.life.add(at, "authn_login_success", name, address=f"172.16.3.{by.random.randrange(250)}", application="psql")
    yield "once"


def _elsewhere(by: Attacker, at: float) -> Iterator[str]:
    program = by.random.choice(("console", "psql", "sqlmap"))
    by.life.add(at, "authn_login_success", by.someone().name, address=by.address(), application=program)
    yield program


def _at_night(by: Attacker, at: float) -> Iterator[str]:
    person, shift = by.someone(), by.random.uniform(11, 20)
    midnight = at - (at - BEGIN) % DAY
    kind = by.random.choice(("sensitive_delete", "privilege_permissions_changed"))
    moment = midnight + ((person.begins + shift) % 24) * HOUR
    by.life.add(moment, kind, person.name, address=f"{person.network}.9", object="w1.t1", target="role")
    yield f"{shift:.0f} h after work begins"


def _escalate(by: Attacker, at: float) -> Iterator[str]:
    person = by.someone()
    target = by.random.choice((person.name, by.someone().name))
    text = by.random.choice(("GRANT admin TO {}", "ALTER ROLE {} SUPERUSER", "GRANT ALL ON SCHEMA w0 TO {}"))
    by.life.add(
        at, "privilege_permissions_changed", person.name, target=target, statement=text.format(target),
        address=f"{person.network}.9",
    )  # fmt: skip
    yield "oneself" if target == person.name else "somebody else"


def _export(by: Attacker, at: float) -> Iterator[str]:
    person, rows, span, number = by.someone(), by.wide(2e5, 5e7), by.wide(60, 20_000), int(by.wide(1, 200))
    for each in range(number):
        by.life.add(
            at + each * span / number * SECOND, "sensitive_read", person.name, address=f"{person.network}.9",
            object=by.random.choice(person.tables), rows=int(rows / number),
        )  # fmt: skip
    yield f"{rows:,.0f} rows in {span / 60:.0f} min by {number} reads"


def _export_slowly(by: Attacker, at: float) -> Iterator[str]:
    person, factor = by.someone(), by.wide(3, 40)
    for day in range(7):
        rows = int(person.rows * by.life.household.reads * factor / 20)
        for each in range(20):
            moment = at - (6 - day) * DAY + each * 11 * MINUTE
            by.life.add(moment, "sensitive_read", person.name, object=by.random.choice(person.tables), rows=rows)
    yield f"{factor:.0f} times the ordinary of seven days, {rows * 140:,} rows"


def _enumerate(by: Attacker, at: float) -> Iterator[str]:
    person, number, gap, denied = by.someone(), int(by.wide(30, 600)), by.wide(0.1, 60), by.random.uniform(0, 0.9)
    for each in range(number):
        kind = "authz_fail" if by.random.random() < denied else "sensitive_read"
        by.life.add(at + each * gap * SECOND, kind, person.name, address=f"{person.network}.9", object=f"w9.x{each}")
    yield f"{number} objects, one every {gap:.1f} s, {denied:.0%} denied"


def _steal_token(by: Attacker, at: float) -> Iterator[str]:
    person, gap, address = by.someone(), by.wide(3, 1200), by.address()
    for each in range(12):
        where = address if each % 2 else f"{person.network}.9"
        moment = at + each * gap * by.random.uniform(0.5, 1.5) * SECOND
        by.life.add(moment, "sensitive_read", person.name, address=where, token=f"t-{person.name}-{at}", object="w1.t1")
    yield f"by turns, every {gap:.0f} s"


def _use_after_end(by: Attacker, at: float) -> Iterator[str]:
    number, gap = int(by.wide(2, 60)), by.wide(0.5, 600)
    for each in range(number):
        by.life.add(at + each * gap * SECOND, "session_use_after_expire", "", token=f"gone-{at}", address=by.address())
    yield f"{number} times, every {gap:.0f} s"


def _inject(by: Attacker, at: float) -> Iterator[str]:
    person, number, gap = by.someone(), int(by.wide(2, 200)), by.wide(0.1, 300)
    for each in range(number):
        moment, text = at + each * gap * SECOND, by.random.choice(_PAYLOADS)
        by.life.add(moment, "input_validation_fail", person.name, address=f"{person.network}.9", input=text)
        if by.random.random() < 0.3:
            by.life.add(moment + SECOND / 5, "sql_error", person.name, error=by.random.choice(("42601", "22012")))
    yield f"{number} inputs, one every {gap:.1f} s"


def _reach(by: Attacker, at: float) -> Iterator[str]:
    text = by.random.choice(_REACHES)
    name = f"job{by.random.randrange(by.life.household.services)}"
    by.life.add(at, "sql_statement", name, statement=text, is_service=True, address="172.31.9.99")
    yield text.split("'")[0].strip()[:30]


def _blind(by: Attacker, at: float) -> Iterator[str]:
    text = by.random.choice(_EVASIONS)
    by.life.add(at, "sys_monitor_disabled", by.someone().name, statement=text, address=by.address())
    yield text.split("'")[0].strip()


def _destroy(by: Attacker, at: float) -> Iterator[str]:
    person, number, gap = by.someone(), int(by.wide(2, 200)), by.wide(0.2, 900)
    for each in range(number):
        by.life.add(
            at + each * gap * SECOND, "sensitive_delete", person.name, object=f"w4.t{each}", address=by.address()
        )
    yield f"{number} objects, one every {gap:.1f} s"


def _touch_canary(by: Attacker, at: float) -> Iterator[str]:
    if by.random.random() < 0.5:
        by.life.add(at, "sensitive_read", by.someone().name, object=CANARIES[0], rows=1)
    else:
        by.life.add(at, "authn_login_fail", CANARIES[1], address=by.address())
    yield "once"


ATTACKS: dict[str, Callable[[Attacker, float], Iterator[str]]] = {
    "TD-01": guess, "TD-02": guess_many, "TD-03": guessed, "TD-04": spray, "TD-05": stuff, "TD-06": _travel,
    "TD-07": _stranger, "TD-08": _elsewhere, "TD-09": _at_night, "TD-10": _escalate, "TD-11": _export,
    "TD-12": _export_slowly, "TD-13": _enumerate, "TD-14": _steal_token, "TD-15": _use_after_end, "TD-16": _inject,
    "TD-17": _reach, "TD-18": _blind, "TD-19": _destroy, "TD-20": _touch_canary,
}  # fmt: skip
