"""How each data source is: its scans, what they found, and what the catalog has of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.catalog_tables import catalog_datasets, catalog_sources
from storage.dashboard_facts import (
    CLASSIFICATION,
    QUALITY,
    found_in,
    how_many,
    is_live,
    json_text,
    last_reads,
)
from storage.runs import SUCCEEDED
from storage.scan_tables import scan_results, scans
from storage.tables import Instant


@dataclass(frozen=True, slots=True)
class LastScan:
    """The newest scan of a source that has ended, and when the newest one that succeeded did."""

    id: int
    state: str
    finished_at: datetime
    error_code: str | None
    error_message: str | None
    succeeded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Catalogued:
    datasets: int
    with_errors: int


async def last_scans(connection: AsyncConnection, workspace_id: str, source_ids: Sequence[int]) -> dict[int, LastScan]:
    of_these = scans.c.workspace_id == workspace_id, scans.c.source_id.in_(source_ids), scans.c.finished_at.is_not(None)
    place = func.row_number().over(partition_by=scans.c.source_id, order_by=scans.c.id.desc())
    columns = (scans.c.id, scans.c.state, scans.c.finished_at, scans.c.error_code, scans.c.error_message)
    ranked = select(scans.c.source_id, *columns, place.label("place")).where(*of_these).subquery()
    succeeded = (
        select(scans.c.source_id, func.max(scans.c.finished_at, type_=Instant()).label("at"))
        .where(*of_these, scans.c.state == SUCCEEDED)
        .group_by(scans.c.source_id)
        .subquery()
    )
    query = (
        select(*(ranked.c[column.name] for column in columns), succeeded.c.at, ranked.c.source_id)
        .select_from(ranked.outerjoin(succeeded, succeeded.c.source_id == ranked.c.source_id))
        .where(ranked.c.place == 1)
    )
    return {row[-1]: LastScan(*row[:-1]) for row in await connection.execute(query)}


async def catalogued(
    connection: AsyncConnection, workspace_id: str, source_ids: Sequence[int]
) -> dict[int, Catalogued]:
    of = catalog_datasets.c.source_id
    query = (
        select(of, func.count(), how_many(catalog_datasets.c.error_code.is_not(None)))
        .where(is_live(workspace_id), of.in_(source_ids))
        .group_by(of)
    )
    return {row[0]: Catalogued(row[1], row[2]) for row in await connection.execute(query)}


async def discovered(connection: AsyncConnection, source_ids: Sequence[int]) -> dict[int, datetime]:
    """When each was discovered last, where it was."""
    at = catalog_sources.c.discovered_at
    query = select(catalog_sources.c.source_id, at).where(catalog_sources.c.source_id.in_(source_ids), at.is_not(None))
    return {row[0]: row[1] for row in await connection.execute(query)}


async def sensitive_columns(
    connection: AsyncConnection, workspace_id: str, source_ids: Sequence[int]
) -> dict[int, int]:
    """How many columns have sensitive data; a source that was never looked at for it is left out."""
    reads = last_reads(connection, workspace_id, CLASSIFICATION)
    columns = (
        select(reads.c.source_id, reads.c.ordinal, reads.c.scan_id, scan_results.c.column_name)
        .select_from(reads.outerjoin(scan_results, found_in(reads, CLASSIFICATION)))
        .where(reads.c.source_id.in_(source_ids))
        .distinct()
        .subquery()
    )
    query = select(columns.c.source_id, func.count(columns.c.column_name)).group_by(columns.c.source_id)
    return {row[0]: row[1] for row in await connection.execute(query)}


async def rules(
    connection: AsyncConnection, workspace_id: str, source_ids: Sequence[int]
) -> dict[int, tuple[int, int]]:
    """How many rules hold and how many do not, where any was checked."""
    reads = last_reads(connection, workspace_id, QUALITY)
    verdict = json_text(connection, scan_results.c.body, "verdict")
    query = (
        select(reads.c.source_id, how_many(verdict == "pass"), how_many(verdict == "fail"))
        .join_from(reads, scan_results, found_in(reads, QUALITY))
        .where(reads.c.source_id.in_(source_ids))
        .group_by(reads.c.source_id)
    )
    return {row[0]: (row[1], row[2]) for row in await connection.execute(query)}
