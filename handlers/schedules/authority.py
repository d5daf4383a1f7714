"""Whether whoever a schedule runs for still may have its job run: asked anew each time it is due.

It runs for who saved it last. Where they may not any more, its run fails at once and says so, and those who manage the
workspace are told, the first time in a row.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.administrators import administrators_of
from handlers.feed_names import inbox_of
from handlers.outbox import Outbox
from handlers.parts import Parts
from handlers.registry import Forbidden, NotAuthenticated, NotFound, Permission, Principal
from storage import runs, users
from storage.runs import Ending, Progress
from storage.schedules import Schedule

REFUSED = "author_may_not"


async def refusal_of(parts: Parts, schedule: Schedule) -> str | None:
    """Why the one who saved the schedule last may not have its job run; None if they may."""
    author = schedule.updated_by
    async with parts.database.read() as connection:
        user = await users.get(connection, author)
    principal = Principal(author, user is not None and user.is_admin, "schedule")
    job = parts.runs.jobs.get(schedule.job)
    try:
        # A job that this version does not have fails for that, and it says so.
        for permission in {Permission.WRITE, job.permission if job else Permission.WRITE}:
            await parts.access.require(principal, permission, schedule.workspace_id)
    except NotAuthenticated:
        why = "is deactivated"
    except NotFound:
        why = "is no member of the workspace any more"
    except Forbidden as error:
        details = error.details or {}
        why = f"is {details.get('role')} in the workspace, and {details.get('needed')} is needed"
    else:
        return None
    return f"{author!r}, who saved this schedule last, {why}. Whoever may takes it over by saving it."


async def end_refused(
    connection: AsyncConnection, outbox: Outbox, schedule: Schedule, run_id: str, why: str, *, at: datetime
) -> None:
    """Ends the run, which is new and was given to nobody, and tells the managers unless the one before ended so too."""
    before = None if schedule.last_run_id is None else await runs.get(connection, schedule.last_run_id)
    ending = Ending(runs.FAILED, error_code=REFUSED, error_message=why)
    await runs.end(connection, run_id, 0, ending, Progress(0, None, None), at=at)
    if before is not None and before.error_code == REFUSED:
        return
    data = {
        "workspace_id": schedule.workspace_id,
        "schedule_id": schedule.id,
        "title": schedule.title,
        "run_id": run_id,
        "author": schedule.updated_by,
        "message": why,
    }
    for user_id in await administrators_of(connection, schedule.workspace_id):
        outbox.add(inbox_of(user_id), "schedule.refused", data)
