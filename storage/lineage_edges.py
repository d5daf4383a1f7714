"""The graph of what comes from where: edges between datasets of a workspace and datasets that it only heard of.

Nodes are `dataset:12` and `external:3`. A column is empty where the whole dataset is meant.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.catalog_tables import catalog_datasets, lineage_edges, lineage_externals
from storage.governance_tables import data_sources
from storage.upsert import insert

T = TypeVar("T")

# Below the number of parameters that a statement may have, in both databases.
_AT_ONCE = 500


class Edge(NamedTuple):
    """One way that one thing depends on another."""

    source_node: str
    source_column: str
    target_node: str
    target_column: str
    kind: str
    masking: bool = False


class Told(NamedTuple):
    """An edge, and who told of it."""

    edge: Edge
    origin: str
    origin_name: str


@dataclass(frozen=True, slots=True)
class External:
    """A row of lineage_externals."""

    id: int
    workspace_id: str
    namespace: str
    name: str
    created_at: datetime


def dataset_node(dataset_id: int) -> str:
    return f"dataset:{dataset_id}"


def external_node(external_id: int) -> str:
    return f"external:{external_id}"


def number_of(node: str) -> tuple[str, int]:
    """What kind of node it is, and its id."""
    kind, _, number = node.partition(":")
    return kind, int(number)


async def replace(
    connection: AsyncConnection, workspace_id: str, origin: str, origin_name: str, edges: Iterable[Edge]
) -> int:
    """Makes these the edges that the origin tells of; how many there are."""
    await forget(connection, workspace_id, origin, origin_name)
    told = {"workspace_id": workspace_id, "origin": origin, "origin_name": origin_name}
    rows = [{**told, **edge._asdict()} for edge in dict.fromkeys(edges)]
    if rows:
        await connection.execute(lineage_edges.insert(), rows)
    return len(rows)


async def forget(connection: AsyncConnection, workspace_id: str, origin: str, origin_name: str) -> int:
    """Drops what the origin tells of; how many edges that were."""
    condition = (lineage_edges.c.workspace_id == workspace_id) & (lineage_edges.c.origin == origin)
    statement = delete(lineage_edges).where(condition, lineage_edges.c.origin_name == origin_name)
    return (await connection.execute(statement)).rowcount


async def touching(
    connection: AsyncConnection, workspace_id: str, nodes: Collection[str], *, up: bool, down: bool, limit: int
) -> list[Told]:
    """The edges into these nodes (`up`) and out of them (`down`), in a fixed order."""
    found: list[Told] = []
    for some in _portions(nodes):
        sides: list[ColumnElement[bool]] = []
        sides += [lineage_edges.c.target_node.in_(some)] if up else []
        sides += [lineage_edges.c.source_node.in_(some)] if down else []
        query = select(lineage_edges).where(lineage_edges.c.workspace_id == workspace_id, or_(*sides))
        rows = await connection.execute(query.order_by(lineage_edges.c.id).limit(limit - len(found)))
        found += map(_told, rows)
        if len(found) >= limit:
            break
    return found


async def into(connection: AsyncConnection, nodes: Collection[str]) -> list[Told]:
    """All edges into these nodes."""
    found: list[Told] = []
    for some in _portions(nodes):
        query = select(lineage_edges).where(lineage_edges.c.target_node.in_(some)).order_by(lineage_edges.c.id)
        found += map(_told, await connection.execute(query))
    return found


def _told(row: Any) -> Told:
    edge = Edge(row.source_node, row.source_column, row.target_node, row.target_column, row.kind, row.masking)
    return Told(edge, row.origin, row.origin_name)


async def ensure_external(
    connection: AsyncConnection, workspace_id: str, namespace: str, name: str, *, at: datetime
) -> External:
    """The dataset of that name, made if nobody told of it before."""
    values = {"workspace_id": workspace_id, "namespace": namespace, "name": name, "created_at": at}
    await connection.execute(insert(connection, lineage_externals).values(values).on_conflict_do_nothing())
    condition = (lineage_externals.c.workspace_id == workspace_id) & (lineage_externals.c.namespace == namespace)
    query = select(lineage_externals).where(condition, lineage_externals.c.name == name)
    return External(*(await connection.execute(query)).one())


async def externals(connection: AsyncConnection, ids: Iterable[int]) -> dict[int, External]:
    """Those that there are, by id."""
    found = {}
    for some in _portions(ids):
        rows = await connection.execute(select(lineage_externals).where(lineage_externals.c.id.in_(some)))
        found.update({row.id: External(*row) for row in rows})
    return found


async def dataset_names(connection: AsyncConnection, workspace_id: str) -> list[tuple[int, int, str, str]]:
    """Id, source, schema and name of each dataset of the workspace's sources that are not deleted."""
    query = (
        select(catalog_datasets.c.id, catalog_datasets.c.source_id, catalog_datasets.c.schema, catalog_datasets.c.name)
        .join(data_sources, data_sources.c.id == catalog_datasets.c.source_id)
        .where(catalog_datasets.c.workspace_id == workspace_id, data_sources.c.deleted_at.is_(None))
        .order_by(catalog_datasets.c.id)
    )
    return [(row[0], row[1], row[2], row[3]) for row in await connection.execute(query)]


def _portions(items: Iterable[T]) -> Iterator[Sequence[T]]:
    whole = list(items)
    for start in range(0, len(whole), _AT_ONCE):
        yield whole[start : start + _AT_ONCE]
