"""Durable runs: what is to be done, how far it is, and what came of it. Their steps are the engine's.

A run is `waiting` until the engine has it, then `queued`, `running`, and in the end `succeeded`, `failed` or
`cancelled`, for good.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, delete, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import AlreadyExists
from storage.run_tables import runs
from storage.tables import Instant
from storage.upsert import insert

WAITING, QUEUED, RUNNING = "waiting", "queued", "running"
SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"

_UNFINISHED = runs.c.finished_at.is_(None)


@dataclass(frozen=True, slots=True)
class Run:
    """A row of runs. `arguments` and `result` are JSON."""

    id: str
    job: str
    workspace_id: str | None
    arguments: str
    schedule_id: int | None
    due_at: datetime | None
    state: str
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    node_id: str | None
    attempt: int
    losses: int
    done: int | None
    total: int | None
    note: str | None
    result: str | None
    error_code: str | None
    error_message: str | None
    parent_id: str | None


class Progress(NamedTuple):
    """How much of a run is done, of how much, and a word for people."""

    done: int | None = None
    total: int | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of a run: a state that lasts, and a result as JSON or an error."""

    state: str
    result: str | None = None
    error_code: str | None = None
    error_message: str | None = None


async def add(
    connection: AsyncConnection,
    run_id: str,
    job: str,
    arguments: Any,
    *,
    workspace_id: str | None,
    created_by: str,
    at: datetime,
    schedule_id: int | None = None,
    due_at: datetime | None = None,
    parent_id: str | None = None,
) -> tuple[Run, bool]:
    """The run of this id, and whether it is new. Raises AlreadyExists if the id stands for something else."""
    values = {
        "id": run_id,
        "job": job,
        "workspace_id": workspace_id,
        "arguments": msgspec.json.encode(arguments, order="sorted").decode(),
        "schedule_id": schedule_id,
        "due_at": due_at,
        "state": WAITING,
        "created_by": created_by,
        "created_at": at,
        "attempt": 0,
        "losses": 0,
        "parent_id": parent_id,
    }
    statement = insert(connection, runs).values(values).on_conflict_do_nothing().returning(*runs.c)
    row = (await connection.execute(statement)).first()
    if row is not None:
        return Run(*row), True
    there = await get(connection, run_id)
    asked = (job, workspace_id, values["arguments"])
    if there is None or (there.job, there.workspace_id, there.arguments) != asked:
        raise AlreadyExists(f"the id {run_id!r} stands for another run already")
    return there, False


async def get(connection: AsyncConnection, run_id: str) -> Run | None:
    return (await get_many(connection, [run_id])).get(run_id)


async def get_many(connection: AsyncConnection, run_ids: Collection[str]) -> dict[str, Run]:
    """The runs of these ids that exist."""
    rows = await connection.execute(select(runs).where(runs.c.id.in_(list(run_ids))))
    return {row.id: Run(*row) for row in rows}


async def list_of(
    connection: AsyncConnection,
    *,
    workspace_id: str | None = None,
    schedule_id: int | None = None,
    job: str | None = None,
    states: Collection[str] | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int,
) -> list[Run]:
    """The newest first; `before` is the time and the id of the last one seen."""
    wanted = {"workspace_id": workspace_id, "schedule_id": schedule_id, "job": job}
    query = select(runs).order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit)
    query = query.where(*(runs.c[name] == value for name, value in wanted.items() if value is not None))
    if states is not None:
        query = query.where(runs.c.state.in_(list(states)))
    if before is not None:
        at, run_id = before
        query = query.where((runs.c.created_at < at) | ((runs.c.created_at == at) & (runs.c.id < run_id)))
    return [Run(*row) for row in await connection.execute(query)]


async def unfinished_of(connection: AsyncConnection, schedule_id: int) -> bool:
    """Whether the schedule has a run that has not ended."""
    return await _any(connection, _UNFINISHED & (runs.c.schedule_id == schedule_id))


async def any_unfinished(connection: AsyncConnection) -> bool:
    return await _any(connection, _UNFINISHED)


async def _any(connection: AsyncConnection, condition: ColumnElement[bool]) -> bool:
    return await connection.scalar(select(runs.c.id).where(condition).limit(1)) is not None


# On their way


async def waiting(connection: AsyncConnection, *, limit: int) -> list[tuple[str, str]]:
    """The ids, and the jobs, of runs that the engine does not have yet, the oldest first."""
    query = select(runs.c.id, runs.c.job).where(_UNFINISHED, runs.c.state == WAITING)
    found = await connection.execute(query.order_by(runs.c.created_at).limit(limit))
    return [(row.id, row.job) for row in found]


