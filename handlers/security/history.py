"""The history of a finding, as clients see it."""

from __future__ import annotations

from typing import Any

import msgspec

from handlers.names import RowId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Context, Forbidden, Instant, Operation, Page, Permission
from handlers.security.standing import may_manage, require_finding
from storage import finding_history
from storage.finding_history import Entry


class GetHistory(msgspec.Struct, frozen=True, kw_only=True):
    """From when it was first found."""

    finding_id: RowId
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a finding.

    `kind` is `opened`, `changed`, `fixed` or `reopened` by the audit `scan_id`; `acknowledged`, `accepted`,
    `decision_taken_back`, `baseline_set`, `excepted` or `exception_ended` by `actor`, with their `note`; or
    `acceptance_ended` in its time. `details` of one that changed are pairs of what was and what is, by name, and tell
    of exceptions which it was; null for whoever may not manage the workspace.
    """

    id: RowId
    kind: str
    at: Instant
    scan_id: RowId | None
    actor: str | None
    note: str | None
    details: dict[str, Any] | None


async def get_history(context: Context, request: GetHistory) -> Page[HistoryEntry]:
    finding = await require_finding(context, request.finding_id, Permission.READ)
    manages = await may_manage(context, finding.workspace_id)
    after = decode_cursor("security.findings.history", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await finding_history.of_finding(connection, finding.id, after=after, limit=request.limit + 1)
    return page_of(
        rows,
        request.limit,
        "security.findings.history",
        key=lambda row: row.id,
        item=lambda row: _shown(row, manages=manages),
    )


def _shown(row: Entry, *, manages: bool) -> HistoryEntry:
    return HistoryEntry(
        id=row.id,
        kind=row.kind,
        at=row.at,
        scan_id=row.scan_id,
        actor=row.actor,
        note=row.note,
        details=msgspec.json.decode(row.details) if manages and row.details else None,
    )


OPERATIONS = (
    Operation(
        "security.findings.history",
        GetHistory,
        Page[HistoryEntry],
        get_history,
        "GET /security/findings/{finding_id}/history",
        Permission.SIGNED_IN,
        "Read what happened to a finding: when, and by whom.",
        errors=(Forbidden,),
    ),
)
