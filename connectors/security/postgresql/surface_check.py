"""What the checks of a database's surface have in common."""

from __future__ import annotations

from connectors.security.check import Category, Check, References, Scope, Severity, every_row, remedy


def surface_check(
    number: int,
    severity: Severity,
    title: str,
    rationale: str,
    statement: str,
    fix: tuple[str, str | None],
    cwe: int,
    *,
    scope: Scope = Scope.DATABASE,
    probe: str | None = None,
    blind: str = "",
    partly_visible: bool = False,
    category: Category = Category.SURFACE_AREA,
) -> Check:
    """PG-SURF-`number`. `statement` brings nothing but violations; `fix` is what to do, and the SQL for it."""
    return Check(
        id=f"PG-SURF-{number:03}",
        title=title,
        severity=severity,
        category=category,
        rationale=rationale,
        statement=statement,
        judge=every_row,
        remediation=remedy(*fix),
        probe=probe,
        blind=blind,
        partly_visible=partly_visible,
        scope=scope,
        references=References(cis="4 User access and authorization", cwe=(cwe,)),
    )
