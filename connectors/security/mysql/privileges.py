"""Checks of rights that reach beyond one application's data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from connectors.security.check import (
    AuditedObject,
    Category,
    Check,
    Judge,
    References,
    Remediation,
    Row,
    Severity,
    Violation,
    remedy,
)
from connectors.security.mysql.accounts import LOCAL_HOSTS, account_of
from connectors.security.mysql.statements import ACCOUNTS, DATABASE_GRANTS

# Accounts of the servers themselves and of providers. root counts among them on the server's own machine only.
SYSTEM_ACCOUNTS = frozenset(
    {"mysql", "mariadb.sys", "mysql.sys", "mysql.session", "mysql.infoschema", "rdsadmin", "azure_superuser"}
)
# A per cent sign in the name of a database stands for anything, unless a backslash comes before it.
_WILDCARD = re.compile(r"(?<!\\)(?:\\\\)*%")
_OWN_SCHEMA = "mysql"


def holders_of(**rights: str) -> Judge:
    """Violations of accounts and roles with any of these rights: the column that tells, and the right's name."""

    def judge(rows: Sequence[Row]) -> list[Violation]:
        return [
            Violation(account_of(row), {"host": str(row["host"]), "privileges": ", ".join(held)}, str(row["quoted"]))
            for row in rows
            if (held := [right for column, right in rights.items() if row[column]]) and not _is_administrator(row)
        ]

    return judge


def _is_administrator(row: Row) -> bool:
    return row["user"] in SYSTEM_ACCOUNTS or (row["user"] == "root" and row["host"] in LOCAL_HOSTS)


def _on_own_schema(rows: Sequence[Row]) -> list[Violation]:
    """One an account: rights on all of the schema `mysql`, or to write in tables of it."""
    found: dict[str, tuple[Row, list[str]]] = {}
    for row in rows:
        if _reaches_own_schema(str(row["db"])) and not _is_administrator(row):
            found.setdefault(str(row["quoted"]), (row, []))[1].append(str(row["on_table"] or "*"))
    return [
        Violation(account_of(row), {"tables": ", ".join(f"{_OWN_SCHEMA}.{table}" for table in tables)}, target)
        for target, (row, tables) in found.items()
    ]


def _reaches_own_schema(pattern: str) -> bool:
    """Whether a grant on databases of this name or pattern is one on the schema of the server's accounts."""
    return pattern == _OWN_SCHEMA or (bool(_WILDCARD.search(pattern)) and _matches(pattern, _OWN_SCHEMA))


def _matches(pattern: str, name: str) -> bool:
    signs = {"%": ".*", "_": "."}
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    expression = "".join(signs.get(part, re.escape(part[-1])) for part in parts)
    return re.fullmatch(expression, name, re.DOTALL) is not None


def _on_patterns(rows: Sequence[Row]) -> list[Violation]:
    """Grants on every database of a pattern, and those to anybody on databases for trying out."""
    return [
        Violation(_grant_of(row), {"database": str(row["db"])}, str(row["quoted"]))
        for row in rows
        if not row["on_table"] and (_WILDCARD.search(str(row["db"])) or _is_for_anybody(row))
    ]


def _is_for_anybody(row: Row) -> bool:
    return row["user"] in ("", "PUBLIC") and (row["db"] == "test" or str(row["db"]).startswith("test\\_"))


def _grant_of(row: Row) -> AuditedObject:
    account = account_of(row)
    return replace(account, schema=str(row["db"]))


def _revoked(violation: Violation) -> Remediation:
    held = violation.evidence["privileges"]
    return Remediation(
        f"Take {held} from it if it is no administrator's.", f"REVOKE {held} ON *.* FROM {violation.target};"
    )


def _right(check_id: str, title: str, severity: Severity, rationale: str, **rights: str) -> Check:
    return Check(
        id=check_id,
        title=title,
        severity=severity,
        category=Category.AUTHENTICATION_AUTHORIZATION,
        rationale=rationale,
        statement=ACCOUNTS,
        judge=holders_of(**rights),
        remediation=_revoked,
        references=References(cwe=(250, 269)),
    )


CHECKS = (
    _right(
        "MY-ACC-005",
        "SUPER beyond the administrators",
        Severity.HIGH,
        "It ends others' sessions, changes settings of the server and turns off its logs.",
        can_super="SUPER",
    ),
    _right(
        "MY-ACC-006",
        "FILE beyond the administrators",
        Severity.HIGH,
        "It reads and writes files of the machine, with the rights of the server.",
        can_file="FILE",
    ),
    _right(
        "MY-ACC-007",
        "Rights that may be passed on everywhere",
        Severity.HIGH,
        "Whoever has it gives all rights of its own to anybody.",
        can_grant="GRANT OPTION",
    ),
    _right(
        "MY-ACC-008",
        "Administrative rights beyond the administrators",
        Severity.MEDIUM,
        "They show others' statements, stop the server, and make accounts.",
        can_process="PROCESS",
        can_shutdown="SHUTDOWN",
        can_reload="RELOAD",
        can_create_user="CREATE USER",
    ),
    Check(
        id="MY-ACC-009",
        title="Rights on the server's own tables",
        severity=Severity.HIGH,
        category=Category.AUTHENTICATION_AUTHORIZATION,
        rationale="Whoever writes to the schema mysql makes accounts; whoever reads all of it has everybody's hashes.",
        statement=DATABASE_GRANTS,
        judge=_on_own_schema,
        remediation=remedy(
            "Revoke rights on the schema mysql; SELECT on single tables is enough to audit.",
            "REVOKE ALL PRIVILEGES ON mysql.* FROM {target};",
        ),
        references=References(cwe=(269, 732)),
    ),
    Check(
        id="MY-ACC-010",
        title="Rights on all databases of a pattern",
        severity=Severity.MEDIUM,
        category=Category.AUTHENTICATION_AUTHORIZATION,
        rationale="They count for databases that are made later, too, whoever makes them.",
        statement=DATABASE_GRANTS,
        judge=_on_patterns,
        remediation=remedy("Grant rights on the databases by their exact names, and revoke those on the pattern."),
        references=References(cwe=(732,)),
    ),
)
