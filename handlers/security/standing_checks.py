"""What stands of the checks of a source: of each the newest outcome, whichever audit made it.

An audit of some checks says nothing about the others. Were it all that counted, whoever may audit could choose those
that make a source look well.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.security.check import Check, Outcome, References
from handlers.names import RowId
from handlers.security.scoring import Figures, figures_of
from handlers.security.shapes import CheckOutcome, shown_result, shown_scan
from handlers.security.sources import checks_for
from storage import security_scans
from storage.data_sources import DataSource
from storage.runs import SUCCEEDED

NEVER_MADE = "No audit has made this check."
# So many audits of some checks are looked through for one of all; what only older ones made counts as never made.
_MOST_AUDITS = 100


class StandingCheck(CheckOutcome, frozen=True, kw_only=True):
    """The newest outcome of a check; `scan_id` is the audit that made it, null where none has."""

    scan_id: RowId | None
    references: References


async def standing_checks(connection: AsyncConnection, source: DataSource, *, manages: bool) -> list[StandingCheck]:
    """All checks of the source in the order of the catalogue; none before its first audit."""
    made: dict[str, tuple[int, CheckOutcome]] = {}
    audits = await security_scans.list_of(
        connection, source.workspace_id, source_id=source.id, state=SUCCEEDED, limit=_MOST_AUDITS
    )
    for audit in audits:
        for row in await security_scans.results_of(connection, audit.id):
            if row.check_id not in made:
                made[row.check_id] = audit.id, shown_result(row, manages=manages)
        if shown_scan(audit).options.is_of_all:
            break
    if not audits:
        return []
    return [_standing(check, *made.get(check.id, (None, None)), manages=manages) for check in checks_for(source.kind)]


def figures_of_standing(checks: list[StandingCheck]) -> Figures:
    return figures_of([(one.category, one.severity, one.outcome) for one in checks])


def _standing(check: Check, scan_id: int | None, made: CheckOutcome | None, *, manages: bool) -> StandingCheck:
    if made is None:
        made = CheckOutcome(
            check_id=check.id,
            title=check.title,
            severity=check.severity,
            category=check.category,
            outcome=Outcome.NOT_EVALUATED,
            reason=NEVER_MADE,
            seconds=0.0,
            count=0,
            violations=[] if manages else None,
        )
    same: dict[str, Any] = {name: getattr(made, name) for name in CheckOutcome.__struct_fields__}
    return StandingCheck(**same, scan_id=scan_id, references=check.references)
