"""The workflow diagram: the shape of its document, what is wrong in one, and its normal form.

A diagram's JSON has four objects: ``meta``, ``nodes`` by id, ``edges`` by "source:port>target:port", ``notes`` by id.
A draft may be invalid while people edit it; what is wrong is listed, and only publishing refuses it. Fields that are
not known here are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pycrdt import Array, Map, Text

from crdt.json_pointer import join_pointer
from crdt.json_values import canonical

ROOTS: Final = ("meta", "nodes", "edges", "notes")
SCHEMA: Final = "workflow/v1"

MAX_NODES: Final = 2_000
MAX_EDGES: Final = 10_000
MAX_NOTES: Final = 2_000
LIMITS: Final = {"nodes": MAX_NODES, "edges": MAX_EDGES, "notes": MAX_NOTES}
MAX_ID: Final = 100

# Nodes of these types may stand in a circle of edges.
LOOP_TYPES: Final = frozenset({"loop"})

# Where two people write in one text, both insertions stay.
_TEXTS: Final = frozenset({("nodes", "name"), ("notes", "text")})
# One value, not two: else the drags of two people could mix.
_PLAIN: Final = frozenset({"position", "size"})
_EDGE_FIELDS: Final = ("source", "source_port", "target", "target_port")

# A message names so many nodes at most.
NAMED: Final = 10
DANGLING: Final = "edge.dangling"

Json = dict[str, Any]
# The ids of the nodes that an edge leads from and to.
Ends = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Violation:
    """Something wrong in a diagram. ``path`` is a JSON pointer; ``severity`` is "error" or "warning"."""

    code: str
    path: str
    message: str
    severity: str = "error"
    node: str | None = None
    edge: str | None = None
    fix: str | None = None

    @property
    def id(self) -> str:
        """Stays the same from one validation to the next as long as the fault does."""
        return f"{self.code}@{self.path}"


def build_shared(value: Any, path: tuple[str, ...]) -> Any:
    """What the document holds for a JSON value that is new at a path: text that people share, maps, plain values."""
    if isinstance(value, str) and len(path) == 3 and (path[0], path[2]) in _TEXTS:
        return Text(value)
    if len(path) == 3 and path[2] in _PLAIN:
        return value
    if isinstance(value, dict):
        return Map({key: build_shared(item, (*path, key)) for key, item in value.items()})
    if isinstance(value, list):
        return Array([build_shared(item, (*path, "")) for item in value])
    return value


def edge_id(edge: Mapping[str, Any]) -> str:
    """The key of an edge, so that the same edge drawn by two people is one."""
    return "{}:{}>{}:{}".format(*(edge.get(field, "") for field in _EDGE_FIELDS))


def validate(diagram: Json) -> list[Violation]:
    """Everything that is wrong in a diagram's shape, in the order of its paths; of one that is too large only that."""
    nodes, edges, notes = (object_of(diagram.get(root)) for root in LIMITS)
    if too_large := list(check_counts({"nodes": len(nodes), "edges": len(edges), "notes": len(notes)})):
        return in_order(too_large)
    ends = {key: ends_of(edge) for key, edge in edges.items()}
    return in_order(
        [
            *check_meta(object_of(diagram.get("meta"))),
            *(found for node_id, node in nodes.items() for found in check_node(node_id, node)),
            *check_parents(nodes),
            *(found for key, edge in edges.items() for found in check_edge(key, edge)),
            *check_graph(ends, nodes),
            *(found for note_id, note in notes.items() for found in check_note(note_id, note)),
        ]
    )


def in_order(found: Iterable[Violation]) -> list[Violation]:
    return sorted(found, key=lambda violation: (violation.path, violation.code))


