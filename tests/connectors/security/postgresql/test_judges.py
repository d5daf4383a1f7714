"""The judges of what servers of the tests cannot be brought to, on rows as they would be."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.security.catalogue import catalogue
from connectors.security.check import Check

CHECKS = {check.id: check for check in catalogue("postgresql")}


def setting(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "setting": value}


def rule(**parts: object) -> dict[str, Any]:
    usual = {"line_number": 1, "type": "hostssl", "database": ["shop"], "user_name": ["shopper"], "address": "10.1.0.0"}
    return {**usual, "netmask": "255.255.0.0", "auth_method": "scram-sha-256", "error": None, **parts}


def fails(check_id: str, *rows: dict[str, Any]) -> bool:
    check: Check = CHECKS[check_id]
    return bool(check.judge(rows))


@pytest.mark.parametrize(
    ("check_id", "name", "bad", "good"),
    [
        ("PG-TLS-001", "ssl", "off", "on"),
        ("PG-TLS-003", "ssl_ciphers", "HIGH:RC4", "HIGH:MEDIUM:+3DES:!aNULL"),
        ("PG-TLS-003", "ssl_ciphers", "ALL", "HIGH:!aNULL:!MD5:-RC4"),
        ("PG-DATA-001", "data_checksums", "off", "on"),
        ("PG-LOG-001", "log_connections", "receipt", "receipt,authentication,authorization"),
        ("PG-LOG-001", "log_connections", "off", "all"),
        ("PG-LOG-004", "log_min_messages", "error", "notice"),
        ("PG-LOG-006", "log_line_prefix", "%m [%p] ", "%t [%p] %u@%d %r "),
        ("PG-LOG-009", "log_file_mode", "0644", "0640"),
        ("PG-LOG-009", "log_file_mode", "0620", "0600"),
        ("PG-NET-001", "listen_addresses", "127.0.0.1, ::", "127.0.0.1,::1"),
    ],
)
def test_settings(check_id: str, name: str, bad: str, good: str) -> None:
    assert fails(check_id, setting(name, bad))
    assert not fails(check_id, setting(name, good))


def test_audit_by_pgaudit() -> None:
    loaded = setting("shared_preload_libraries", "pg_stat_statements,pgaudit")
    silent, writes = setting("pgaudit.log", "none"), setting("pgaudit.log", "ddl, role")
    no_statements = setting("log_statement", "none")
    assert not fails("PG-LOG-014", loaded, writes)
    assert not fails("PG-LOG-014", loaded, silent, setting("pgaudit.role", "auditor"))
    assert fails("PG-LOG-014", loaded, silent)
    assert fails("PG-LOG-014", setting("shared_preload_libraries", ""), writes)
    assert not fails("PG-LOG-003", no_statements, loaded, writes)
    assert fails("PG-LOG-003", no_statements, loaded, silent)


def test_rules_that_are_in_order() -> None:
    rejected = rule(type="host", address="0.0.0.0", netmask="0.0.0.0", auth_method="reject", database=["all"])
    here = rule(type="host", address="::1", netmask="ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", database=["all"])
    private = rule(address="10.0.0.0", netmask="255.0.0.0")
    named = rule(type="host", address="localhost", netmask=None)
    for number in (3, 4, 5, 6, 7, 8):
        assert not fails(f"PG-AUTH-{number:03}", rule(), rejected, here, private, named), number


@pytest.mark.parametrize(
    ("number", "parts"),
    [
        (3, {"type": "local", "address": None, "netmask": None, "auth_method": "trust"}),
        (3, {"auth_method": "password"}),
        (4, {"auth_method": "ident"}),
        (5, {"address": "all", "netmask": None}),
        (5, {"address": "0.0.0.0", "netmask": "128.0.0.0"}),
        (5, {"address": "::", "netmask": "::"}),
        (6, {"type": "host"}),
        (6, {"type": "hostnossl", "address": "samenet", "netmask": None}),
        (7, {"database": ["all"], "user_name": ["all"]}),
        (8, {"error": "end-of-line before IP address specification", "type": None, "database": None}),
    ],
)
def test_rules_that_are_not(number: int, parts: dict[str, object]) -> None:
    assert fails(f"PG-AUTH-{number:03}", rule(**parts))


def test_a_rule_that_moves_is_the_same_finding() -> None:
    judge = CHECKS["PG-AUTH-003"].judge
    [before] = judge([rule(auth_method="trust", line_number=3)])
    [after] = judge([rule(), rule(auth_method="trust", line_number=9), rule(auth_method="trust", line_number=10)])
    assert before.object == after.object
    assert before.evidence != after.evidence
