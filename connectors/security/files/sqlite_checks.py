"""Checks of what an SQLite database holds: its structure, its references, its code."""

from __future__ import annotations

import re
from collections.abc import Sequence

from connectors.security.check import AuditedObject, Category, Check, References, Row, Severity, Violation, remedy
from connectors.sqlite_session import BANNED_FUNCTIONS

QUICK_CHECK = "PRAGMA quick_check(20)"
FOREIGN_KEYS = "PRAGMA foreign_key_check"
CODE = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'view') ORDER BY name"
PRAGMAS = frozenset({"quick_check", "foreign_key_check"})
_REACHES_OUT = re.compile(rf"\b({'|'.join(sorted(BANNED_FUNCTIONS))})\s*\(", re.IGNORECASE)


def _damages(rows: Sequence[Row]) -> list[Violation]:
    found = [str(row["quick_check"]) for row in rows if row["quick_check"] != "ok"]
    return [Violation(AuditedObject("database", "main"), {"faults": len(found), "first": found[0]})] if found else []


def _orphans(rows: Sequence[Row]) -> list[Violation]:
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (str(row["table"]), str(row["parent"]))
        counts[key] = counts.get(key, 0) + 1
    return [
        Violation(AuditedObject("table", table, part=parent), {"rows": count}, table)
        for (table, parent), count in sorted(counts.items())
    ]


def _reaching_out(rows: Sequence[Row]) -> list[Violation]:
    return [
        Violation(AuditedObject(str(row["type"]), str(row["name"])), {"function": found.group(1).lower()})
        for row in rows
        if (found := _REACHES_OUT.search(str(row["sql"] or "")))
    ]


CHECKS = (
    Check(
        id="SL-004",
        title="The database is damaged",
        severity=Severity.MEDIUM,
        category=Category.DATA_PROTECTION,
        rationale="What is read from it may be wrong or missing, and each write may make it worse.",
        statement=QUICK_CHECK,
        judge=_damages,
        remediation=remedy("Restore it from a backup, or save what can be read with the shell's .recover."),
        references=References(cwe=(354,)),
    ),
    Check(
        id="SL-005",
        title="Rows refer to others that are gone",
        severity=Severity.MEDIUM,
        category=Category.SCHEMA_HYGIENE,
        rationale="SQLite enforces foreign keys only in connections that turn them on.",
        statement=FOREIGN_KEYS,
        judge=_orphans,
        remediation=remedy(
            "Repair the rows, and turn foreign keys on in each connection.", "PRAGMA foreign_keys = ON;"
        ),
    ),
    Check(
        id="SL-006",
        title="Trigger or view that reaches out of the database",
        severity=Severity.MEDIUM,
        category=Category.SURFACE_AREA,
        rationale="Who opens the file with the defaults runs it: it reads or writes files, or loads code.",
        statement=CODE,
        judge=_reaching_out,
        remediation=remedy(
            "Review and drop it; open files of others with trusted_schema off.", "PRAGMA trusted_schema = OFF;"
        ),
        references=References(cwe=(829,)),
    ),
)
