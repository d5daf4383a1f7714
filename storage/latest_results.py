"""What is known of a source's datasets now: of each what the newest scan found that looked for it, whichever it is.

After an incremental scan, results of what did not change are in the scans before it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.dashboard_facts import CLASSIFICATION, found_in, json_text, last_reads, looked_for
from storage.data_sources import DataSource
from storage.runs import SUCCEEDED
from storage.scan_results import Result
from storage.scan_tables import scan_datasets, scan_results, scans

_FULL = "full"


async def latest_of(connection: AsyncConnection, source: DataSource, kind: str, limit: int) -> list[Result]:
    """The newest results of a kind, by dataset. Datasets that are gone have none."""
    reads = last_reads(connection, source.workspace_id, kind)
    result = scan_results.c
    query = (
        select(result.ordinal, result.place, result.kind, result.column_name, result.body)
        .add_columns(reads.c.schema_name, reads.c.name)
        .select_from(reads.join(scan_results, found_in(reads, kind)))
        .where(reads.c.source_id == source.id)
        .order_by(reads.c.schema_name, reads.c.name, result.place)
        .limit(limit)
    )
    rows: Any = await connection.execute(query)
    return [Result(*row) for row in rows]


class Classified(NamedTuple):
    """What a scan took a column for."""

    schema_name: str | None
    name: str
    column_name: str
    type: str | None
    category: str | None


async def taken_for(connection: AsyncConnection, source_id: int, limit: int) -> list[Classified]:
    """What the columns of each dataset were taken for since a scan last looked at all of its rows, by that scan too.

    A later scan of a few rows finds less, and takes nothing back.
    """
    looked = select(scans.c.id).where(scans.c.source_id == source_id, looked_for(connection, CLASSIFICATION))
    is_sample = json_text(connection, scans.c.options, "sample_rows").is_not(None)
    thorough = looked.where(scans.c.mode == _FULL, ~is_sample)
    dataset, result = scan_datasets.c, scan_results.c
    name = (func.coalesce(dataset.schema_name, "").label("schema"), dataset.name)
    whole = (
        select(*name, func.max(dataset.scan_id).label("since"))
        .where(dataset.scan_id.in_(thorough), dataset.state == SUCCEEDED)
        .group_by(*name)
        .subquery()
    )
    same = (func.coalesce(dataset.schema_name, "") == whole.c.schema) & (dataset.name == whole.c.name)
    told = (json_text(connection, result.body, key).label(key) for key in ("type", "category"))
    query = (
        select(dataset.schema_name, dataset.name, result.column_name, *told)
        .select_from(scan_datasets.join(scan_results, found_in(scan_datasets, CLASSIFICATION)).outerjoin(whole, same))
        .where(dataset.scan_id.in_(looked), dataset.state == SUCCEEDED, result.column_name.is_not(None))
        .where(dataset.scan_id >= func.coalesce(whole.c.since, 0))
        .distinct()
        .limit(limit)
    )
    return [Classified(*row) for row in await connection.execute(query)]


async def looked_at(connection: AsyncConnection, source: DataSource, kind: str) -> set[tuple[str | None, str]]:
    """Schema and name of the datasets that were read by a scan that looked for this kind."""
    reads = last_reads(connection, source.workspace_id, kind)
    query = select(reads.c.schema_name, reads.c.name).where(reads.c.source_id == source.id)
    return {(row.schema_name, row.name) for row in await connection.execute(query)}
