"""Schedules whose time has come are run: each due time once, however many nodes look.

A due time belongs to whoever moves the schedule on from it, in the transaction that makes the run. So it makes no
difference which node looks first, whether their clocks agree, or at which moment one dies. Whether whoever saved the
schedule still may run its job is asked then, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.attention import attention
from handlers.parts import Parts
from handlers.registry import InvalidRequest
from handlers.schedules.authority import end_refused, refusal_of
from handlers.schedules.timing import next_time
from storage import runs, schedules
from storage.errors import StorageError
from storage.schedules import Schedule

logger = logging.getLogger(__name__)

# Without a word of a schedule that somebody changed.
LOOK_SECONDS = 5.0
RETRY_SECONDS = 1.0
AT_ONCE = 100
# A due time that is older was missed: nobody looked, most likely because no node ran.
MISSED = timedelta(seconds=60)


def run_id_of(schedule: Schedule, due_at: datetime) -> str:
    """The id of the run of a due time."""
    return f"schedule:{schedule.id}:{due_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


async def keep_schedules(parts: Parts) -> None:
    """The service: schedules are run until it is cancelled."""
    with attention(parts.changes, "schedules", "members") as news:
        while True:
            pause = RETRY_SECONDS
            try:
                pause = await run_due(parts)
            except StorageError as error:
                logger.warning("schedules cannot be looked at, trying again: %s", error)
            await news.wait(pause)


async def run_due(parts: Parts, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float:
    """Runs what is due, and says in how many seconds to look again."""
    while True:
        async with parts.database.read() as connection:
            due = await schedules.due(connection, now(), limit=AT_ONCE)
            following = None if due else await schedules.next_due(connection)
        if not due:
            break
        for schedule in due:
            await _fire(parts, schedule, now())
    if following is None:
        return LOOK_SECONDS
    return min(LOOK_SECONDS, max(0.0, (following - now()).total_seconds()))


async def _fire(parts: Parts, schedule: Schedule, now: datetime) -> None:
    due_at = schedule.next_run_at
    assert due_at is not None
    following, is_run = _moved_on(schedule, due_at, now)
    why_not = await refusal_of(parts, schedule) if is_run else None
    async with parts.feeds.writing() as (connection, outbox):
        run_id = run_id_of(schedule, due_at) if is_run and await _is_free(connection, schedule, due_at) else None
        if not await schedules.advance(connection, schedule, next_run_at=following, last_run_id=run_id):
            return  # another node has it, or somebody changed the schedule
        if run_id is not None:
            await _add_run(parts, connection, schedule, run_id, due_at)
            if why_not is not None:
                await end_refused(connection, outbox, schedule, run_id, why_not, at=now)
    parts.runs.tell()
    parts.changes.tell("schedules", schedule.workspace_id)


async def _is_free(connection: AsyncConnection, schedule: Schedule, due_at: datetime) -> bool:
    """Whether nothing stands in the way: the run before, where the two must not overlap, or a run of this very time."""
    if schedule.overlap == "skip" and await runs.unfinished_of(connection, schedule.id):
        return False
    return await runs.get(connection, run_id_of(schedule, due_at)) is None


def _moved_on(schedule: Schedule, due_at: datetime, now: datetime) -> tuple[datetime | None, bool]:
    """When it is due next, and whether it is run for this time."""
    try:
        following = next_time(schedule.plan, schedule.created_at, due_at)
        if now - due_at <= MISSED:
            return following, True
        return next_time(schedule.plan, schedule.created_at, now), schedule.missed == "run_once"
    except InvalidRequest as error:  # its time zone is not known to this machine any more
        logger.error("the schedule %d is not run any more: %s", schedule.id, error.message)  # noqa: TRY400
        return None, True


async def _add_run(
    parts: Parts, connection: AsyncConnection, schedule: Schedule, run_id: str, due_at: datetime
) -> None:
    await parts.runs.add(
        connection,
        run_id,
        schedule.job,
        msgspec.json.decode(schedule.arguments),
        workspace_id=schedule.workspace_id,
        created_by=schedule.updated_by,
        schedule_id=schedule.id,
        due_at=due_at,
    )
