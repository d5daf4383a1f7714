"""The nodes that serve this installation, as each of them knows the others."""

from __future__ import annotations

import msgspec

from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Context, Instant, Operation, Page, Permission
from storage.bus.directory import Sighting


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A process that serves. `connections` counts WebSockets, `rooms` documents in memory.

    `last_heartbeat` is when the answering node last heard of it, `age_seconds` how long ago that was: more than a few
    only while the bus between nodes is away. `is_self` is true of the node that answers.
    """

    node_id: str
    host: str
    address: str
    pid: int
    version: str
    started_at: Instant
    connections: int
    rooms: int
    draining: bool
    last_heartbeat: Instant
    age_seconds: float
    is_self: bool


class ListNodes(msgspec.Struct, frozen=True, kw_only=True):
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


async def list_nodes(context: Context, request: ListNodes) -> Page[Node]:
    after = decode_cursor("nodes", request.cursor, str)
    found = [sighting for sighting in context.parts.nodes.nodes() if after is None or sighting.card.node_id > after]
    return page_of(
        found[: request.limit + 1],
        request.limit,
        "nodes",
        key=lambda sighting: sighting.card.node_id,
        item=lambda sighting: _shown(context, sighting),
    )


def _shown(context: Context, sighting: Sighting) -> Node:
    card = sighting.card
    return Node(
        **msgspec.structs.asdict(card),
        last_heartbeat=sighting.heard_at,
        age_seconds=max(0.0, (context.now() - sighting.heard_at).total_seconds()),
        is_self=card.node_id == context.parts.nodes.node_id,
    )


OPERATIONS = (
    Operation(
        "nodes.list",
        ListNodes,
        Page[Node],
        list_nodes,
        "GET /nodes",
        Permission.SERVER_ADMIN,
        "List the nodes that serve this installation.",
    ),
)
