"""How settings of the server are judged, which everybody may read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from connectors.errors import StatementFailed
from connectors.security.check import (
    Applies,
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
from connectors.security.mysql.statements import SETTINGS

IsBad = Callable[[str], bool]


def of_settings(are_bad: Mapping[str, IsBad]) -> Judge:
    """Judges those of these settings that the server has: MySQL and MariaDB often have one each.

    Raises StatementFailed where it has none of them, as nothing can be said then.
    """

    def judge(rows: Sequence[Row]) -> list[Violation]:
        values = {str(row["variable_name"]): str(row["value"] or "") for row in rows}
        present = [name for name in are_bad if name in values]
        if not present:
            raise StatementFailed(f"the server has no setting {' or '.join(are_bad)}")
        return [
            Violation(AuditedObject("setting", name), {"value": values[name]}, name)
            for name in present
            if are_bad[name](values[name])
        ]

    return judge


def setting_check(
    check_id: str,
    title: str,
    severity: Severity,
    category: Category,
    are_bad: Mapping[str, IsBad],
    rationale: str,
    advice: str,
    sql: str | None,
    cwe: tuple[int, ...],
    *,
    applies: Applies = lambda _: None,
) -> Check:
    """Fails for each of the settings whose value is bad. What `sql` sets lasts until the server starts again."""
    return Check(
        id=check_id,
        title=title,
        severity=severity,
        category=category,
        rationale=rationale,
        statement=SETTINGS,
        judge=of_settings(are_bad),
        remediation=remedy(f"{advice} Write it to the server's configuration file, too.", sql),
        applies=applies,
        references=References(cwe=cwe),
    )


def is_value(*values: str) -> IsBad:
    """Whether a setting, in capitals, has one of these values."""
    return lambda value: value.upper() in values
