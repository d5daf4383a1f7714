"""Where sensitive data is: what scans found last of each column, what people say of it, what nobody looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.catalog_tables import catalog_columns, catalog_datasets
from storage.dashboard_facts import CLASSIFICATION, found_in, is_live, last_reads
from storage.scan_tables import scan_results

Name = tuple[int, str, str]
"""Source, schema and name of a dataset; the schema is empty where there is none."""


@dataclass(frozen=True, slots=True)
class Classified:
    """One thing that the newest scan which looked for it found in a column; `body` is the JSON of a `Finding`."""

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
    """By source, dataset and column. Of datasets that are gone there is nothing."""
    reads, result = last_reads(connection, workspace_id, CLASSIFICATION), scan_results.c
    schema = func.coalesce(reads.c.schema_name, "")
    query = (
        select(reads.c.source_id, schema, reads.c.name, result.column_name, result.body, reads.c.scan_id)
        .add_columns(reads.c.read_at)
        .select_from(reads.join(scan_results, found_in(reads, CLASSIFICATION)))
        .where(result.column_name.is_not(None))
        .order_by(reads.c.source_id, schema, reads.c.name, result.place)
        .limit(limit)
    )
    if source_id is not None:
        query = query.where(reads.c.source_id == source_id)
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
