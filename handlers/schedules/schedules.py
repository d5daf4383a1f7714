"""Schedules: a job of a workspace that is run by the clock."""

from __future__ import annotations

import dataclasses
import secrets
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from handlers.audit_trail import record
from handlers.cron_requests import CronText, ZoneName
from handlers.names import RowId, Title, WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, Forbidden, Instant, NotFound, Operation, Page, Permission
from handlers.schedules.runs import Arguments, JobName, Key, Run, place_of, shown
from handlers.schedules.timing import check, next_time
from storage import runs, schedules
from storage.schedules import Plan

MOST_IN_A_WORKSPACE = 1000

Seconds = Annotated[int, Meta(ge=1, le=366 * 86400, description="Between two runs, counted from when it was made.")]
Missed = Literal["skip", "run_once"]
Overlap = Literal["skip", "queue"]


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule. `missed` says what becomes of due times at which no node ran: nothing, or one run for all of them.

    `overlap` says what becomes of a due time while the run before has not ended: nothing, or a run of its own.
    """

    id: int
    workspace_id: str
    title: str
    job: str
    arguments: dict[str, Any]
    cron: str | None
    time_zone: str | None
    every_seconds: int | None
    missed: Missed
    overlap: Overlap
    enabled: bool
    next_run_at: Instant | None
    last_run: Run | None
    created_by: str
    created_at: Instant
    updated_by: str
    updated_at: Instant


class ListSchedules(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class CreateSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """By a `cron` expression in a `time_zone`, or each `every_seconds`."""

    workspace_id: WorkspaceId
    title: Title
    job: JobName
    arguments: Arguments = {}
    cron: CronText | None = None
    time_zone: ZoneName | None = None
    every_seconds: Seconds | None = None
    missed: Missed = "skip"
    overlap: Overlap = "skip"
    enabled: bool = True


class GetSchedule(msgspec.Struct, frozen=True, kw_only=True):
    schedule_id: RowId


class UpdateSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Only what is given changes; `cron` takes the place of `every_seconds`, and the other way round."""

    schedule_id: RowId
    title: Title | UnsetType = UNSET
    arguments: Arguments | UnsetType = UNSET
    cron: CronText | UnsetType = UNSET
    time_zone: ZoneName | UnsetType | None = UNSET
    every_seconds: Seconds | UnsetType = UNSET
    missed: Missed | UnsetType = UNSET
    overlap: Overlap | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class DeleteSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Runs of it that have begun go on."""

    schedule_id: RowId


class RunSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Run it now, also while it is not enabled; its due times stay as they are."""

    schedule_id: RowId
    key: Key | None = None


