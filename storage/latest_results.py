"""What is known of a source's datasets now: of each what the newest scan found that looked for it, whichever it is.

After an incremental scan, results of what did not change are in the scans before it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.dashboard_facts import found_in, last_reads
from storage.data_sources import DataSource
from storage.scan_results import Result
from storage.scan_tables import scan_results


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


async def looked_at(connection: AsyncConnection, source: DataSource, kind: str) -> set[tuple[str | None, str]]:
    """Schema and name of the datasets that were read by a scan that looked for this kind."""
    reads = last_reads(connection, source.workspace_id, kind)
    query = select(reads.c.schema_name, reads.c.name).where(reads.c.source_id == source.id)
    return {(row.schema_name, row.name) for row in await connection.execute(query)}
