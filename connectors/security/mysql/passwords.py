"""Checks of how passwords are chosen and how often one may be tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.security.check import (
    AuditedObject,
    Category,
    Check,
    Judge,
    References,
    Row,
    Severity,
    Violation,
    remedy,
)
from connectors.security.mysql.servers import MARIADB, only
from connectors.security.mysql.settings import setting_check
from connectors.security.mysql.statements import PLUGINS

# As many wrong passwords before an account is blocked as nobody types by mistake.
_MOST_ERRORS = 100_000
_VALIDATORS = ("simple_password_check", "cracklib_password_check", "validate_password", "component_validate_password")


def none_of(what: str, is_one: Callable[[str], bool]) -> Judge:
    """Fails where no active plugin or component is one of these."""

    def judge(rows: Sequence[Row]) -> list[Violation]:
        if any(is_one(str(row["name"])) for row in rows):
            return []
        return [Violation(AuditedObject("server", what), {"active_plugins": len(rows)})]

    return judge


def _validates(name: str) -> bool:
    return name.removeprefix("file://") in _VALIDATORS or name.endswith("component_validate_password")


CHECKS = (
    setting_check(
        "MY-ACC-013",
        "Passwords never expire",
        Severity.LOW,
        Category.AUTHENTICATION_AUTHORIZATION,
        {"default_password_lifetime": lambda value: value == "0"},
        "A password that leaked unnoticed works for ever. Where passwords are long and unique, accept this.",
        "Set a lifetime in days.",
        "SET GLOBAL default_password_lifetime = 365;",
        (262,),
    ),
    setting_check(
        "MY-ACC-014",
        "Any number of wrong passwords",
        Severity.LOW,
        Category.AUTHENTICATION_AUTHORIZATION,
        {"max_password_errors": lambda value: int(value) >= _MOST_ERRORS},
        "Nothing slows down who tries passwords one after the other.",
        "Block an account after some wrong passwords in a row.",
        "SET GLOBAL max_password_errors = 20;",
        (307,),
        applies=only(MARIADB, "MySQL counts wrong passwords by account (FAILED_LOGIN_ATTEMPTS), not by this setting"),
    ),
    Check(
        id="MY-ACC-015",
        title="New passwords are not checked",
        severity=Severity.MEDIUM,
        category=Category.AUTHENTICATION_AUTHORIZATION,
        rationale="Short and common passwords are taken as they are typed.",
        statement=PLUGINS,
        judge=none_of("password validation", _validates),
        remediation=remedy(
            "Install simple_password_check (MariaDB) or the component validate_password (MySQL).",
            "INSTALL SONAME 'simple_password_check'; -- MySQL: INSTALL COMPONENT 'file://component_validate_password';",
        ),
        references=References(cwe=(521,)),
    ),
)
