"""What people decide about findings: to see to one, to accept a risk for some time, to take today for the baseline."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.security.check import Severity
from handlers.audit_trail import record
from handlers.names import RowId, WorkspaceId
from handlers.outbox import Outbox
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, Forbidden, Operation, Page, Permission
from handlers.security.alerting import end_alerts, raise_alerts
from handlers.security.noting import keep, note
from handlers.security.shapes import FindingShown, FindingState, shown_finding
from handlers.security.standing import may_manage, no_finding, require_finding
from handlers.source_access import require_source
from storage import security_findings, security_scans
from storage.security_findings import ACCEPTED, ACKNOWLEDGED, OPEN, RESOLVED, Finding
from storage.security_scans import Baseline

Text = Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"^[^\x00]*$(?!\n)")]
MOST_SECONDS = 366 * 86400


class ListFindings(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first, fixed ones too."""

    workspace_id: WorkspaceId = "default"
    source_id: RowId | None = None
    state: FindingState | None = None
    severity: Severity | None = None
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class AcknowledgeFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody sees to it. It stays a finding until an audit finds it no more."""

    finding_id: RowId
    note: Text | None = None


class AcceptRisk(msgspec.Struct, frozen=True, kw_only=True):
    """It is known and stays, for a reason and for so many seconds; whoever accepts it owns the exception.

    Its alert ends, and it counts as a failed check all the same. When the time is over it is open again.
    """

    finding_id: RowId
    why: Text
    seconds: Annotated[int, Meta(ge=1, le=MOST_SECONDS)]


class ReopenFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Takes back an acknowledgement or an acceptance."""

    finding_id: RowId
    note: Text | None = None


class SetBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """What stands after the newest audit is known: alerts of it end, and what comes later is drift."""

    data_source_id: RowId


class BaselineSet(msgspec.Struct, frozen=True, kw_only=True):
    scan_id: RowId
    findings: int