def object_of(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def check_counts(counts: Mapping[str, int]) -> Iterator[Violation]:
    """`counts` says how many nodes, edges and notes there are."""
    for root, limit in LIMITS.items():
        if counts[root] > limit:
            message = f"{counts[root]} {root}, at most {limit} are allowed"
            yield Violation("diagram.too_large", f"/{root}", message)


def check_meta(meta: Json) -> Iterator[Violation]:
    if not isinstance(meta.get("name", ""), str):
        yield Violation("meta.name", "/meta/name", "the name of the diagram is not text")
    version = meta.get("schema_version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        yield Violation("meta.schema_version", "/meta/schema_version", "the schema version is not a positive number")
    if not isinstance(meta.get("settings", {}), dict):
        yield Violation("meta.settings", "/meta/settings", "the settings are not an object")


def check_node(node_id: str, node: Any) -> Iterator[Violation]:
    """What is wrong in a node whatever else there is."""
    path = join_pointer(["nodes", node_id])
    if not 0 < len(node_id) <= MAX_ID or ":" in node_id or ">" in node_id:
        message = f"a node's id has 1 to {MAX_ID} characters and no ':' or '>'"
        yield Violation("node.id", path, message, node=node_id)
    if not isinstance(node, dict):
        yield Violation("node.shape", path, "the node is not an object", node=node_id)
        return
    if not isinstance(node.get("type"), str) or not node["type"]:
        yield Violation("node.type", f"{path}/type", "the node has no type", node=node_id)
    if not isinstance(node.get("name", ""), str):
        yield Violation("node.name", f"{path}/name", "the name is not text", node=node_id)
    if not isinstance(node.get("disabled", False), bool):
        yield Violation("node.disabled", f"{path}/disabled", "disabled is neither true nor false", node=node_id)
    for field in ("params", "policy"):
        if not isinstance(node.get(field, {}), dict):
            yield Violation(f"node.{field}", f"{path}/{field}", f"the {field} are not an object", node=node_id)
    if not _is_position(node.get("position")):
        fix = "give the node a position of two numbers, x and y"
        yield Violation("node.position", f"{path}/position", "the node has no position", "warning", node_id, fix=fix)


def _is_position(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all(isinstance(value.get(axis), int | float) and not isinstance(value[axis], bool) for axis in ("x", "y"))


def check_parents(nodes: Json) -> Iterator[Violation]:
    """Groups that are not there, and nodes that are inside of themselves."""
    parents = {node_id: object_of(node).get("parent") for node_id, node in nodes.items()}
    inside = _inside_themselves({child: parent for child, parent in parents.items() if isinstance(parent, str)})
    for node_id, parent in parents.items():
        path = join_pointer(["nodes", node_id, "parent"])
        if node_id in inside:
            yield Violation("node.parent_cycle", path, "the node is inside of itself", node=node_id)
        elif parent is not None and not (isinstance(parent, str) and parent in nodes):
            message = "the group that the node is in does not exist"
            yield Violation("node.parent", path, message, node=node_id, fix="take the node out of the group")


def _inside_themselves(parents: Mapping[str, str]) -> set[str]:
    """The nodes from which one comes back to them, from child to parent. Each node is walked over once."""
    inside: set[str] = set()
    seen: set[str] = set()
    for start in parents:
        way: dict[str, int] = {}
        at: str | None = start
        while at is not None and at not in seen:
            seen.add(at)
            way[at] = len(way)
            at = parents.get(at)
        if at in way:
            inside.update(list(way)[way[at] :])
    return inside


def ends_of(edge: Any) -> Ends | None:
    """The nodes that an edge leads from and to; None for what is no edge."""
    if not isinstance(edge, dict) or not all(isinstance(edge.get(field, ""), str) for field in _EDGE_FIELDS):
        return None
    return edge.get("source", ""), edge.get("target", "")


def check_edge(key: str, edge: Any) -> Iterator[Violation]:
    """What is wrong in an edge whatever else there is."""
    path = join_pointer(["edges", key])
    if ends_of(edge) is None:
        yield Violation("edge.shape", path, "the edge is not an object of texts", edge=key)
    elif edge_id(edge) != key:
        message = "the edge is not under the key that its ends make"
        yield Violation("edge.key", path, message, edge=key, fix=f"move it to {edge_id(edge)!r}")


def check_graph(ends: Mapping[str, Ends | None], nodes: Json) -> Iterator[Violation]:
    """Edges that lead nowhere, and circles. `ends` are those of the edges by key."""
    targets: dict[str, set[str]] = {}
    for key, pair in ends.items():
        if pair is None:
            continue
        missing = [end for end in pair if end not in nodes]
        if missing:
            message = f"the edge leads from or to a node that does not exist: {', '.join(map(repr, missing))}"
            yield Violation(DANGLING, join_pointer(["edges", key]), message, edge=key, fix="remove the edge")
        else:
            targets.setdefault(pair[0], set()).add(pair[1])
    for cycle in _circles(targets):
        if not any(object_of(nodes[node]).get("type") in LOOP_TYPES for node in cycle):
            more = f" and {len(cycle) - NAMED} more" if len(cycle) > NAMED else ""
            message = f"the nodes run in a circle without a loop node: {', '.join(map(repr, cycle[:NAMED]))}{more}"
            yield Violation("graph.cycle", join_pointer(["nodes", cycle[0]]), message, node=cycle[0])


def _circles(targets: dict[str, set[str]]) -> Iterator[list[str]]:
    """The strongly connected components that hold an edge, sorted (Tarjan's algorithm, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    for root in sorted(targets):
        if root in index:
            continue
        work: list[tuple[str, Iterator[str]]] = [(root, iter(sorted(targets[root])))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            following = next(rest, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = stack[stack.index(node) :]
                    del stack[-len(component) :]
                    on_stack.difference_update(component)
                    if len(component) > 1 or node in targets.get(node, ()):
                        yield sorted(component)
            elif following not in index:
                index[following] = low[following] = len(index)
                stack.append(following)
                on_stack.add(following)
                work.append((following, iter(sorted(targets.get(following, ())))))
            elif following in on_stack:
                low[node] = min(low[node], index[following])


def check_note(note_id: str, note: Any) -> Iterator[Violation]:
    if not isinstance(note, dict) or not isinstance(note.get("text", ""), str):
        yield Violation("note.shape", join_pointer(["notes", note_id]), "the note is not an object with a text")


def normalise(diagram: Json) -> Json:
    """The diagram in its normal form: what it does, and apart from that, under ``layout``, how it looks."""
    meta = object_of(diagram.get("meta"))
    nodes, layout = _apart(object_of(diagram.get("nodes")))
    return {
        "schema": SCHEMA,
        "name": meta.get("name", ""),
        "settings": meta.get("settings", {}),
        "nodes": nodes,
        "edges": {key: edge for key, edge in object_of(diagram.get("edges")).items() if isinstance(edge, dict)},
        "layout": {"nodes": layout, "notes": object_of(diagram.get("notes"))},
    }


def _apart(nodes: Json) -> tuple[Json, Json]:
    """Nodes without their looks, and their looks."""
    bare: Json = {}
    looks: Json = {}
    for node_id, node in nodes.items():
        if isinstance(node, dict):
            bare[node_id] = bare_node(node)
            looks[node_id] = {key: value for key, value in node.items() if key in _PLAIN}
    return bare, looks


def bare_node(node: Json) -> Json:
    """A node without its looks, as it is in the normal form."""
    return {key: value for key, value in node.items() if key not in _PLAIN}


def canonical_json(diagram: Json) -> bytes:
    """The normal form as JSON: the same bytes for the same diagram."""
    return canonical(normalise(diagram))


def fingerprint(diagram: Json) -> str:
    """SHA-256, in hex, of what the diagram does; moving things about does not change it."""
    form = normalise(diagram)
    del form["layout"]
    return hashlib.sha256(canonical(form)).hexdigest()
