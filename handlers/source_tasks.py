"""What is done to a data source by the clock: the schedules whose jobs are told of it."""

from __future__ import annotations

from typing import Any

import msgspec

from handlers.jobs import State
from handlers.names import RowId
from handlers.registry import Context, Forbidden, Instant, Operation, Permission
from handlers.source_access import require_source
from handlers.source_schedules import schedules_of
from storage import runs
from storage.runs import Run
from storage.schedules import Schedule


class TaskRun(msgspec.Struct, frozen=True, kw_only=True):
    """The last run of a schedule; `error` says why it failed."""

    run_id: str
    state: State
    created_at: Instant
    finished_at: Instant | None
    error: str | None


class ScheduledTask(msgspec.Struct, frozen=True, kw_only=True):
    schedule_id: RowId
    title: str
    job: str
    arguments: dict[str, Any]
    cron: str | None
    time_zone: str | None
    every_seconds: int | None
    enabled: bool
    next_run_at: Instant | None
    last_run: TaskRun | None


class ScheduledTasks(msgspec.Struct, frozen=True, kw_only=True):
    items: list[ScheduledTask]


class GetScheduledTasks(msgspec.Struct, frozen=True, kw_only=True):
    source_id: RowId


async def get_scheduled_tasks(context: Context, request: GetScheduledTasks) -> ScheduledTasks:
    source = await require_source(context, request.source_id, Permission.READ)
    async with context.parts.database.read() as connection:
        rows = await schedules_of(connection, source)
        last = await runs.get_many(connection, [row.last_run_id for row in rows if row.last_run_id])
    return ScheduledTasks(items=[_shown(row, last.get(row.last_run_id or "")) for row in rows])


def _shown(row: Schedule, last: Run | None) -> ScheduledTask:
    return ScheduledTask(
        schedule_id=row.id,
        title=row.title,
        job=row.job,
        arguments=msgspec.json.decode(row.arguments),
        cron=row.cron,
        time_zone=row.time_zone,
        every_seconds=row.every_seconds,
        enabled=row.enabled,
        next_run_at=row.next_run_at,
        last_run=_of(last) if last else None,
    )


def _of(run: Run) -> TaskRun:
    state = State.QUEUED if run.state == runs.WAITING else State(run.state)
    return TaskRun(
        run_id=run.id,
        state=state,
        created_at=run.created_at,
        finished_at=run.finished_at,
        error=run.error_message,
    )


OPERATIONS = (
    Operation(
        "data_sources.scheduled_tasks",
        GetScheduledTasks,
        ScheduledTasks,
        get_scheduled_tasks,
        "GET /data-sources/{source_id}/scheduled-tasks",
        Permission.SIGNED_IN,
        "List what is done to a data source by the clock.",
        errors=(Forbidden,),
    ),
)
