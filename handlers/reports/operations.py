"""Reports on a data source: have one made, look at it as a page or as a table."""

from __future__ import annotations

import asyncio
import secrets
import zlib
from datetime import UTC, datetime
from typing import Literal

import msgspec

from handlers.audit_trail import record
from handlers.child_work import run_in_child
from handlers.jobs import Job, Run, State, StepFailed
from handlers.names import RowId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.policy_views import views_of
from handlers.registry import Binary, Conflict, Context, Forbidden, Instant, NotFound, Operation, Page, Permission
from handlers.reports.facts import gather
from handlers.reports.rendering import CUT, render
from handlers.source_access import require_source
from storage import data_sources, reports

JOB = "source.report"
HERE = "/data-sources/{source_id}/reports"
ONE = HERE + "/{report_id}"
_TYPES = {"html": "text/html; charset=utf-8", "csv": "text/csv; charset=utf-8"}

Kind = Literal["profile", "scan", "compliance"]


class MakeReport(msgspec.Struct, frozen=True, kw_only=True):
    source_id: RowId
    kind: Kind = "profile"


class MadeReport(msgspec.Struct, frozen=True, kw_only=True):
    report_id: int
    bytes: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report; `missing` says what it could not tell of. `GET …/content` has the report itself."""

    id: RowId
    source_id: RowId
    kind: Kind
    run_id: str
    state: State
    error: str | None
    missing: list[str]
    created_by: str
    created_at: Instant
    finished_at: Instant | None


class ListReports(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    source_id: RowId
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class CreateReport(msgspec.Struct, frozen=True, kw_only=True):
    source_id: RowId
    kind: Kind = "profile"


class GetReport(msgspec.Struct, frozen=True, kw_only=True):
    source_id: RowId
    report_id: RowId


class GetReportContent(GetReport, frozen=True, kw_only=True):
    """Without values for those from whom access policies keep something of the source back."""

    format: Literal["html", "csv"] = "html"


async def make_report(run: Run, arguments: MakeReport) -> MadeReport:
    return await run.step(make, run, arguments.source_id, arguments.kind)


async def make(run: Run, source_id: int, kind: str) -> MadeReport:
    """Gathers, draws and stores it; again, it is made again."""
    now = datetime.now(UTC)
    async with run.parts.database.read() as connection:
        source = await data_sources.get(connection, source_id)
    # Whoever starts a run may do so in its workspace, and nowhere else.
    if source is None or source.workspace_id != run.workspace_id:
        raise StepFailed(f"The workspace has no data source {source_id}.", code="no_source")
    async with run.parts.database.write() as connection:
        row = await reports.ensure(
            connection,
            workspace_id=source.workspace_id,
            source_id=source.id,
            run_id=run.id,
            kind=kind,
            created_by=run.created_by,
            at=now,
        )
    async with run.parts.database.read() as connection:
        facts = await gather(connection, source, kind, now)
    encoded = await asyncio.to_thread(msgspec.json.encode, facts)
    contents = await run_in_child(render, encoded)
    async with run.parts.database.write() as connection:
        missing = msgspec.json.encode(facts.missing).decode()
        await reports.finish(connection, row.id, contents, missing, at=datetime.now(UTC))
    return MadeReport(report_id=row.id, bytes=len(contents["html"]))


async def list_reports(context: Context, request: ListReports) -> Page[Report]:
    await require_source(context, request.source_id, Permission.READ)
    before = decode_cursor("reports", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await reports.list_of(connection, request.source_id, before=before, limit=request.limit + 1)
    return page_of(rows, request.limit, "reports", key=lambda row: row.id, item=shown)


async def create_report(context: Context, request: CreateReport) -> Report:
    source = await require_source(context, request.source_id, Permission.WRITE)
    run_id = f"report:{source.id}:{secrets.token_hex(12)}"
    arguments = {"source_id": source.id, "kind": request.kind}
    async with context.parts.database.write() as connection:
        user_id = context.user.user_id
        await context.parts.runs.add(
            connection, run_id, JOB, arguments, workspace_id=source.workspace_id, created_by=user_id
        )
        row = await reports.ensure(
            connection,
            workspace_id=source.workspace_id,
            source_id=source.id,
            run_id=run_id,
            kind=request.kind,
            created_by=user_id,
            at=context.now(),
        )
        await record(connection, context, "reports.create", f"{source.id}/{row.id}", {"run_id": run_id})
    context.parts.runs.tell()
    return shown(row)


async def get_report(context: Context, request: GetReport) -> Report:
    return shown(await _row(context, request))


async def get_content(context: Context, request: GetReportContent) -> Binary:
    row = await _row(context, request)
    async with context.parts.database.read() as connection:
        views = await views_of(context, connection, row.workspace_id, row.source_id)
        name = request.format if views.are_open else f"{request.format}{CUT}"
        data = await reports.content_of(connection, row.id, name)
    if data is None and row.state == State.SUCCEEDED:
        raise Conflict("The report was made before it could be told without values; make it anew.", code="now_hidden")
    if data is None:
        raise Conflict(f"The report {row.id} is {row.state}; there is nothing to show.", code="report_unfinished")
    return Binary(media_type=_TYPES[request.format], data=await asyncio.to_thread(zlib.decompress, data))


async def _row(context: Context, request: GetReport) -> reports.Report:
    await require_source(context, request.source_id, Permission.READ)
    async with context.parts.database.read() as connection:
        row = await reports.get(connection, request.source_id, request.report_id)
    if row is None:
        raise NotFound(f"The data source {request.source_id} has no report {request.report_id}.", code="no_report")
    return row


def shown(row: reports.Report) -> Report:
    """A report as clients see it."""
    return Report(
        id=row.id,
        source_id=row.source_id,
        kind=msgspec.convert(row.kind, Kind),
        run_id=row.run_id,
        state=State(row.state),
        error=row.error_message,
        missing=msgspec.json.decode(row.missing) if row.missing else [],
        created_by=row.created_by,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


JOBS = (Job(JOB, MakeReport, make_report, "Make a report on a data source.", Permission.WRITE),)

OPERATIONS = (
    Operation(
        "reports.list",
        ListReports,
        Page[Report],
        list_reports,
        f"GET {HERE}",
        Permission.SIGNED_IN,
        "List the reports on a data source.",
        errors=(Forbidden,),
    ),
    Operation(
        "reports.create",
        CreateReport,
        Report,
        create_report,
        f"POST {HERE}",
        Permission.SIGNED_IN,
        "Have a report on a data source made.",
        status=202,
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "reports.get",
        GetReport,
        Report,
        get_report,
        f"GET {ONE}",
        Permission.SIGNED_IN,
        "Get a report's state.",
        errors=(Forbidden,),
    ),
    Operation(
        "reports.content",
        GetReportContent,
        Binary,
        get_content,
        f"GET {ONE}/content",
        Permission.SIGNED_IN,
        "Get a report as a page or as a table.",
        errors=(Conflict, Forbidden),
        media_types=tuple(_TYPES.values()),
    ),
)
