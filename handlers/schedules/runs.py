"""Durable runs as clients see them: start one, look how far it is, cancel it."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from handlers.audit_trail import record
from handlers.jobs import State
from handlers.names import WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, Forbidden, Instant, NotFound, Operation, Page, Permission
from storage import runs

JobName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_.-]{0,99}$(?!\n)",
        description="A job's name, as `GET /jobs` lists them.",
        examples=["workspace.export"],
    ),
]
RunId = Annotated[str, Meta(min_length=1, max_length=300, description="A run's id.")]
Key = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9._-]{1,100}$(?!\n)",
        description="Says which run this is: however often it is started with the same key, it runs once.",
    ),
]
Arguments = Annotated[dict[str, Any], Meta(description="What the job is told, as its schema says.")]


class RunError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run failed."""

    code: str
    message: str


class RunProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done, of how much if that is known, and what is being done."""

    done: int
    total: int | None = None
    note: str | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `attempt` counts how often it was begun: once, and once more for each stop of a process under it."""

    id: str
    job: str
    workspace_id: str | None
    arguments: dict[str, Any]
    state: State
    schedule_id: int | None
    due_at: Instant | None
    created_by: str
    created_at: Instant
    started_at: Instant | None
    finished_at: Instant | None
    node_id: str | None
    attempt: int
    progress: RunProgress | None
    result: Any
    error: RunError | None


class JobKind(msgspec.Struct, frozen=True, kw_only=True):
    """A job that can be run and scheduled. `arguments` is the JSON Schema of what it is told."""

    name: str
    summary: str
    arguments: dict[str, Any]


