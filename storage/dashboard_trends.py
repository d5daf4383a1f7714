"""What happened in a workspace day by day, counted from 1970 in UTC. A day on which nothing was is left out."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.dashboard_facts import (
    CLASSIFICATION,
    DAY,
    QUALITY,
    as_integer,
    day_of,
    how_many,
    json_number,
    json_text,
    json_true,
    live_sources,
    looked_for,
)
from storage.runs import FAILED, SUCCEEDED
from storage.scan_tables import scan_datasets, scan_results, scans
from storage.tables import documents, to_microseconds, updates, workspaces


@dataclass(frozen=True, slots=True)
class ScanDay:
    """Scans that ended on a day. Columns are counted where one of `classified` scans looked for sensitive data."""

    scans: int
    succeeded: int
    failed: int
    classified: int
    sensitive_columns: int


@dataclass(frozen=True, slots=True)
class QualityDay:
    """Results of rules in scans that ended on a day; those that could not be evaluated are none."""

    passed: int
    failed: int


@dataclass(frozen=True, slots=True)
class RowsDay:
    """Rows of the datasets that were read as a whole on a day, each as it was read last."""

    datasets: int
    rows: int


@dataclass(frozen=True, slots=True)
class EditDay:
    edits: int
    people: int


async def began_at(connection: AsyncConnection, workspace_id: str) -> datetime | None:
    """When the workspace was made: nothing was measured before."""
    at: datetime | None = await connection.scalar(
        select(workspaces.c.created_at).where(workspaces.c.id == workspace_id)
    )
    return at


async def scan_days(connection: AsyncConnection, workspace_id: str, since: datetime) -> dict[int, ScanDay]:
    day = day_of(scans.c.finished_at).label("day")
    classified = and_(looked_for(connection, CLASSIFICATION), scans.c.summary.is_not(None))
    sensitive = case((classified, json_number(connection, scans.c.summary, "sensitive_columns")), else_=0)
    query = (
        select(
            day,
            func.count(),
            how_many(scans.c.state == SUCCEEDED),
            how_many(scans.c.state == FAILED),
            how_many(classified),
            as_integer(func.sum(sensitive)),
        )
        .where(scans.c.source_id.in_(live_sources(workspace_id)), scans.c.finished_at >= since)
        .group_by(day)
    )
    return {row[0]: ScanDay(*row[1:]) for row in await connection.execute(query)}


async def quality_days(connection: AsyncConnection, workspace_id: str, since: datetime) -> dict[int, QualityDay]:
    day = day_of(scans.c.finished_at).label("day")
    verdict = json_text(connection, scan_results.c.body, "verdict")
    query = (
        select(day, how_many(verdict == "pass"), how_many(verdict == "fail"))
        .join_from(scans, scan_results, scan_results.c.scan_id == scans.c.id)
        .where(scans.c.source_id.in_(live_sources(workspace_id)), scans.c.finished_at >= since)
        .where(scan_results.c.kind == QUALITY)
        .group_by(day)
    )
    return {row[0]: QualityDay(row[1], row[2]) for row in await connection.execute(query)}


async def row_days(connection: AsyncConnection, workspace_id: str, since: datetime) -> dict[int, RowsDay]:
    day = day_of(scans.c.finished_at).label("day")
    dataset = (scans.c.source_id, scan_datasets.c.schema_name, scan_datasets.c.name)
    newest = func.row_number().over(partition_by=(day, *dataset), order_by=scans.c.id.desc())
    outcome = scan_datasets.c.outcome
    read = (
        select(day, json_number(connection, outcome, "rows").label("rows"), newest.label("place"))
        .join_from(scans, scan_datasets, scan_datasets.c.scan_id == scans.c.id)
        .where(scans.c.source_id.in_(live_sources(workspace_id)), scans.c.finished_at >= since)
        .where(scan_datasets.c.state == SUCCEEDED, json_true(connection, outcome, "is_exact"))
        .subquery()
    )
    query = select(read.c.day, func.count(), as_integer(func.sum(read.c.rows))).where(read.c.place == 1)
    return {row[0]: RowsDay(row[1], row[2]) for row in await connection.execute(query.group_by(read.c.day))}


async def edit_days(connection: AsyncConnection, workspace_id: str, since: datetime) -> dict[int, EditDay]:
    """Updates of documents. Those that a snapshot replaced are forgotten, and not counted."""
    day = (updates.c.created_at // DAY).label("day")
    query = (
        select(day, func.count(), func.count(updates.c.author.distinct()))
        .join_from(updates, documents, documents.c.id == updates.c.document_id)
        .where(documents.c.workspace_id == workspace_id, documents.c.updated_at >= since)
        .where(updates.c.created_at >= to_microseconds(since))
        .group_by(day)
    )
    return {row[0]: EditDay(row[1], row[2]) for row in await connection.execute(query)}