async def taken_in(connection: AsyncConnection, run_ids: Sequence[str]) -> None:
    """The engine has them."""
    condition = runs.c.id.in_(run_ids) & (runs.c.state == WAITING)
    await connection.execute(update(runs).where(condition).values(state=QUEUED))


async def handed_over(connection: AsyncConnection, *, after: str, limit: int) -> list[Run]:
    """The runs that the engine should have, by id; `after` is the last id seen."""
    query = select(runs).where(_UNFINISHED, runs.c.state != WAITING, runs.c.id > after)
    return [Run(*row) for row in await connection.execute(query.order_by(runs.c.id).limit(limit))]


async def wait_again(connection: AsyncConnection, run_id: str) -> None:
    """The engine does not have it."""
    await connection.execute(update(runs).where(runs.c.id == run_id, _UNFINISHED).values(state=WAITING))


async def begin(connection: AsyncConnection, run_id: str, *, node_id: str, at: datetime) -> Run | None:
    """Another attempt at the run, here; None if it has ended, or is gone."""
    statement = (
        update(runs)
        .where(runs.c.id == run_id, _UNFINISHED)
        .values(
            state=RUNNING,
            node_id=node_id,
            attempt=runs.c.attempt + 1,
            started_at=func.coalesce(runs.c.started_at, literal(at, Instant())),
        )
        .returning(*runs.c)
    )
    row = (await connection.execute(statement)).first()
    return Run(*row) if row else None


async def lost(connection: AsyncConnection, node_id: str) -> None:
    """The process died under the runs that it executed."""
    condition = _UNFINISHED & (runs.c.state == RUNNING) & (runs.c.node_id == node_id)
    await connection.execute(update(runs).where(condition).values(losses=runs.c.losses + 1))


async def tell_progress(connection: AsyncConnection, run_id: str, attempt: int, progress: Progress) -> None:
    """Of the newest attempt only."""
    await connection.execute(update(runs).where(_is_current(run_id, attempt)).values(progress._asdict()))


async def end(
    connection: AsyncConnection, run_id: str, attempt: int, ending: Ending, progress: Progress, *, at: datetime
) -> bool:
    """Whether the attempt was the newest one of a run that had not ended, and so its end counts."""
    values = {
        "state": ending.state,
        "result": ending.result,
        "error_code": ending.error_code,
        "error_message": ending.error_message,
        "finished_at": at,
        **progress._asdict(),
    }
    result = await connection.execute(update(runs).where(_is_current(run_id, attempt)).values(values))
    if result.rowcount > 0:
        await _cancel_children(connection, run_id, at)
    return result.rowcount > 0


def _is_current(run_id: str, attempt: int) -> ColumnElement[bool]:
    return (runs.c.id == run_id) & (runs.c.attempt == attempt) & _UNFINISHED


async def cancel(connection: AsyncConnection, run_id: str, *, at: datetime) -> bool:
    """Ends the run and all that it has begun, whoever executes it. Whether it had not ended."""
    condition = (runs.c.id == run_id) & _UNFINISHED
    result = await connection.execute(update(runs).where(condition).values(state=CANCELLED, finished_at=at))
    if result.rowcount > 0:
        await _cancel_children(connection, run_id, at)
    return result.rowcount > 0


async def _cancel_children(connection: AsyncConnection, run_id: str, at: datetime) -> None:
    """Those of the run, and theirs."""
    parents = [run_id]
    while parents:
        condition = runs.c.parent_id.in_(parents) & _UNFINISHED
        ended = update(runs).where(condition).values(state=CANCELLED, finished_at=at).returning(runs.c.id)
        parents = list(await connection.scalars(ended))


async def ended_among(connection: AsyncConnection, run_ids: Collection[str]) -> set[str]:
    """Those of the runs that have ended."""
    query = select(runs.c.id).where(runs.c.id.in_(list(run_ids)), runs.c.finished_at.is_not(None))
    return set(await connection.scalars(query))


async def ended_before(connection: AsyncConnection, before: datetime, *, limit: int) -> list[str]:
    """The ids of runs that ended before that time, the longest ago first."""
    query = select(runs.c.id).where(runs.c.finished_at < before).order_by(runs.c.finished_at).limit(limit)
    return list(await connection.scalars(query))


async def remove(connection: AsyncConnection, run_ids: Collection[str]) -> None:
    await connection.execute(delete(runs).where(runs.c.id.in_(list(run_ids))))