class ListJobs(msgspec.Struct, frozen=True, kw_only=True):
    """By name."""

    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class ListRuns(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    workspace_id: WorkspaceId
    job: JobName | None = None
    state: State | None = None
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class StartRun(msgspec.Struct, frozen=True, kw_only=True):
    """Answered at once; the run begins within a second or so."""

    workspace_id: WorkspaceId
    job: JobName
    arguments: Arguments = {}
    key: Key | None = None


class GetRun(msgspec.Struct, frozen=True, kw_only=True):
    run_id: RunId


class CancelRun(msgspec.Struct, frozen=True, kw_only=True):
    """What it has done stays done; the step under way is stopped within a second. One that has ended stays as it is."""

    run_id: RunId


async def list_jobs(context: Context, request: ListJobs) -> Page[JobKind]:
    after = decode_cursor("jobs", request.cursor, str)
    jobs = sorted(context.parts.runs.jobs.values(), key=lambda job: job.name)
    rows = [job for job in jobs if after is None or job.name > after][: request.limit + 1]
    return page_of(
        rows,
        request.limit,
        "jobs",
        key=lambda job: job.name,
        item=lambda job: JobKind(name=job.name, summary=job.summary, arguments=_schema(job.arguments)),
    )


def _schema(arguments: type[msgspec.Struct]) -> dict[str, Any]:
    (schema,), components = msgspec.json.schema_components([arguments], ref_template="#/$defs/{name}")
    return {**schema, "$defs": components}


async def list_runs(context: Context, request: ListRuns) -> Page[Run]:
    await context.parts.access.require(context.principal, Permission.READ, request.workspace_id)
    states = {State.QUEUED: (runs.WAITING, runs.QUEUED)}
    before = decode_cursor("runs", request.cursor, tuple[Instant, str])
    async with context.parts.database.read() as connection:
        rows = await runs.list_of(
            connection,
            workspace_id=request.workspace_id,
            job=request.job,
            states=states.get(request.state, (request.state.value,)) if request.state else None,
            before=before,
            limit=request.limit + 1,
        )
    return page_of(rows, request.limit, "runs", key=place_of, item=shown)


async def start_run(context: Context, request: StartRun) -> Run:
    durable = context.parts.runs
    await context.parts.access.require(context.principal, Permission.READ, request.workspace_id)
    job = durable.job(request.job)
    await context.parts.access.require(context.principal, job.permission, request.workspace_id)
    arguments = durable.checked(job, request.arguments)
    run_id = f"run:{request.workspace_id}:{request.key or secrets.token_hex(12)}"
    async with context.parts.database.write() as connection:
        run, is_new = await durable.add(
            connection,
            run_id,
            job.name,
            arguments,
            workspace_id=request.workspace_id,
            created_by=context.user.user_id,
        )
        if is_new:
            await record(connection, context, "runs.start", run_id, {"job": job.name, "arguments": arguments})
    durable.tell()
    return shown(run)


async def get_run(context: Context, request: GetRun) -> Run:
    return shown(await require_run(context, request.run_id, Permission.READ))


async def cancel_run(context: Context, request: CancelRun) -> Run:
    run = await require_run(context, request.run_id, Permission.WRITE)
    async with context.parts.database.write() as connection:
        if await runs.cancel(connection, run.id, at=context.now()):
            await record(connection, context, "runs.cancel", run.id, {"job": run.job})
        run = await runs.get(connection, run.id) or run
    context.parts.runs.tell()
    return shown(run)


async def require_run(context: Context, run_id: str, permission: Permission) -> runs.Run:
    """The run, if the caller may. One of no workspace is the server's own. Raises NotFound, Forbidden."""
    gone = NotFound(f"There is no run {run_id!r}, or you are not a member of its workspace.")
    async with context.parts.database.read() as connection:
        run = await runs.get(connection, run_id)
    if run is None:
        raise gone
    try:
        needed = Permission.SERVER_ADMIN if run.workspace_id is None else permission
        await context.parts.access.require(context.principal, needed, run.workspace_id)
    except NotFound:
        raise gone from None
    except Forbidden:
        if run.workspace_id is None:
            raise gone from None
        raise
    return run


def place_of(run: runs.Run) -> tuple[datetime, str]:
    """Where a run is in a list."""
    return run.created_at, run.id


def shown(run: runs.Run) -> Run:
    error = run.error_message is not None and run.error_code is not None
    return Run(
        id=run.id,
        job=run.job,
        workspace_id=run.workspace_id,
        arguments=msgspec.json.decode(run.arguments),
        state=State.QUEUED if run.state == runs.WAITING else State(run.state),
        schedule_id=run.schedule_id,
        due_at=run.due_at,
        created_by=run.created_by,
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        node_id=run.node_id,
        attempt=run.attempt,
        progress=None if run.done is None else RunProgress(done=run.done, total=run.total, note=run.note),
        result=None if run.result is None else msgspec.json.decode(run.result),
        error=RunError(code=run.error_code or "", message=run.error_message or "") if error else None,
    )


OPERATIONS = (
    Operation(
        "jobs.list",
        ListJobs,
        Page[JobKind],
        list_jobs,
        "GET /jobs",
        Permission.SIGNED_IN,
        "List the jobs that can be run and scheduled.",
    ),
    Operation(
        "runs.list",
        ListRuns,
        Page[Run],
        list_runs,
        "GET /runs",
        Permission.SIGNED_IN,
        "List a workspace's durable runs.",
        errors=(Forbidden, NotFound),
    ),
    Operation(
        "runs.start",
        StartRun,
        Run,
        start_run,
        "POST /runs",
        Permission.SIGNED_IN,
        "Run a job now.",
        status=202,
        errors=(Conflict, Forbidden, NotFound),
    ),
    Operation(
        "runs.get",
        GetRun,
        Run,
        get_run,
        "GET /runs/{run_id}",
        Permission.SIGNED_IN,
        "Get a run: its state, its progress and what came of it.",
    ),
    Operation(
        "runs.cancel",
        CancelRun,
        Run,
        cancel_run,
        "POST /runs/{run_id}/cancel",
        Permission.SIGNED_IN,
        "Cancel a run.",
        errors=(Forbidden,),
    ),
)