async def list_findings(context: Context, request: ListFindings) -> Page[FindingShown]:
    manages = await may_manage(context, request.workspace_id)
    before = decode_cursor("security.findings", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await security_findings.list_of(
            connection,
            request.workspace_id,
            source_id=request.source_id,
            state=request.state,
            severity=request.severity,
            before=before,
            limit=request.limit + 1,
        )
    return page_of(
        rows,
        request.limit,
        "security.findings",
        key=lambda row: row.id,
        item=lambda row: shown_finding(row, manages=manages),
    )


async def acknowledge_finding(context: Context, request: AcknowledgeFinding) -> FindingShown:
    await require_finding(context, request.finding_id, Permission.WRITE)
    async with context.parts.feeds.writing() as (connection, outbox):
        await _locked(connection, request.finding_id)
        values = {"state": ACKNOWLEDGED, "accepted_until": None, "note": request.note}
        changed = await _decide(connection, outbox, context, request.finding_id, values, "acknowledged")
        details = {"note": request.note}
        await record(connection, context, "security.findings.acknowledge", str(changed.id), details)
    return shown_finding(changed, manages=await may_manage(context, changed.workspace_id))


async def accept_risk(context: Context, request: AcceptRisk) -> FindingShown:
    await require_finding(context, request.finding_id, Permission.MANAGE)
    until = context.now() + timedelta(seconds=request.seconds)
    async with context.parts.feeds.writing() as (connection, outbox):
        await _locked(connection, request.finding_id)
        values = {"state": ACCEPTED, "accepted_until": until, "note": request.why}
        changed = await _decide(connection, outbox, context, request.finding_id, values, "accepted")
        reason = f"The risk is accepted until {until:%Y-%m-%d %H:%M} UTC by {context.user.user_id}."
        await end_alerts(connection, outbox, [changed], reason, at=context.now())
        details = {"why": request.why, "seconds": request.seconds}
        await record(connection, context, "security.findings.accept", str(changed.id), details)
    return shown_finding(changed, manages=True)


async def reopen_finding(context: Context, request: ReopenFinding) -> FindingShown:
    await require_finding(context, request.finding_id, Permission.MANAGE)
    async with context.parts.feeds.writing() as (connection, outbox):
        await _locked(connection, request.finding_id)
        values = {"state": OPEN, "accepted_until": None, "note": request.note}
        changed = await _decide(connection, outbox, context, request.finding_id, values, "decision_taken_back")
        await raise_alerts(connection, outbox, [changed], at=context.now())
        await record(connection, context, "security.findings.reopen", str(changed.id), {"note": request.note})
    return shown_finding(changed, manages=True)


async def set_baseline(context: Context, request: SetBaseline) -> BaselineSet:
    source = await require_source(context, request.data_source_id, Permission.MANAGE)
    async with context.parts.feeds.writing() as (connection, outbox):
        known = await security_findings.of_source(connection, source.id, locked=True)
        newest = await security_scans.newest_of(connection, source.id, succeeded=True)
        if newest is None:
            raise Conflict("No audit of this source has succeeded; a baseline needs one.", code="not_audited")
        standing = [one for one in known if one.state != RESOLVED]
        new = [one for one in standing if not one.in_baseline]
        changed = await security_findings.change(connection, [one.id for one in standing], {"in_baseline": True})
        baseline = Baseline(newest.id, context.user.user_id, context.now())
        await security_scans.set_baseline(connection, source.id, baseline)
        await keep(connection, "baseline_set", new, at=context.now(), scan_id=newest.id, actor=context.user.user_id)
        await end_alerts(connection, outbox, changed, "It is in the baseline of its source.", at=context.now())
        details = {"scan_id": newest.id, "findings": len(changed)}
        await record(connection, context, "security.baselines.set", str(source.id), details)
    return BaselineSet(scan_id=newest.id, findings=len(changed))


async def _locked(connection: AsyncConnection, finding_id: int) -> Finding:
    """The finding, kept until the transaction ends. Raises NotFound; Conflict for one that is fixed or excepted."""
    row = await security_findings.get(connection, finding_id, locked=True)
    if row is None:
        raise no_finding(finding_id)
    if row.state == RESOLVED:
        raise Conflict("The finding is fixed; there is nothing to decide.", code="finding_resolved")
    if row.exception_id is not None:
        raise Conflict(
            f"The exception {row.exception_id} accepts the finding; end that, or make one that leaves it out.",
            code="finding_excepted",
            details={"exception_id": row.exception_id},
        )
    return row


async def _decide(
    connection: AsyncConnection,
    outbox: Outbox,
    context: Context,
    finding_id: int,
    values: dict[str, Any],
    kind: str,
) -> Finding:
    decided = {"decided_by": context.user.user_id, "decided_at": context.now()}
    [changed] = await security_findings.change(connection, [finding_id], values | decided)
    actor, said = context.user.user_id, values["note"]
    await note(connection, outbox, kind, [changed], at=context.now(), actor=actor, said=said)
    return changed


OPERATIONS = (
    Operation(
        "security.findings.list",
        ListFindings,
        Page[FindingShown],
        list_findings,
        "GET /security/findings",
        Permission.READ,
        "List what audits of a workspace's sources found.",
    ),
    Operation(
        "security.findings.acknowledge",
        AcknowledgeFinding,
        FindingShown,
        acknowledge_finding,
        "POST /security/findings/{finding_id}/acknowledge",
        Permission.SIGNED_IN,
        "Say that somebody sees to a finding.",
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "security.findings.accept",
        AcceptRisk,
        FindingShown,
        accept_risk,
        "POST /security/findings/{finding_id}/accept",
        Permission.SIGNED_IN,
        "Accept the risk of a finding for some time.",
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "security.findings.reopen",
        ReopenFinding,
        FindingShown,
        reopen_finding,
        "POST /security/findings/{finding_id}/reopen",
        Permission.SIGNED_IN,
        "Take back what was decided about a finding.",
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "security.baselines.set",
        SetBaseline,
        BaselineSet,
        set_baseline,
        "PUT /security/audit/{data_source_id}/baseline",
        Permission.SIGNED_IN,
        "Take what stands now for a source's baseline.",
        errors=(Conflict, Forbidden),
    ),
)
