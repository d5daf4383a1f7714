"""Audits as clients see them: begin some, look how far they are, read what checks came to, cancel one."""

from __future__ import annotations

import secrets
from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.security.check import Outcome
from handlers.audit_trail import record
from handlers.names import RowId, WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, Forbidden, Operation, Page, Permission
from handlers.security.ending import end_abandoned, end_unfinished
from handlers.security.job import JOB
from handlers.security.options import AuditJob, check_sources
from handlers.security.shapes import AuditState, CheckOutcome, SecurityScanShown, shown_result, shown_scan
from handlers.security.sources import check_checks, check_kind, sources_asked
from handlers.security.standing import may_manage, no_scan, require_scan
from storage import runs, security_scans
from storage.data_sources import DataSource
from storage.errors import AlreadyExists


class BeginAudits(AuditJob, frozen=True, kw_only=True):
    """Begin within a second or so, one audit for each source. A source has one at a time."""

    workspace_id: WorkspaceId = "default"


class AuditsBegun(msgspec.Struct, frozen=True, kw_only=True):
    items: list[SecurityScanShown]


class ListAudits(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first: the history of a source's score and coverage."""

    workspace_id: WorkspaceId = "default"
    source_id: RowId | None = None
    state: AuditState | None = None
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class GetAudit(msgspec.Struct, frozen=True, kw_only=True):
    scan_id: RowId


class CancelAudit(msgspec.Struct, frozen=True, kw_only=True):
    """It says nothing then. Other sources of the same request are cancelled with it."""

    scan_id: RowId


class ListResults(msgspec.Struct, frozen=True, kw_only=True):
    """In the order of the catalogue."""

    scan_id: RowId
    outcome: Outcome | None = None
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


async def begin_audits(context: Context, request: BeginAudits) -> AuditsBegun:
    check_sources(request)
    options = AuditJob(**{name: getattr(request, name) for name in AuditJob.__struct_fields__})
    async with context.parts.database.read() as connection:
        sources = await sources_asked(connection, request.workspace_id, options)
    for source in sources:
        check_kind(source)
    check_checks(options, {source.kind for source in sources})
    await end_abandoned(context.parts)
    durable, run_id = context.parts.runs, f"security:{secrets.token_hex(12)}"
    async with context.parts.database.write() as connection:
        begun = [await _created(connection, context, source, run_id, options) for source in sources]
        await durable.add(
            connection,
            run_id,
            JOB,
            msgspec.to_builtins(options),
            workspace_id=request.workspace_id,
            created_by=context.user.user_id,
        )
        details = {"source_ids": [source.id for source in sources], "scan_ids": begun}
        await record(connection, context, "security.scans.create", run_id, details)
        rows = await security_scans.of_run(connection, run_id)
    durable.tell()
    return AuditsBegun(items=[shown_scan(row) for row in rows.values()])


async def _created(
    connection: AsyncConnection, context: Context, source: DataSource, run_id: str, options: AuditJob
) -> int:
    try:
        return await security_scans.create(
            connection,
            workspace_id=source.workspace_id,
            source_id=source.id,
            run_id=run_id,
            options=msgspec.json.encode(options).decode(),
            created_by=context.user.user_id,
            at=context.now(),
        )
    except AlreadyExists:
        other = await security_scans.unfinished_of(connection, source.id)
        raise Conflict(
            f"The data source {source.id} is being audited; wait until that has ended, or cancel it.",
            code="audit_running",
            details={"source_id": source.id, "scan_id": other.id if other else None},
        ) from None


async def list_audits(context: Context, request: ListAudits) -> Page[SecurityScanShown]:
    before = decode_cursor("security.scans", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await security_scans.list_of(
            connection,
            request.workspace_id,
            source_id=request.source_id,
            state=request.state,
            before=before,
            limit=request.limit + 1,
        )
    return page_of(rows, request.limit, "security.scans", key=lambda row: row.id, item=shown_scan)


async def get_audit(context: Context, request: GetAudit) -> SecurityScanShown:
    return shown_scan(await require_scan(context, request.scan_id, Permission.READ))


async def cancel_audit(context: Context, request: CancelAudit) -> SecurityScanShown:
    seen = await require_scan(context, request.scan_id, Permission.WRITE)
    async with context.parts.feeds.writing() as (connection, outbox):
        await runs.cancel(connection, seen.run_id, at=context.now())
        of_run = (await security_scans.of_run(connection, seen.run_id)).values()
        ended = [
            scan.id
            for scan in of_run
            if await end_unfinished(connection, outbox, scan, runs.CANCELLED, None, at=context.now())
        ]
        if ended:
            await record(connection, context, "security.scans.cancel", str(seen.id), {"scan_ids": ended})
        row = await security_scans.get(connection, seen.id)
    context.parts.runs.tell()
    if row is None:
        raise no_scan(seen.id)
    return shown_scan(row)


async def list_results(context: Context, request: ListResults) -> Page[CheckOutcome]:
    scan = await require_scan(context, request.scan_id, Permission.READ)
    manages = await may_manage(context, scan.workspace_id)
    after = decode_cursor("security.results", request.cursor, Ordinal)
    async with context.parts.database.read() as connection:
        rows = await security_scans.results_of(
            connection, scan.id, outcome=request.outcome, after=after, limit=request.limit + 1
        )
    return page_of(
        rows,
        request.limit,
        "security.results",
        key=lambda row: row.ordinal,
        item=lambda row: shown_result(row, manages=manages),
    )


Ordinal = Annotated[int, Meta(ge=0, le=2**31 - 1)]


OPERATIONS = (
    Operation(
        "security.scans.create",
        BeginAudits,
        AuditsBegun,
        begin_audits,
        "POST /security/scans",
        Permission.WRITE,
        "Audit the security of data sources.",
        status=202,
        errors=(Conflict,),
    ),
    Operation(
        "security.scans.list",
        ListAudits,
        Page[SecurityScanShown],
        list_audits,
        "GET /security/scans",
        Permission.READ,
        "List the security audits of a workspace.",
    ),
    Operation(
        "security.scans.get",
        GetAudit,
        SecurityScanShown,
        get_audit,
        "GET /security/scans/{scan_id}",
        Permission.SIGNED_IN,
        "Get a security audit: its state and what it came to.",
        errors=(Forbidden,),
    ),
    Operation(
        "security.scans.results",
        ListResults,
        Page[CheckOutcome],
        list_results,
        "GET /security/scans/{scan_id}/results",
        Permission.SIGNED_IN,
        "Read what came of each check of an audit.",
        errors=(Forbidden,),
    ),
    Operation(
        "security.scans.cancel",
        CancelAudit,
        SecurityScanShown,
        cancel_audit,
        "POST /security/scans/{scan_id}/cancel",
        Permission.SIGNED_IN,
        "Cancel a security audit.",
        errors=(Forbidden,),
    ),
)
