"""Reports on data sources, each as HTML and CSV."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.backup_tables import report_contents, reports
from storage.run_tables import runs
from storage.runs import FAILED, QUEUED, SUCCEEDED, WAITING
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class Report:
    """A row of reports. `state` is that of the run until the report has ended; `missing` is JSON."""

    id: int
    workspace_id: str
    source_id: int
    run_id: str
    kind: str
    state: str
    error_code: str | None
    error_message: str | None
    missing: str | None
    created_by: str
    created_at: datetime
    finished_at: datetime | None


_STATE = case(
    (reports.c.state.is_not(None), reports.c.state),
    (runs.c.state == WAITING, QUEUED),
    else_=func.coalesce(runs.c.state, FAILED),
)
_FROM_RUN = {
    "state": _STATE,
    "error_code": func.coalesce(reports.c.error_code, runs.c.error_code),
    "error_message": func.coalesce(reports.c.error_message, runs.c.error_message),
    "finished_at": func.coalesce(reports.c.finished_at, runs.c.finished_at),
}
_REPORT = select(
    *(_FROM_RUN.get(field.name, reports.c[field.name]).label(field.name) for field in fields(Report))
).select_from(reports.outerjoin(runs, runs.c.id == reports.c.run_id))


async def ensure(
    connection: AsyncConnection,
    *,
    workspace_id: str,
    source_id: int,
    run_id: str,
    kind: str,
    created_by: str,
    at: datetime,
) -> Report:
    """The report that the run makes."""
    values = {
        "workspace_id": workspace_id,
        "source_id": source_id,
        "run_id": run_id,
        "kind": kind,
        "created_by": created_by,
        "created_at": at,
    }
    await connection.execute(insert(connection, reports).values(values).on_conflict_do_nothing())
    return Report(*(await connection.execute(_REPORT.where(reports.c.run_id == run_id))).one())


async def get(connection: AsyncConnection, source_id: int, report_id: int) -> Report | None:
    row = (await connection.execute(_REPORT.where(reports.c.id == report_id, reports.c.source_id == source_id))).first()
    return Report(*row) if row else None


async def list_of(
    connection: AsyncConnection, source_id: int, *, before: int | None = None, limit: int
) -> list[Report]:
    """The newest first; `before` is the last id seen."""
    query = _REPORT.where(reports.c.source_id == source_id).order_by(reports.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(reports.c.id < before)
    return [Report(*row) for row in await connection.execute(query)]


async def finish(
    connection: AsyncConnection, report_id: int, contents: Mapping[str, bytes], missing: str, *, at: datetime
) -> None:
    """Puts the report's contents, by format, in place of any that are there."""
    await connection.execute(delete(report_contents).where(report_contents.c.report_id == report_id))
    for name, data in contents.items():
        values = {"report_id": report_id, "format": name, "bytes": len(data), "data": zlib.compress(data)}
        await connection.execute(insert(connection, report_contents).values(values))
    values = {"state": SUCCEEDED, "missing": missing, "finished_at": at}
    await connection.execute(update(reports).where(reports.c.id == report_id).values(values))


async def content_of(connection: AsyncConnection, report_id: int, name: str) -> bytes | None:
    """The report in that format, compressed by zlib."""
    condition = (report_contents.c.report_id == report_id) & (report_contents.c.format == name)
    data: bytes | None = await connection.scalar(select(report_contents.c.data).where(condition))
    return data
