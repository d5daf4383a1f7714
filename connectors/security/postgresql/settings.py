"""Checks of single settings of the server."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.security.check import (
    Applies,
    AuditedObject,
    Category,
    Check,
    Judge,
    References,
    Remedy,
    Row,
    Severity,
    Violation,
    remedy,
)

# Asked once for all of them.
ALL_SETTINGS = "SELECT name, setting FROM pg_settings"
BLIND = "this login may not read the setting {name}; membership in pg_monitor lets it"


def sees_setting(name: str) -> str:
    """The probe for a setting: those that a login may not see are left out of the view."""
    return f"SELECT count(*) > 0 FROM pg_settings WHERE name = '{name}'"  # noqa: S608 - names of our own


def setting_check(
    check_id: str,
    title: str,
    severity: Severity,
    category: Category,
    name: str,
    is_bad: Callable[[str], bool],
    rationale: str,
    wanted: str,
    *,
    advice: str | None = None,
    is_at_restart: bool = False,
    has_sql: bool = True,
    applies: Applies = lambda _: None,
    references: References,
) -> Check:
    """Fails when `is_bad` of the setting's value, in the setting's own unit; `wanted` is what to set instead, by SQL
    where that can be done."""
    return Check(
        id=check_id,
        title=title,
        severity=severity,
        category=category,
        rationale=rationale,
        statement=ALL_SETTINGS,
        judge=_of_setting(name, is_bad),
        remediation=_set_to(name, wanted, advice, is_at_restart=is_at_restart) if has_sql else remedy(advice or ""),
        probe=sees_setting(name),
        blind=BLIND.format(name=name),
        applies=applies,
        references=references,
    )


def _of_setting(name: str, is_bad: Callable[[str], bool]) -> Judge:
    """The judge of one setting among all."""

    def judge(rows: Sequence[Row]) -> list[Violation]:
        return [
            Violation(AuditedObject("setting", name), {"value": row["setting"]}, name)
            for row in rows
            if row["name"] == name and is_bad(row["setting"] or "")
        ]

    return judge


def _set_to(name: str, wanted: str, advice: str | None = None, *, is_at_restart: bool = False) -> Remedy:
    """Where a provider manages the server, the same is set in its console."""
    then = "-- then restart the server" if is_at_restart else "SELECT pg_reload_conf();"
    text = advice or f"Set {name} to {wanted}."
    return remedy(text, f"ALTER SYSTEM SET {name} = '{wanted}';\n{then}")
