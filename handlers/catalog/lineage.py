"""What lies upstream and downstream of a dataset or a column, as a graph."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.lineage.edges import Edge, Influence, Kind
from analysis.lineage.graph import LineageGraph, Link
from analysis.lineage.names import ColumnRef
from handlers.dataset_access import require_dataset
from handlers.names import RowId
from handlers.registry import Context, Forbidden, NotFound, Operation, Permission
from storage import catalog, lineage_edges
from storage.lineage_edges import Told, dataset_node, number_of

# What a page can show.
MOST_EDGES = 5_000
# Stands for the columns of a dataset of which nobody said which they are.
_ANY = "*"


class Direction(StrEnum):
    """`upstream` is what it is made of, `downstream` what is made of it."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"
    BOTH = "both"


class LineageNode(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset of the catalog, or an external one, of which only its OpenLineage name is known.

    `columns` are those that the edges name; `distance` counts the steps from where the graph begins.
    """

    id: str
    dataset_id: RowId | None
    source_id: RowId | None
    namespace: str | None
    schema: str | None
    name: str
    kind: str
    is_missing: bool
    distance: int
    columns: list[str]


class LineageEdge(msgspec.Struct, frozen=True, kw_only=True):
    """`target` depends on `source`. A column is null where the whole dataset is meant.

    `is_direct`: values flow; otherwise they only decide on something, as filters and foreign keys do. `origin` says who
    told of it: `view`, `foreign_key`, `sql` or `openlineage`.
    """

    source: str
    source_column: str | None
    target: str
    target_column: str | None
    kind: Kind
    is_direct: bool
    masking: bool
    origin: str


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """The graph. `cycles` are groups of datasets that depend on each other in a circle, as far as they are shown.

    `is_cut`: there is more beyond the depth, or more than can be shown.
    """

    root: str
    column: str | None
    direction: Direction
    depth: int
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    cycles: list[list[str]]
    is_cut: bool


class GetLineage(msgspec.Struct, frozen=True, kw_only=True):
    """Over at most `depth` steps; with `column` only what it depends on and what depends on it."""

    dataset_id: RowId
    direction: Direction = Direction.BOTH
    depth: Annotated[int, Meta(ge=1, le=50)] = 3
    column: Annotated[str, Meta(min_length=1, max_length=2000)] | None = None


class _Found(msgspec.Struct):
    """The edges on the way, and how far from the beginning each node is."""

    edges: dict[Told, None]
    distances: dict[str, int]
    is_cut: bool = False


async def get_lineage(context: Context, request: GetLineage) -> Lineage:
    row = await require_dataset(context, request.dataset_id, Permission.READ)
    root = dataset_node(row.id)
    async with context.parts.database.read() as connection:
        if request.column is not None:
            await _require_column(connection, row, request.column)
        found = await _collect(connection, row.workspace_id, root, request)
        if request.column is not None:
            found = await asyncio.to_thread(_of_column, found, root, request)
        cycles = await asyncio.to_thread(_cycles, found.edges)
        nodes = await _nodes(connection, found)
    return Lineage(
        root=root,
        column=request.column,
        direction=request.direction,
        depth=request.depth,
        nodes=nodes,
        edges=[_edge(told) for told in found.edges],
        cycles=cycles,
        is_cut=found.is_cut,
    )


async def _require_column(connection: AsyncConnection, row: catalog.Dataset, name: str) -> None:
    known = (await catalog.columns_of(connection, [row.id], missing=None)).get(row.id, ())
    if all(column.name != name for column in known):
        raise NotFound(f"The dataset {row.full_name!r} has no column {name!r}.", code="no_such_column")


async def _collect(connection: AsyncConnection, workspace_id: str, root: str, request: GetLineage) -> _Found:
    found = _Found({}, {root: 0})
    if request.direction is not Direction.DOWNSTREAM:
        await _walk(connection, workspace_id, root, request.depth, found, up=True)
    if request.direction is not Direction.UPSTREAM:
        await _walk(connection, workspace_id, root, request.depth, found, up=False)
    return found


async def _walk(
    connection: AsyncConnection, workspace_id: str, root: str, depth: int, found: _Found, *, up: bool
) -> None:
    """One query a step: what is next to all that was reached in the step before."""
    reached = {root}
    frontier = [root]
    for distance in range(1, depth + 2):
        room = MOST_EDGES - len(found.edges)
        edges = await lineage_edges.touching(connection, workspace_id, frontier, up=up, down=not up, limit=room + 1)
        if distance > depth or len(edges) > room:
            found.is_cut = found.is_cut or bool(set(edges) - found.edges.keys())
            return
        found.edges.update(dict.fromkeys(edges))
        ends = dict.fromkeys(told.edge.source_node if up else told.edge.target_node for told in edges)
        frontier = [end for end in ends if end not in reached]
        reached.update(frontier)
        for end in frontier:
            found.distances.setdefault(end, distance)
        if not frontier:
            return


# By columns


def _graph(edges: Iterable[Told]) -> LineageGraph:
    told = [each.edge for each in edges]
    named: dict[str, set[str]] = {}
    for edge in told:
        named.setdefault(edge.source_node, set()).add(edge.source_column or _ANY)
        if edge.target_column:
            named.setdefault(edge.target_node, set()).add(edge.target_column)
    graph = LineageGraph()
    for edge in told:
        kind = Kind(edge.kind)
        target = (edge.target_node,)
        if edge.source_column and edge.target_column:
            ends = ColumnRef((edge.source_node,), edge.source_column), ColumnRef(target, edge.target_column)
            graph.add([Edge(*ends, kind, edge.masking)])
            continue
        # What comes from a whole dataset comes from any column of it.
        columns = [edge.source_column] if edge.source_column else sorted(named[edge.source_node])
        graph.add([], [Influence(ColumnRef((edge.source_node,), column), target, kind) for column in columns])
    return graph


def _cycles(edges: Iterable[Told]) -> list[list[str]]:
    return [[name for (name,) in group] for group in _graph(edges).cycles()]


def _of_column(found: _Found, root: str, request: GetLineage) -> _Found:
    """What of it a column has to do with."""
    graph = _graph(found.edges)
    start = ColumnRef((root,), request.column or "")
    links: set[Link] = set()
    distances = {root: 0}
    is_cut = found.is_cut
    for walk, other in ((graph.upstream, Direction.DOWNSTREAM), (graph.downstream, Direction.UPSTREAM)):
        if request.direction is other:
            continue
        reach = walk(start, request.depth, limit=MOST_EDGES)
        links.update(reach.links)
        is_cut = is_cut or reach.is_cut
        for each in reach.columns:
            distances.setdefault(each.column.table[0], each.distance)
        for (table,) in reach.tables:
            distances.setdefault(table, found.distances.get(table, request.depth))
    kept = {told: None for told in found.edges if _is_among(told, links)}
    return _Found(kept, distances, is_cut)


def _is_among(told: Told, links: set[Link]) -> bool:
    edge = told.edge
    target = (edge.target_node,)
    column = edge.target_column or None
    if edge.source_column:
        source = ColumnRef((edge.source_node,), edge.source_column)
        return Link(source, target, column, Kind(edge.kind)) in links
    return any(
        link.source.table == (edge.source_node,) and link.target_table == target and link.target_column is None
        for link in links
    )


# Showing


async def _nodes(connection: AsyncConnection, found: _Found) -> list[LineageNode]:
    columns: dict[str, dict[str, None]] = {node: {} for node in found.distances}
    for told in found.edges:
        for node, column in (
            (told.edge.source_node, told.edge.source_column),
            (told.edge.target_node, told.edge.target_column),
        ):
            if column:
                columns.setdefault(node, {})[column] = None
    numbers = [number_of(node) for node in columns]
    datasets = await catalog.get_many(connection, [number for kind, number in numbers if kind == "dataset"])
    externals = await lineage_edges.externals(connection, [number for kind, number in numbers if kind == "external"])
    shown = [_node(node, datasets, externals, found.distances.get(node, 0), list(columns[node])) for node in columns]
    return sorted(shown, key=lambda node: (node.distance, node.id))


def _node(
    node: str,
    datasets: Mapping[int, catalog.Dataset],
    externals: Mapping[int, lineage_edges.External],
    distance: int,
    columns: list[str],
) -> LineageNode:
    kind, number = number_of(node)
    row = datasets.get(number) if kind == "dataset" else None
    external = externals.get(number) if kind == "external" else None
    name = row.name if row else external.name if external else node
    return LineageNode(
        id=node,
        dataset_id=row.id if row else None,
        source_id=row.source_id if row else None,
        namespace=external.namespace if external else None,
        schema=(row.schema or None) if row else None,
        name=name,
        kind=row.kind if row else kind,
        is_missing=row is not None and row.missing_since is not None,
        distance=distance,
        columns=sorted(columns),
    )


def _edge(told: Told) -> LineageEdge:
    edge = told.edge
    kind = Kind(edge.kind)
    return LineageEdge(
        source=edge.source_node,
        source_column=edge.source_column or None,
        target=edge.target_node,
        target_column=edge.target_column or None,
        kind=kind,
        is_direct=kind.is_direct,
        masking=edge.masking,
        origin=told.origin,
    )


OPERATIONS = (
    Operation(
        "catalog.lineage.get",
        GetLineage,
        Lineage,
        get_lineage,
        "GET /catalog/datasets/{dataset_id}/lineage",
        Permission.SIGNED_IN,
        "Get what a dataset or a column is made of, and what is made of it.",
        errors=(Forbidden,),
    ),
)