class ListScheduleRuns(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    schedule_id: RowId
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


async def list_schedules(context: Context, request: ListSchedules) -> Page[Schedule]:
    await context.parts.access.require(context.principal, Permission.READ, request.workspace_id)
    after = decode_cursor("schedules", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await schedules.list_of(connection, request.workspace_id, after=after, limit=request.limit + 1)
        last = await runs.get_many(connection, [row.last_run_id for row in rows if row.last_run_id])
    return page_of(
        rows,
        request.limit,
        "schedules",
        key=lambda row: row.id,
        item=lambda row: _shown(row, last.get(row.last_run_id or "")),
    )


async def create_schedule(context: Context, request: CreateSchedule) -> Schedule:
    durable, now = context.parts.runs, context.now()
    await context.parts.access.require(context.principal, Permission.WRITE, request.workspace_id)
    job = durable.job(request.job)
    await context.parts.access.require(context.principal, job.permission, request.workspace_id)
    given = {name: getattr(request, name) for name in Plan.__dataclass_fields__}
    plan = Plan(**given | {"arguments": _encoded(durable.checked(job, request.arguments))})
    check(plan)
    async with context.parts.database.write() as connection:
        if await schedules.count(connection, request.workspace_id) >= MOST_IN_A_WORKSPACE:
            raise Conflict(
                f"The workspace has {MOST_IN_A_WORKSPACE} schedules already; delete some first.",
                code="too_many_schedules",
            )
        row = await schedules.create(
            connection,
            request.workspace_id,
            plan,
            next_run_at=_next(plan, now, now),
            by=context.user.user_id,
            at=now,
        )
        await record(connection, context, "schedules.create", _target(row), dataclasses.asdict(plan))
    return _shown(row, None)


async def get_schedule(context: Context, request: GetSchedule) -> Schedule:
    row = await _require(context, request.schedule_id, Permission.READ)
    return await _with_last_run(context, row)


async def update_schedule(context: Context, request: UpdateSchedule) -> Schedule:
    seen = await _require(context, request.schedule_id, Permission.WRITE)
    job = context.parts.runs.job(seen.job)
    await context.parts.access.require(context.principal, job.permission, seen.workspace_id)
    changes = _changes(request)
    if request.arguments is not UNSET:
        changes["arguments"] = _encoded(context.parts.runs.checked(job, request.arguments))
    now = context.now()
    async with context.parts.database.write() as connection:
        row = await schedules.get(connection, request.schedule_id, locked=True)
        if row is None:
            raise _gone(request.schedule_id)
        plan = dataclasses.replace(row.plan, **changes)
        check(plan)
        moves = {"cron", "time_zone", "every_seconds", "enabled"} & changes.keys()
        row = await schedules.change(
            connection,
            row.id,
            plan,
            next_run_at=_next(plan, row.created_at, now) if moves else row.next_run_at,
            by=context.user.user_id,
            at=now,
        )
        await record(connection, context, "schedules.update", _target(row), changes)
    return await _with_last_run(context, row)


async def delete_schedule(context: Context, request: DeleteSchedule) -> None:
    row = await _require(context, request.schedule_id, Permission.WRITE)
    async with context.parts.database.write() as connection:
        if not await schedules.remove(connection, row.id):
            raise _gone(row.id)
        await record(connection, context, "schedules.delete", _target(row), {"title": row.title})


async def run_schedule(context: Context, request: RunSchedule) -> Run:
    row = await _require(context, request.schedule_id, Permission.WRITE)
    durable = context.parts.runs
    await context.parts.access.require(context.principal, durable.job(row.job).permission, row.workspace_id)
    run_id = f"schedule:{row.id}:{request.key or secrets.token_hex(12)}"
    async with context.parts.database.write() as connection:
        if await schedules.get(connection, row.id, locked=True) is None:
            raise _gone(row.id)
        run, is_new = await durable.add(
            connection,
            run_id,
            row.job,
            msgspec.json.decode(row.arguments),
            workspace_id=row.workspace_id,
            created_by=context.user.user_id,
            schedule_id=row.id,
        )
        if is_new:
            await schedules.note_run(connection, row.id, run_id)
            await record(connection, context, "schedules.run", _target(row), {"run_id": run_id})
    durable.tell()
    return shown(run)


async def list_schedule_runs(context: Context, request: ListScheduleRuns) -> Page[Run]:
    row = await _require(context, request.schedule_id, Permission.READ)
    before = decode_cursor("schedules.runs", request.cursor, tuple[Instant, str])
    async with context.parts.database.read() as connection:
        rows = await runs.list_of(connection, schedule_id=row.id, before=before, limit=request.limit + 1)
    return page_of(rows, request.limit, "schedules.runs", key=place_of, item=shown)


def _changes(request: UpdateSchedule) -> dict[str, Any]:
    """The columns that the request changes, but for the arguments."""
    names = set(Plan.__dataclass_fields__) - {"job", "arguments"}
    changes = {name: value for name in names if (value := getattr(request, name)) is not UNSET}
    if "cron" in changes:
        changes.setdefault("every_seconds", None)
    elif "every_seconds" in changes:
        changes |= {"cron": None, "time_zone": changes.get("time_zone")}
    return changes


async def _require(context: Context, schedule_id: int, permission: Permission) -> schedules.Schedule:
    """The schedule, if the caller may. Raises NotFound, Forbidden."""
    async with context.parts.database.read() as connection:
        row = await schedules.get(connection, schedule_id)
    if row is None:
        raise _gone(schedule_id)
    try:
        await context.parts.access.require(context.principal, permission, row.workspace_id)
    except NotFound:
        raise _gone(schedule_id) from None
    return row


async def _with_last_run(context: Context, row: schedules.Schedule) -> Schedule:
    if row.last_run_id is None:
        return _shown(row, None)
    async with context.parts.database.read() as connection:
        return _shown(row, await runs.get(connection, row.last_run_id))


def _next(plan: Plan, anchor: datetime, now: datetime) -> datetime | None:
    return next_time(plan, anchor, now) if plan.enabled else None


def _encoded(arguments: Any) -> str:
    return msgspec.json.encode(arguments, order="sorted").decode()


def _target(row: schedules.Schedule) -> str:
    return f"{row.workspace_id}/{row.id}"


def _gone(schedule_id: int) -> NotFound:
    return NotFound(f"There is no schedule {schedule_id}, or you are not a member of its workspace.")


def _shown(row: schedules.Schedule, last_run: runs.Run | None) -> Schedule:
    columns = {name: getattr(row, name) for name in Schedule.__struct_fields__ if name != "last_run"}
    columns["arguments"] = msgspec.json.decode(row.arguments)
    return msgspec.convert(columns | {"last_run": shown(last_run) if last_run else None}, Schedule)


OPERATIONS = (
    Operation(
        "schedules.list",
        ListSchedules,
        Page[Schedule],
        list_schedules,
        "GET /schedules",
        Permission.SIGNED_IN,
        "List a workspace's schedules.",
        errors=(Forbidden, NotFound),
    ),
    Operation(
        "schedules.create",
        CreateSchedule,
        Schedule,
        create_schedule,
        "POST /schedules",
        Permission.SIGNED_IN,
        "Schedule a job.",
        status=201,
        errors=(Conflict, Forbidden, NotFound),
    ),
    Operation(
        "schedules.get",
        GetSchedule,
        Schedule,
        get_schedule,
        "GET /schedules/{schedule_id}",
        Permission.SIGNED_IN,
        "Get a schedule: when it runs next, and what came of its last run.",
    ),
    Operation(
        "schedules.update",
        UpdateSchedule,
        Schedule,
        update_schedule,
        "PATCH /schedules/{schedule_id}",
        Permission.SIGNED_IN,
        "Change, pause or resume a schedule.",
        errors=(Forbidden,),
    ),
    Operation(
        "schedules.delete",
        DeleteSchedule,
        None,
        delete_schedule,
        "DELETE /schedules/{schedule_id}",
        Permission.SIGNED_IN,
        "Delete a schedule.",
        status=204,
        errors=(Forbidden,),
    ),
    Operation(
        "schedules.run",
        RunSchedule,
        Run,
        run_schedule,
        "POST /schedules/{schedule_id}/run",
        Permission.SIGNED_IN,
        "Run a schedule's job now.",
        status=202,
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "schedules.runs",
        ListScheduleRuns,
        Page[Run],
        list_schedule_runs,
        "GET /schedules/{schedule_id}/runs",
        Permission.SIGNED_IN,
        "List the runs of a schedule.",
    ),
)
