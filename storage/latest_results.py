"""What is known of a source's datasets now: of each what the newest scan found that looked for it, whichever it is.

After an incremental scan, results of what did not change are in the scans before it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.dashboard_facts import CLASSIFICATION, found_in, last_reads
from storage.data_sources import DataSource
from storage.governance_tables import data_sources
from storage.scan_results import Result
from storage.scan_tables import scan_results
from storage.thorough_scans import reads_since_whole


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
    """What a scan took a column for; `body` is the JSON of it."""

    schema_name: str | None
    name: str
    column_name: str
    body: str


async def taken_for(connection: AsyncConnection, source_id: int, limit: int) -> list[Classified]:
    """What the columns of each dataset were taken for since a scan last looked at all of its rows, by that scan too.

    A later scan of a few rows finds less, and takes nothing back.
    """
    result = scan_results.c
    of_source = select(data_sources.c.id).where(data_sources.c.id == source_id)
    reads = reads_since_whole(connection, CLASSIFICATION, of_source)
    query = (
        select(reads.c.schema_name, reads.c.name, result.column_name, result.body)
        .select_from(reads.join(scan_results, found_in(reads, CLASSIFICATION)))
        .where(result.column_name.is_not(None))
        .distinct()
        .limit(limit)
    )
    return [Classified(*row) for row in await connection.execute(query)]


async def looked_at(connection: AsyncConnection, source: DataSource, kind: str) -> set[tuple[str | None, str]]:
    """Schema and name of the datasets that were read by a scan that looked for this kind."""
    reads = last_reads(connection, source.workspace_id, kind)
    query = select(reads.c.schema_name, reads.c.name).where(reads.c.source_id == source.id)
    return {(row.schema_name, row.name) for row in await connection.execute(query)}
