"""Scans as clients see them: begin one, look how far it is, read what it found, cancel it."""

from __future__ import annotations

import secrets
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from handlers.audit_trail import record
from handlers.feed_names import feed_of
from handlers.names import RowId, WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.policy_views import views_of
from handlers.registry import (
    Conflict,
    Context,
    Forbidden,
    Instant,
    InvalidRequest,
    NotFound,
    Operation,
    Page,
    Permission,
)
from handlers.scans.ending import end_abandoned, end_scan
from handlers.scans.events import feed_name
from handlers.scans.job import JOB, being_scanned
from handlers.scans.options import Mode, ScanJob, ScanOptions
from handlers.scans.outcomes import ScanError, ScanSummary
from handlers.source_access import require_source
from handlers.withheld_results import shown_bodies
from storage import runs, scan_results, scan_rules, scans
from storage.errors import AlreadyExists


class ScanState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ResultKind(StrEnum):
    """What a result tells: what came of a dataset, what it is made of, figures, a sensitive column, a rule."""

    DATASET = "dataset"
    DISCOVERY = "discovery"
    PROFILE = "profile"
    CLASSIFICATION = "classification"
    QUALITY = "quality"


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """A scan. `datasets` counts those it goes through, by state; `feed` is where its progress is told.

    `state` is succeeded also where single datasets failed: the summary and the results say which. `run_id` is the
    durable run that does it.
    """

    id: RowId
    workspace_id: str
    source_id: RowId
    run_id: str
    state: ScanState
    options: ScanOptions
    feed: str
    datasets: dict[str, int]
    summary: ScanSummary | None
    error: ScanError | None
    created_by: str
    created_at: Instant
    started_at: Instant | None
    finished_at: Instant | None


