"""Where sensitive data is: what scans found last of each column, what people say of it, what nobody looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.catalog_tables import catalog_columns, catalog_datasets
from storage.dashboard_facts import (
    CLASSIFICATION,
    found_in,
    is_live,
    json_text,
    last_reads,
    live_sources,
    same_dataset,
)
from storage.scan_tables import scan_results
from storage.thorough_scans import reads_since_whole

Name = tuple[int, str, str]
"""Source, schema and name of a dataset; the schema is empty where there is none."""


@dataclass(frozen=True, slots=True)
class Classified:
    """One thing that was found in a column since a scan last read all rows; `body` is the JSON of a `Finding`."""

    source_id: int
    schema: str
    dataset: str
    column: str
    body: str
    scan_id: int
    read_at: datetime

    @property
    def of(self) -> Name:
        return self.source_id, self.schema, self.dataset


@dataclass(frozen=True, slots=True)
class KnownDataset:
    """A dataset of the catalog that is there; `sensitivity` is what people say of it as a whole."""

    id: int
    source_id: int
    schema: str
    name: str
    sensitivity: str | None


async def classified(
    connection: AsyncConnection, workspace_id: str, *, source_id: int | None = None, limit: int
) -> list[Classified]:
    """By source, dataset and column, the newest of each type. Of datasets that are gone there is nothing."""
    reads, result = reads_since_whole(connection, CLASSIFICATION, live_sources(workspace_id)), scan_results.c
    newest = func.row_number().over(
        partition_by=(
            reads.c.source_id,
            reads.c.schema,
            reads.c.name,
            result.column_name,
            json_text(connection, result.body, "type"),
        ),
        order_by=reads.c.scan_id.desc(),
    )
    columns = (reads.c.source_id, reads.c.schema, reads.c.name, result.column_name, result.body, reads.c.scan_id)
    gone = exists(
        select(catalog_datasets.c.id).where(same_dataset(reads), catalog_datasets.c.missing_since.is_not(None))
    )
    ranked = (
        select(*columns, reads.c.read_at, result.place, newest.label("newest"))
        .select_from(reads.join(scan_results, found_in(reads, CLASSIFICATION)))
        .where(result.column_name.is_not(None), ~gone)
    )
    if source_id is not None:
        ranked = ranked.where(reads.c.source_id == source_id)
    found = ranked.subquery().c
    query = (
        select(found.source_id, found.schema, found.name, found.column_name, found.body, found.scan_id, found.read_at)
        .where(found.newest == 1)
        .order_by(found.source_id, found.schema, found.name, found.place, found.column_name)
        .limit(limit)
    )
    return [Classified(*row) for row in await connection.execute(query)]


async def looked_at(
    connection: AsyncConnection, workspace_id: str, *, source_id: int | None = None
) -> dict[Name, datetime]:
    """When each dataset was last looked at for sensitive data; those that never were are missing."""
    reads = last_reads(connection, workspace_id, CLASSIFICATION)
    query = select(reads.c.source_id, func.coalesce(reads.c.schema_name, ""), reads.c.name, reads.c.read_at)
    if source_id is not None:
        query = query.where(reads.c.source_id == source_id)
    return {(row[0], row[1], row[2]): row[3] for row in await connection.execute(query)}


async def known_datasets(
    connection: AsyncConnection, workspace_id: str, *, source_id: int | None = None
) -> list[KnownDataset]:
    """All that the catalog has and that are there, by source, schema and name."""
    dataset = catalog_datasets.c
    query = select(dataset.id, dataset.source_id, dataset.schema, dataset.name, dataset.sensitivity)
    query = query.where(is_live(workspace_id)).order_by(dataset.source_id, dataset.schema, dataset.name)
    if source_id is not None:
        query = query.where(dataset.source_id == source_id)
    return [KnownDataset(*row) for row in await connection.execute(query)]


async def said_of_columns(
    connection: AsyncConnection, workspace_id: str, *, source_id: int | None = None
) -> dict[int, dict[str, str]]:
    """What people say of columns themselves, by dataset and column: `confidential` and the like."""
    column, dataset = catalog_columns.c, catalog_datasets.c
    query = (
        select(column.dataset_id, column.name, column.sensitivity)
        .join(catalog_datasets, dataset.id == column.dataset_id)
        .where(is_live(workspace_id), column.sensitivity.is_not(None), column.missing_since.is_(None))
        .order_by(column.dataset_id, column.ordinal)
    )
    if source_id is not None:
        query = query.where(dataset.source_id == source_id)
    found: dict[int, dict[str, str]] = {}
    for row in await connection.execute(query):
        found.setdefault(row[0], {})[row[1]] = row[2]
    return found
