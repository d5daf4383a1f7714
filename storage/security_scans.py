"""Audits of sources: who audits what, what came of each check, and the audit that a source is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import AlreadyExists
from storage.run_tables import runs
from storage.runs import CANCELLED, FAILED, QUEUED, RUNNING, SUCCEEDED, WAITING
from storage.security_tables import security_baselines, security_results, security_scans
from storage.tables import Instant
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class SecurityScan:
    """A row of security_scans. `state` is that of the run until the audit has ended; `options`, `summary` are JSON."""

    id: int
    workspace_id: str
    source_id: int
    run_id: str
    options: str
    state: str
    error_code: str | None
    error_message: str | None
    summary: str | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a check; `body` is JSON."""

    ordinal: int
    check_id: str
    outcome: str
    reason: str | None
    body: str


@dataclass(frozen=True, slots=True)
class Baseline:
    scan_id: int
    set_by: str
    set_at: datetime


# An audit that did not say that it has ended is never taken for a clean one, whatever became of its run.
_STATE = case(
    (security_scans.c.state.is_not(None), security_scans.c.state),
    (runs.c.state.in_((WAITING, QUEUED)), QUEUED),
    (runs.c.state.in_((RUNNING, CANCELLED)), runs.c.state),
    else_=FAILED,
)
_SCAN = select(
    *(
        _STATE.label("state") if field.name == "state" else security_scans.c[field.name]
        for field in fields(SecurityScan)
    )
).select_from(security_scans.outerjoin(runs, runs.c.id == security_scans.c.run_id))


async def create(
    connection: AsyncConnection,
    *,
    workspace_id: str,
    source_id: int,
    run_id: str,
    options: str,
    created_by: str,
    at: datetime,
) -> int:
    """The id of a new audit. Raises AlreadyExists while the source has one that has not ended."""
    values = {
        "workspace_id": workspace_id,
        "source_id": source_id,
        "run_id": run_id,
        "options": options,
        "created_by": created_by,
        "created_at": at,
    }
    statement = (
        insert(connection, security_scans).values(values).on_conflict_do_nothing().returning(security_scans.c.id)
    )
    scan_id: int | None = await connection.scalar(statement)
    if scan_id is None:
        raise AlreadyExists(f"the source {source_id} is being audited")
    return scan_id


async def get(connection: AsyncConnection, scan_id: int) -> SecurityScan | None:
    row = (await connection.execute(_SCAN.where(security_scans.c.id == scan_id))).first()
    return SecurityScan(*row) if row else None


async def of_run(connection: AsyncConnection, run_id: str) -> dict[int, SecurityScan]:
    """The audits of a run, by source."""
    rows = await connection.execute(_SCAN.where(security_scans.c.run_id == run_id).order_by(security_scans.c.id))
    return {row.source_id: SecurityScan(*row) for row in rows}


async def unfinished_of(connection: AsyncConnection, source_id: int) -> SecurityScan | None:
    query = _SCAN.where(security_scans.c.source_id == source_id, security_scans.c.finished_at.is_(None))
    row = (await connection.execute(query)).first()
    return SecurityScan(*row) if row else None


async def newest_of(
    connection: AsyncConnection, source_id: int, *, succeeded: bool = False, before: int | None = None
) -> SecurityScan | None:
    """The newest audit of a source; of those that succeeded, or that are older than one."""
    query = _SCAN.where(security_scans.c.source_id == source_id).order_by(security_scans.c.id.desc()).limit(1)
    if succeeded:
        query = query.where(security_scans.c.state == SUCCEEDED)
    if before is not None:
        query = query.where(security_scans.c.id < before)
    row = (await connection.execute(query)).first()
    return SecurityScan(*row) if row else None


async def list_of(
    connection: AsyncConnection,
    workspace_id: str,
    *,
    source_id: int | None = None,
    state: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[SecurityScan]:
    """The newest first; `before` is the last id seen."""
    query = _SCAN.where(security_scans.c.workspace_id == workspace_id).order_by(security_scans.c.id.desc()).limit(limit)
    if source_id is not None:
        query = query.where(security_scans.c.source_id == source_id)
    if state is not None:
        query = query.where(_STATE.in_((state,)))
    if before is not None:
        query = query.where(security_scans.c.id < before)
    return [SecurityScan(*row) for row in await connection.execute(query)]


async def begin(connection: AsyncConnection, scan_id: int, *, at: datetime) -> None:
    started = func.coalesce(security_scans.c.started_at, literal(at, Instant()))
    await connection.execute(update(security_scans).where(security_scans.c.id == scan_id).values(started_at=started))


async def end(
    connection: AsyncConnection,
    scan_id: int,
    state: str,
    *,
    at: datetime,
    summary: str | None = None,
    error: tuple[str, str] | None = None,
) -> bool:
    """Whether it had not ended before: whoever is too late writes nothing in this transaction. `error`: code, text."""
    values: dict[str, Any] = {"state": state, "summary": summary, "finished_at": at}
    if error is not None:
        values["error_code"], values["error_message"] = error
    condition = (security_scans.c.id == scan_id) & security_scans.c.finished_at.is_(None)
    return (await connection.execute(update(security_scans).where(condition).values(values))).rowcount > 0


async def summarise(connection: AsyncConnection, scan_id: int, summary: str) -> None:
    """What an audit that ended in this transaction came to."""
    await connection.execute(update(security_scans).where(security_scans.c.id == scan_id).values(summary=summary))


async def abandoned(
    connection: AsyncConnection, *, source_id: int | None = None, limit: int = 100
) -> list[SecurityScan]:
    """Audits that have not ended and that nobody goes on with: their run is over, or gone."""
    over = runs.c.id.is_(None) | runs.c.state.in_((CANCELLED, FAILED, SUCCEEDED))
    query = _SCAN.where(security_scans.c.finished_at.is_(None), over).order_by(security_scans.c.id).limit(limit)
    if source_id is not None:
        query = query.where(security_scans.c.source_id == source_id)
    return [SecurityScan(*row) for row in await connection.execute(query)]


# What came of checks


async def put_results(connection: AsyncConnection, scan_id: int, results: Sequence[Result]) -> None:
    rows = [
        {"scan_id": scan_id, **{field.name: getattr(one, field.name) for field in fields(Result)}} for one in results
    ]
    if rows:
        await connection.execute(insert(connection, security_results), rows)


async def results_of(
    connection: AsyncConnection,
    scan_id: int,
    *,
    outcome: str | None = None,
    after: int | None = None,
    limit: int | None = None,
) -> list[Result]:
    """In the order of the catalogue."""
    columns = [security_results.c[field.name] for field in fields(Result)]
    query = select(*columns).where(security_results.c.scan_id == scan_id).order_by(security_results.c.ordinal)
    if outcome is not None:
        query = query.where(security_results.c.outcome == outcome)
    if after is not None:
        query = query.where(security_results.c.ordinal > after)
    if limit is not None:
        query = query.limit(limit)
    return [Result(*row) for row in await connection.execute(query)]


# Baselines


async def set_baseline(connection: AsyncConnection, source_id: int, baseline: Baseline) -> None:
    values = {"scan_id": baseline.scan_id, "set_by": baseline.set_by, "set_at": baseline.set_at}
    statement = insert(connection, security_baselines).values(source_id=source_id, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["source_id"], set_=values))


async def baseline_of(connection: AsyncConnection, source_id: int) -> Baseline | None:
    columns = [security_baselines.c[field.name] for field in fields(Baseline)]
    row = (await connection.execute(select(*columns).where(security_baselines.c.source_id == source_id))).first()
    return Baseline(*row) if row else None
