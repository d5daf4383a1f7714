"""Checks of who may sign in from where: the lines of pg_hba.conf."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence

from connectors.security.check import (
    AuditedObject,
    Category,
    Check,
    References,
    Row,
    Severity,
    Violation,
    remedy,
)
from connectors.security.postgresql.statements import own_host

RULES = """
SELECT line_number, type, database, user_name, address, netmask, auth_method, error
  FROM pg_hba_file_rules ORDER BY line_number
"""
PROBE = """
SELECT has_table_privilege('pg_catalog.pg_hba_file_rules', 'SELECT')
   AND has_function_privilege('pg_catalog.pg_hba_file_rules()', 'EXECUTE')
"""
BLIND = "this login may not read pg_hba_file_rules; the grant script lets it"
# Larger than any private network: 10.0.0.0/8.
_MOST_ADDRESSES = 2**24
_MOST_ADDRESSES_V6 = 2**96
_HERE = frozenset({"localhost", "samehost"})


def _check(
    number: int, severity: Severity, title: str, rationale: str, is_bad: Callable[[Row], bool], advice: str, cwe: int
) -> Check:
    return Check(
        id=f"PG-AUTH-{number:03}",
        title=title,
        severity=severity,
        category=Category.AUTHENTICATION_AUTHORIZATION,
        rationale=rationale,
        statement=RULES,
        judge=_judge(is_bad),
        remediation=remedy(advice + " Then: SELECT pg_reload_conf();"),
        probe=PROBE,
        blind=BLIND,
        applies=own_host,
        references=References(cis="5 Connection and login", cwe=(cwe,)),
    )


def _judge(is_bad: Callable[[Row], bool]) -> Callable[[Sequence[Row]], list[Violation]]:
    def judge(rows: Sequence[Row]) -> list[Violation]:
        found: dict[str, Violation] = {}
        for row in rows:
            if is_bad(row):
                name = _text_of(row)
                # The line may move; the rule is the same.
                found.setdefault(name, Violation(AuditedObject("host rule", name), {"line": row["line_number"]}, name))
        return list(found.values())

    return judge


def _text_of(row: Row) -> str:
    """The rule as the file writes it; a line that is not understood has no more than its error."""
    if row["error"] is not None:
        return str(row["error"])
    network = _network_of(row)
    address = str(network) if network is not None else row["address"]
    parts = (row["type"], ",".join(row["database"]), ",".join(row["user_name"]), address, row["auth_method"])
    return " ".join(part for part in parts if part)


def _network_of(row: Row) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """None for names, keywords and the local socket."""
    if not row["netmask"]:
        return None
    address = ipaddress.ip_address(row["address"])
    bits = int(ipaddress.ip_address(row["netmask"])).bit_count()
    return ipaddress.ip_network(f"{address}/{bits}", strict=False)


def _lets_in(row: Row) -> bool:
    return row["error"] is None and row["auth_method"] != "reject"


def _is_remote(row: Row) -> bool:
    if row["type"] == "local" or not _lets_in(row):
        return False
    network = _network_of(row)
    return not network.is_loopback if network is not None else row["address"] not in _HERE


def _is_open(row: Row) -> bool:
    if not _is_remote(row):
        return False
    network = _network_of(row)
    if network is None:
        return bool(row["address"] == "all")
    return network.num_addresses > (_MOST_ADDRESSES if network.version == 4 else _MOST_ADDRESSES_V6)


def _is_for_all(row: Row) -> bool:
    return _is_remote(row) and "all" in row["database"] and "all" in row["user_name"]


CHECKS = (
    _check(
        3,
        Severity.CRITICAL,
        "Sign-in without a password, or with one in clear text",
        "`trust` lets in whoever asks, as any role; `password` sends the password as it is.",
        lambda row: _lets_in(row) and row["auth_method"] in ("trust", "password"),
        "In pg_hba.conf replace the method of this line by scram-sha-256, cert or (for local) peer.",
        306,
    ),
    _check(
        4,
        Severity.MEDIUM,
        "Sign-in by md5 or ident",
        "md5 is broken and its stored hash is as good as the password; ident believes what the client's machine says.",
        lambda row: _lets_in(row) and row["auth_method"] in ("md5", "ident"),
        "In pg_hba.conf replace the method of this line by scram-sha-256, after passwords were set anew.",
        327,
    ),
    _check(
        5,
        Severity.HIGH,
        "Sign-in from any address",
        "Whoever reaches the port may try passwords.",
        _is_open,
        "In pg_hba.conf narrow the address of this line to the networks of the clients.",
        284,
    ),
    _check(
        6,
        Severity.HIGH,
        "Remote sign-in without encryption is allowed",
        "Lines of type host and hostnossl take connections in clear text, which can be read on the way.",
        lambda row: _is_remote(row) and row["type"] in ("host", "hostnossl", "hostnogssenc"),
        "In pg_hba.conf change the type of this line to hostssl (or hostgssenc).",
        319,
    ),
    _check(
        7,
        Severity.MEDIUM,
        "Every role may sign in to every database over the network",
        "A role for one application reaches all others, and superusers can be tried from afar.",
        _is_for_all,
        "In pg_hba.conf name the databases and roles in this line.",
        284,
    ),
    _check(
        8,
        Severity.LOW,
        "pg_hba.conf has lines that are not understood",
        "With one such line the whole file is not loaded anew: later changes, and locks of accounts, do nothing.",
        lambda row: row["error"] is not None,
        "Correct the line in pg_hba.conf.",
        16,
    ),
)
