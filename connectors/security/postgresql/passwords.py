"""Checks of passwords and of how long signing in may take."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.security.check import (
    AuditedObject,
    Category,
    Check,
    References,
    Row,
    Severity,
    Violation,
    every_row,
    remedy,
)
from connectors.security.postgresql.settings import ALL_SETTINGS, BLIND, sees_setting, setting_check

_ABOUT = Category.AUTHENTICATION_AUTHORIZATION
_LOGIN = "5 Connection and login"
_MODULES = ("passwordcheck", "credcheck", "auth_delay")
# Only what kind of hash it is leaves the server.
_MD5_HASHES = """
SELECT 'role' AS kind, rolname AS name, quote_ident(rolname) AS target, 'md5' AS hash
  FROM pg_authid WHERE rolcanlogin AND rolpassword LIKE 'md5%' ORDER BY 2
"""


def _has_no_module(rows: Sequence[Row]) -> list[Violation]:
    [loaded] = [row["setting"] or "" for row in rows if row["name"] == "shared_preload_libraries"]
    if any(module in loaded for module in _MODULES):
        return []
    return [Violation(AuditedObject("setting", "shared_preload_libraries"), {"value": loaded})]


CHECKS = (
    Check(
        id="PG-AUTH-001",
        title="Passwords stored as md5",
        severity=Severity.HIGH,
        category=_ABOUT,
        rationale="An md5 hash is guessed quickly, and is itself enough to sign in with.",
        statement=_MD5_HASHES,
        judge=every_row,
        remediation=remedy(
            "Set the password again under scram-sha-256 (\\password in psql does not send it in clear)."
        ),
        probe="SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT')",
        blind="only a superuser sees how passwords are stored; this audit does not ask to be one",
        references=References(cis=_LOGIN, cwe=(327, 916)),
    ),
    setting_check(
        "PG-AUTH-002",
        "New passwords are not stored as SCRAM",
        Severity.HIGH,
        _ABOUT,
        "password_encryption",
        lambda value: value != "scram-sha-256",
        "Every password set from now on gets a weak hash.",
        "scram-sha-256",
        references=References(cis=_LOGIN, cwe=(327, 916)),
    ),
    setting_check(
        "PG-AUTH-009",
        "Signing in may take longer than a minute",
        Severity.LOW,
        _ABOUT,
        "authentication_timeout",
        lambda value: int(value) > 60,
        "Connections that never sign in hold places that others need.",
        "60s",
        references=References(cis=_LOGIN, cwe=(400,)),
    ),
    Check(
        id="PG-AUTH-010",
        title="Nothing checks passwords or slows down guessing",
        severity=Severity.MEDIUM,
        category=_ABOUT,
        rationale="The server takes any password and answers every guess at once. Accept it where nobody uses one.",
        statement=ALL_SETTINGS,
        judge=_has_no_module,
        remediation=remedy(
            "Load one of passwordcheck, credcheck or auth_delay by shared_preload_libraries, and restart."
        ),
        probe=sees_setting("shared_preload_libraries"),
        blind=BLIND.format(name="shared_preload_libraries"),
        references=References(cis=_LOGIN, cwe=(307, 521)),
    ),
)