class ScanResult(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a scan found. `column` is null where it is about the dataset as a whole.

    What `body` holds depends on the kind: the outcome of the dataset, its description, a profile, a finding with
    masked examples, or what came of a rule. Where an access policy keeps something of it back, `withheld` says why.
    """

    dataset: str
    kind: ResultKind
    column: str | None
    body: dict[str, Any]


class ListScans(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    workspace_id: WorkspaceId = "default"
    source_id: RowId | None = None
    mode: Mode | None = None
    state: ScanState | None = None
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class CreateScan(ScanJob, frozen=True, kw_only=True):
    """Begins within a second or so. A source has one scan at a time."""


class GetScan(msgspec.Struct, frozen=True, kw_only=True):
    scan_id: RowId


class CancelScan(msgspec.Struct, frozen=True, kw_only=True):
    """What it has found stays. The statement that the source executes for it is stopped within a second."""

    scan_id: RowId


class ListResults(msgspec.Struct, frozen=True, kw_only=True):
    """By dataset, and of each dataset its outcome first. `dataset` is a whole name, as `schema.table`."""

    scan_id: RowId
    dataset: Annotated[str, Meta(min_length=1, max_length=5000, pattern=r"^[^\x00]+$(?!\n)")] | None = None
    column: Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"^[^\x00]+$(?!\n)")] | None = None
    kind: ResultKind | None = None
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


async def list_scans(context: Context, request: ListScans) -> Page[Scan]:
    await context.parts.access.require(context.principal, Permission.READ, request.workspace_id)
    before = decode_cursor("scans", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await scans.list_of(
            connection,
            request.workspace_id,
            source_id=request.source_id,
            mode=request.mode,
            state=request.state,
            before=before,
            limit=request.limit + 1,
        )
        counts = await scans.counts(connection, [row.id for row in rows])
    return page_of(
        rows, request.limit, "scans", key=lambda row: row.id, item=lambda row: _shown(row, counts.get(row.id, {}))
    )


async def create_scan(context: Context, request: CreateScan) -> Scan:
    source = await require_source(context, request.source_id, Permission.WRITE)
    durable, run_id = context.parts.runs, f"scan:{secrets.token_hex(12)}"
    options = msgspec.convert(request, ScanJob, from_attributes=True)
    await end_abandoned(context.parts, source_id=source.id)
    async with context.parts.database.write() as connection:
        if options.rules is not None:
            known = {row.id for row in await scan_rules.of_source(connection, source.id, options.rules)}
            _check_rules(options.rules, known, source.id)
        try:
            scan_id = await scans.create(
                connection,
                workspace_id=source.workspace_id,
                source_id=source.id,
                run_id=run_id,
                mode=options.mode,
                options=msgspec.json.encode(options).decode(),
                created_by=context.user.user_id,
                at=context.now(),
            )
        except AlreadyExists:
            other = await scans.unfinished_of(connection, source.id)
            raise Conflict(
                being_scanned(other), code="scan_running", details={"scan_id": other.id} if other else None
            ) from None
        await durable.add(
            connection,
            run_id,
            JOB,
            msgspec.to_builtins(options),
            workspace_id=source.workspace_id,
            created_by=context.user.user_id,
        )
        await record(connection, context, "scans.create", str(scan_id), {"source_id": source.id, "mode": options.mode})
        row = await scans.get(connection, scan_id)
    durable.tell()
    assert row is not None
    return _shown(row, {})


async def get_scan(context: Context, request: GetScan) -> Scan:
    row = await require_scan(context, request.scan_id, Permission.READ)
    async with context.parts.database.read() as connection:
        counts = await scans.counts(connection, [row.id])
    return _shown(row, counts.get(row.id, {}))


async def cancel_scan(context: Context, request: CancelScan) -> Scan:
    seen = await require_scan(context, request.scan_id, Permission.WRITE)
    async with context.parts.feeds.writing() as (connection, outbox):
        await runs.cancel(connection, seen.run_id, at=context.now())
        row = await scans.get(connection, seen.id)
        if row is not None and row.finished_at is None:
            await end_scan(connection, outbox, row, runs.CANCELLED, None, at=context.now())
            await record(connection, context, "scans.cancel", str(row.id), {"source_id": row.source_id})
        row = await scans.get(connection, seen.id)
        counts = await scans.counts(connection, [seen.id])
    context.parts.runs.tell()
    if row is None:
        raise _gone(request.scan_id)
    return _shown(row, counts.get(row.id, {}))


async def list_results(context: Context, request: ListResults) -> Page[ScanResult]:
    scan = await require_scan(context, request.scan_id, Permission.READ)
    after = decode_cursor("scans.results", request.cursor, tuple[Place, Place])
    async with context.parts.database.read() as connection:
        rows = await scan_results.list_of(
            connection,
            scan.id,
            dataset=request.dataset,
            column=request.column,
            kind=request.kind,
            after=after,
            limit=request.limit + 1,
        )
        views = await views_of(context, connection, scan.workspace_id, scan.source_id)
        bodies = await shown_bodies(connection, views, rows)
    return page_of(
        rows,
        request.limit,
        "scans.results",
        key=lambda row: (row.ordinal, row.place),
        item=lambda row: _shown_result(row, bodies[row.ordinal, row.place]),
    )


Place = Annotated[int, Meta(ge=0, le=2**31 - 1)]


async def require_scan(context: Context, scan_id: int, permission: Permission) -> scans.Scan:
    """The scan, if the caller may. Raises NotFound, Forbidden."""
    async with context.parts.database.read() as connection:
        row = await scans.get(connection, scan_id)
    if row is None:
        raise _gone(scan_id)
    try:
        await context.parts.access.require(context.principal, permission, row.workspace_id)
    except NotFound:
        raise _gone(scan_id) from None
    return row


def _check_rules(asked: tuple[int, ...], known: set[int], source_id: int) -> None:
    unknown = sorted(set(asked) - known)
    if unknown:
        raise InvalidRequest(
            f"rules: the source {source_id} has no rule {unknown[0]}; `GET /scan-rules` lists those that there are.",
            code="unknown_rule",
            details={"parameter": "rules", "unknown": unknown[:20]},
        )


def _gone(scan_id: int) -> NotFound:
    return NotFound(f"There is no scan {scan_id}, or you are not a member of its workspace.")


def _shown(row: scans.Scan, datasets: dict[str, int]) -> Scan:
    error = ScanError(code=row.error_code, message=row.error_message or "") if row.error_code else None
    return Scan(
        id=row.id,
        workspace_id=row.workspace_id,
        source_id=row.source_id,
        run_id=row.run_id,
        state=ScanState(row.state),
        options=msgspec.json.decode(row.options, type=ScanOptions),
        feed=feed_of(row.workspace_id, feed_name(row.id)),
        datasets=datasets,
        summary=msgspec.json.decode(row.summary, type=ScanSummary) if row.summary else None,
        error=error,
        created_by=row.created_by,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def _shown_result(row: scan_results.Result, body: dict[str, Any]) -> ScanResult:
    return ScanResult(
        dataset=f"{row.schema_name}.{row.name}" if row.schema_name else row.name,
        kind=ResultKind(row.kind),
        column=row.column_name,
        body=body,
    )


OPERATIONS = (
    Operation(
        "scans.list",
        ListScans,
        Page[Scan],
        list_scans,
        "GET /scans",
        Permission.SIGNED_IN,
        "List the scans of a workspace.",
        errors=(Forbidden, NotFound),
    ),
    Operation(
        "scans.create",
        CreateScan,
        Scan,
        create_scan,
        "POST /scans",
        Permission.SIGNED_IN,
        "Scan a data source.",
        status=202,
        errors=(Conflict, Forbidden, NotFound),
    ),
    Operation(
        "scans.get",
        GetScan,
        Scan,
        get_scan,
        "GET /scans/{scan_id}",
        Permission.SIGNED_IN,
        "Get a scan: its state, how far it is, and what it came to.",
        errors=(Forbidden,),
    ),
    Operation(
        "scans.results",
        ListResults,
        Page[ScanResult],
        list_results,
        "GET /scans/{scan_id}/results",
        Permission.SIGNED_IN,
        "Read what a scan found.",
        errors=(Forbidden,),
    ),
    Operation(
        "scans.cancel",
        CancelScan,
        Scan,
        cancel_scan,
        "POST /scans/{scan_id}/cancel",
        Permission.SIGNED_IN,
        "Cancel a scan.",
        errors=(Forbidden,),
    ),
)
