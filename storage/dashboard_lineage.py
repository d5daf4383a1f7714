"""The whole graph of a workspace's datasets, as numbers: datasets by their id, those only heard of by its negative."""

from __future__ import annotations

from array import array
from typing import Any

from sqlalchemy import Select, String, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.catalog_tables import catalog_datasets, lineage_edges
from storage.dashboard_facts import full_name, how_many, is_live
from storage.lineage_edges import number_of

FOREIGN_KEY = "foreign_key"
_AT_ONCE = 1_000


async def edges(connection: AsyncConnection, workspace_id: str, *, most: int) -> array[int]:
    """Each pair of datasets between which data flows, once, one after the other. Foreign keys are no flow."""
    columns = lineage_edges.c.source_node, lineage_edges.c.target_node
    query = (
        select(*columns)
        .where(lineage_edges.c.workspace_id == workspace_id, lineage_edges.c.origin != FOREIGN_KEY)
        .where(*(column.not_in(_gone(workspace_id)) for column in columns))
        .distinct()
        .order_by(*columns)
        .limit(most)
    )
    pairs = array("q")
    # In portions: others have a turn between them.
    async with connection.stream(query) as rows:
        async for part in rows.partitions(_AT_ONCE):
            for source, target in part:
                pairs.extend((_number(source), _number(target)))
    return pairs


async def edge_counts(connection: AsyncConnection, workspace_id: str) -> dict[str, tuple[int, int]]:
    """By who told of them: how many edges there are, and how many of these are between columns."""
    between_columns = (lineage_edges.c.source_column != "") & (lineage_edges.c.target_column != "")
    query = (
        select(lineage_edges.c.origin, func.count(), how_many(between_columns))
        .where(lineage_edges.c.workspace_id == workspace_id)
        .group_by(lineage_edges.c.origin)
    )
    return {row[0]: (row[1], row[2]) for row in await connection.execute(query)}


async def datasets(connection: AsyncConnection, workspace_id: str) -> tuple[int, int]:
    """How many there are, and of how many something could not be followed."""
    problems = how_many(catalog_datasets.c.lineage_problems != "[]")
    row: Any = (await connection.execute(select(func.count(), problems).where(is_live(workspace_id)))).one()
    return row[0], row[1]


async def names(connection: AsyncConnection, workspace_id: str, ids: list[int]) -> dict[int, str]:
    """The full names of these datasets."""
    query = select(catalog_datasets.c.id, full_name())
    query = query.where(catalog_datasets.c.workspace_id == workspace_id, catalog_datasets.c.id.in_(ids))
    return {row[0]: row[1] for row in await connection.execute(query)}


def _gone(workspace_id: str) -> Select[Any]:
    """The nodes of datasets that vanished, or whose source was deleted."""
    node = "dataset:" + cast(catalog_datasets.c.id, String)
    return select(node).where(catalog_datasets.c.workspace_id == workspace_id, ~is_live(workspace_id))


def _number(node: str) -> int:
    kind, number = number_of(node)
    return number if kind == "dataset" else -number
