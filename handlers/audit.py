"""The audit trail as server administrators read and check it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from handlers.names import RowId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Context, Instant, InvalidRequest, Operation, Page, Permission
from storage import audit
from storage.audit_verification import verify

Exactly = Annotated[str, Meta(max_length=400, pattern=r"^[^\x00]*$", description="Only rows where it is exactly this.")]
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what, or was refused. `hash` seals the row and the `previous_hash` before it."""

    id: int
    at: Instant
    actor: str
    action: str
    target: str
    outcome: str
    details: dict[str, Any]
    previous_hash: str
    hash: str


class ListAudit(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    actor: Exactly | None = None
    action: Exactly | None = None
    target: Exactly | None = None
    outcome: Exactly | None = None
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class VerifyAudit(msgspec.Struct, frozen=True, kw_only=True):
    """With a head kept from an earlier answer, rows that were cut off at the end are noticed too."""

    kept_id: RowId | None = None
    kept_hash: Hash | None = None


class AuditVerification(msgspec.Struct, frozen=True, kw_only=True):
    """Whether every row is as it was written; where not, `first_broken` is the first that is not, and `what` says why.

    Keep `head_id` and `head_hash` elsewhere, to show later that nothing was cut off.
    """

    intact: bool
    first_broken: int | None
    what: str | None
    head_id: int | None
    head_hash: str | None


async def list_audit(context: Context, request: ListAudit) -> Page[AuditEntry]:
    before = decode_cursor("audit", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await audit.read(
            connection,
            actor=request.actor,
            action=request.action,
            target=request.target,
            outcome=request.outcome,
            before=before,
            limit=request.limit + 1,
        )
    return page_of(rows, request.limit, "audit", key=lambda row: row.id, item=_shown)


async def verify_audit(context: Context, request: VerifyAudit) -> AuditVerification:
    if (request.kept_id is None) != (request.kept_hash is None):
        raise InvalidRequest("kept_id and kept_hash belong together.", details={"parameter": "kept_hash"})
    anchors = []
    if request.kept_id is not None and request.kept_hash is not None:
        anchors = [audit.Head(request.kept_id, request.kept_hash)]
    async with context.parts.database.read() as connection:
        fault = await verify(connection, anchors=anchors)
        head = await audit.head(connection)
    return AuditVerification(
        intact=fault is None,
        first_broken=fault.id if fault else None,
        what=fault.what if fault else None,
        head_id=head.id if head else None,
        head_hash=head.hash if head else None,
    )


def _shown(row: audit.Entry) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        target=row.target,
        outcome=row.outcome,
        details=row.details,
        previous_hash=row.previous_hash,
        hash=row.hash,
    )


OPERATIONS = (
    Operation(
        "audit.list",
        ListAudit,
        Page[AuditEntry],
        list_audit,
        "GET /audit",
        Permission.SERVER_ADMIN,
        "List what was done and refused.",
    ),
    Operation(
        "audit.verify",
        VerifyAudit,
        AuditVerification,
        verify_audit,
        "GET /audit/verification",
        Permission.SERVER_ADMIN,
        "Check that nobody changed the audit trail.",
    ),
)
