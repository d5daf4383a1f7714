"""The lineage of a workspace as a whole: how large it is, where it begins and ends, and what is used most."""

from __future__ import annotations

import msgspec

from analysis.lineage.shape import shape_of
from handlers.names import RowId, WorkspaceId
from handlers.registry import Context, Instant, Operation, Permission, Watched
from storage import dashboard_lineage as facts

# More than a workspace of tens of thousands of datasets has, and a worker's few seconds.
MOST_EDGES = 500_000


class GetLineage(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId = "default"


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset of the catalog, or one that was only heard of: then `dataset_id` and `name` are null."""

    node: str
    dataset_id: RowId | None
    name: str | None


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """`users` are the datasets that take directly from it."""

    node: Node
    users: int


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Who told of edges: `view`, `foreign_key`, `sql` or `openlineage`."""

    origin: str
    edges: int
    column_edges: int


class LineageSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Datasets and what flows between them; foreign keys are told under `origins`, but are no flow.

    `roots` take from nothing, `leaves` give to nothing. In the longest chain stands one dataset of each cycle. At most
    20 cycles with 20 members each are shown, and 20 most used. `is_cut` says that there are more edges than were
    looked at. `datasets` are all of the catalog, `unconnected` those that nothing flows into or out of.
    """

    workspace_id: WorkspaceId
    as_of: Instant
    datasets: int
    datasets_with_problems: int
    connected: int
    externals: int
    unconnected: int
    flows: int
    self_flows: int
    origins: list[Origin]
    roots: int
    leaves: int
    longest_chain: list[Node]
    cycle_count: int
    cycles: list[list[Node]]
    most_used: list[Used]
    is_cut: bool


async def get_lineage(context: Context, request: GetLineage) -> LineageSummary:
    workspace_id, now = request.workspace_id, context.now()
    async with context.parts.database.read() as connection:
        total, problems = await facts.datasets(connection, workspace_id)
        origins = await facts.edge_counts(connection, workspace_id)
        pairs = await facts.edges(connection, workspace_id, most=MOST_EDGES)
    shape = await context.parts.workers.run(shape_of, pairs.tobytes())
    shown = {*shape.longest_chain, *(node for cycle in shape.cycles for node in cycle)}
    shown |= {node for node, _ in shape.most_used}
    async with context.parts.database.read() as connection:
        names = await facts.names(connection, workspace_id, [node for node in shown if node > 0])
    return LineageSummary(
        workspace_id=workspace_id,
        as_of=now,
        datasets=total,
        datasets_with_problems=problems,
        connected=shape.nodes - shape.externals,
        externals=shape.externals,
        unconnected=total - (shape.nodes - shape.externals),
        flows=shape.edges,
        self_flows=shape.self_edges,
        origins=[Origin(origin=name, edges=all_, column_edges=cols) for name, (all_, cols) in sorted(origins.items())],
        roots=shape.roots,
        leaves=shape.leaves,
        longest_chain=[_node(node, names) for node in shape.longest_chain],
        cycle_count=shape.cycle_count,
        cycles=[[_node(node, names) for node in cycle] for cycle in shape.cycles],
        most_used=[Used(node=_node(node, names), users=users) for node, users in shape.most_used],
        is_cut=len(pairs) // 2 >= MOST_EDGES,
    )


def _node(number: int, names: dict[int, str]) -> Node:
    if number < 0:
        return Node(node=f"external:{-number}", dataset_id=None, name=None)
    return Node(node=f"dataset:{number}", dataset_id=number, name=names.get(number))


OPERATIONS = (
    Operation(
        "dashboard.lineage",
        GetLineage,
        LineageSummary,
        get_lineage,
        "GET /dashboard/lineage",
        Permission.READ,
        "Get the shape of a workspace's lineage.",
        watched=Watched(frozenset({"data_sources", "catalog"})),
    ),
)
