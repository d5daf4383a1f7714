"""What is stored of sources' metrics, in numbers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.metric_tables import metric_sources


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """How many series a source has had, and how many of its samples were refused as of series beyond its limit."""

    series: int
    refused: int


async def of_sources(connection: AsyncConnection, source_ids: Collection[int]) -> dict[int, SourceFacts]:
    """By source; those that never brought a sample are not there."""
    columns = metric_sources.c
    query = select(columns.source_id, columns.series, columns.refused).where(columns.source_id.in_(source_ids))
    rows = (await connection.execute(query)).all()
    return {row.source_id: SourceFacts(row.series, row.refused) for row in rows}
