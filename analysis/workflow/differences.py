"""What changed from one version of a workflow to another: nodes by parameter, edges. Moving things is no change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from analysis.workflow.violations import pointer

Json = dict[str, Any]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Of one value. `path` is a JSON pointer from what changed; `before` or `after` is null where there was none."""

    path: str
    kind: Literal["added", "removed", "changed"]
    before: Any = None
    after: Any = None


class NodeChange(msgspec.Struct, frozen=True, kw_only=True):
    """Of a node that is in both; `name` and `type` as they are after."""

    id: str
    name: str
    type: str
    changes: tuple[Change, ...]


class NodeSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A node that only one of the two has."""

    id: str
    name: str
    type: str


class EdgeChange(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    changes: tuple[Change, ...]


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """All by id. `workflow` has what changed of the name and the settings; `layout_changed` says that things moved."""

    nodes_added: tuple[NodeSeen, ...]
    nodes_removed: tuple[NodeSeen, ...]
    nodes_changed: tuple[NodeChange, ...]
    edges_added: tuple[str, ...]
    edges_removed: tuple[str, ...]
    edges_changed: tuple[EdgeChange, ...]
    workflow: tuple[Change, ...]
    layout_changed: bool


def differences(before: Json, after: Json) -> Differences:
    """Of two normal forms, workflow/v1."""
    old_nodes, new_nodes = _object(before.get("nodes")), _object(after.get("nodes"))
    old_edges, new_edges = _object(before.get("edges")), _object(after.get("edges"))
    return Differences(
        nodes_added=tuple(_seen(node, new_nodes[node]) for node in sorted(new_nodes.keys() - old_nodes.keys())),
        nodes_removed=tuple(_seen(node, old_nodes[node]) for node in sorted(old_nodes.keys() - new_nodes.keys())),
        nodes_changed=tuple(_nodes(old_nodes, new_nodes)),
        edges_added=tuple(sorted(new_edges.keys() - old_edges.keys())),
        edges_removed=tuple(sorted(old_edges.keys() - new_edges.keys())),
        edges_changed=tuple(_edges(old_edges, new_edges)),
        workflow=tuple(_changes(_whole(before), _whole(after))),
        layout_changed=before.get("layout") != after.get("layout"),
    )


def _whole(form: Json) -> Json:
    return {key: value for key, value in form.items() if key not in ("nodes", "edges", "layout")}


def _nodes(before: Json, after: Json) -> Iterator[NodeChange]:
    for node_id in sorted(before.keys() & after.keys()):
        changes = tuple(_changes(before[node_id], after[node_id]))
        if changes:
            seen = _seen(node_id, after[node_id])
            yield NodeChange(id=node_id, name=seen.name, type=seen.type, changes=changes)


def _edges(before: Json, after: Json) -> Iterator[EdgeChange]:
    for edge_id in sorted(before.keys() & after.keys()):
        changes = tuple(_changes(before[edge_id], after[edge_id]))
        if changes:
            yield EdgeChange(id=edge_id, changes=changes)


def _seen(node_id: str, node: Any) -> NodeSeen:
    fields = _object(node)
    return NodeSeen(id=node_id, name=str(fields.get("name", "")), type=str(fields.get("type", "")))


def _changes(before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[Change]:
    """Down to single values of objects; lists and texts are one value."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            at = (*path, key)
            if key not in before:
                yield Change(path=pointer(*at), kind="added", after=after[key])
            elif key not in after:
                yield Change(path=pointer(*at), kind="removed", before=before[key])
            else:
                yield from _changes(before[key], after[key], at)
    elif before != after or isinstance(before, bool) is not isinstance(after, bool):
        yield Change(path=pointer(*path), kind="changed", before=before, after=after)


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
