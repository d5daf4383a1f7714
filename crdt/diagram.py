"""The workflow diagram: the shape of its document, what is wrong in one, and its normal form.

A diagram's JSON has four objects: ``meta``, ``nodes`` by id, ``edges`` by "source:port>target:port", ``notes`` by id.
A draft may be invalid while people edit it; what is wrong is listed, and only publishing refuses it. Fields that are
not known here are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
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
MAX_ID: Final = 100

# Nodes of these types may stand in a circle of edges.
LOOP_TYPES: Final = frozenset({"loop"})

# Where two people write in one text, both insertions stay.
_TEXTS: Final = frozenset({("nodes", "name"), ("notes", "text")})
# One value, not two: else the drags of two people could mix.
_PLAIN: Final = frozenset({"position", "size"})
_EDGE_FIELDS: Final = ("source", "source_port", "target", "target_port")

Json = dict[str, Any]


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
    """Everything that is wrong in a diagram's shape, in the order of its paths."""
    found = [
        *_limits(diagram),
        *_meta(_object(diagram.get("meta"))),
        *_nodes(_object(diagram.get("nodes"))),
        *_edges(_object(diagram.get("edges")), _object(diagram.get("nodes"))),
        *_notes(_object(diagram.get("notes"))),
    ]
    return sorted(found, key=lambda violation: (violation.path, violation.code))


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _limits(diagram: Json) -> Iterator[Violation]:
    for root, limit in (("nodes", MAX_NODES), ("edges", MAX_EDGES), ("notes", MAX_NOTES)):
        count = len(_object(diagram.get(root)))
        if count > limit:
            yield Violation("diagram.too_large", f"/{root}", f"{count} {root}, at most {limit} are allowed")


def _meta(meta: Json) -> Iterator[Violation]:
    if not isinstance(meta.get("name", ""), str):
        yield Violation("meta.name", "/meta/name", "the name of the diagram is not text")
    version = meta.get("schema_version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        yield Violation("meta.schema_version", "/meta/schema_version", "the schema version is not a positive number")
    if not isinstance(meta.get("settings", {}), dict):
        yield Violation("meta.settings", "/meta/settings", "the settings are not an object")


def _nodes(nodes: Json) -> Iterator[Violation]:
    for node_id, node in nodes.items():
        path = join_pointer(["nodes", node_id])
        if not 0 < len(node_id) <= MAX_ID or ":" in node_id or ">" in node_id:
            message = f"a node's id has 1 to {MAX_ID} characters and no ':' or '>'"
            yield Violation("node.id", path, message, node=node_id)
        if not isinstance(node, dict):
            yield Violation("node.shape", path, "the node is not an object", node=node_id)
            continue
        yield from _node_fields(node_id, node, path)
        yield from _node_parent(node_id, node, nodes, path)


def _node_fields(node_id: str, node: Json, path: str) -> Iterator[Violation]:
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


def _node_parent(node_id: str, node: Json, nodes: Json, path: str) -> Iterator[Violation]:
    parent = node.get("parent")
    if parent is None:
        return
    if not isinstance(parent, str) or parent not in nodes:
        message = "the group that the node is in does not exist"
        yield Violation("node.parent", f"{path}/parent", message, node=node_id, fix="take the node out of the group")
    elif _is_inside_itself(node_id, nodes):
        yield Violation("node.parent_cycle", f"{path}/parent", "the node is inside of itself", node=node_id)


def _is_inside_itself(node_id: str, nodes: Json) -> bool:
    seen: set[str] = set()
    at: Any = node_id
    while isinstance(at, str) and at in nodes and at not in seen:
        seen.add(at)
        at = _object(nodes[at]).get("parent")
    return bool(at == node_id)


def _edges(edges: Json, nodes: Json) -> Iterator[Violation]:
    targets: dict[str, set[str]] = {}
    for key, edge in edges.items():
        path = join_pointer(["edges", key])
        if not isinstance(edge, dict) or not all(isinstance(edge.get(field, ""), str) for field in _EDGE_FIELDS):
            yield Violation("edge.shape", path, "the edge is not an object of texts", edge=key)
            continue
        if edge_id(edge) != key:
            message = "the edge is not under the key that its ends make"
            yield Violation("edge.key", path, message, edge=key, fix=f"move it to {edge_id(edge)!r}")
        ends = [str(edge.get(field, "")) for field in ("source", "target")]
        missing = [end for end in ends if end not in nodes]
        if missing:
            message = f"the edge leads from or to a node that does not exist: {', '.join(map(repr, missing))}"
            yield Violation("edge.dangling", path, message, edge=key, fix="remove the edge")
        else:
            targets.setdefault(ends[0], set()).add(ends[1])
    yield from _cycles(targets, nodes)


def _cycles(targets: dict[str, set[str]], nodes: Json) -> Iterator[Violation]:
    for cycle in _circles(targets):
        if not any(_object(nodes[node]).get("type") in LOOP_TYPES for node in cycle):
            message = f"the nodes run in a circle without a loop node: {', '.join(map(repr, cycle))}"
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


def _notes(notes: Json) -> Iterator[Violation]:
    for note_id, note in notes.items():
        path = join_pointer(["notes", note_id])
        if not isinstance(note, dict) or not isinstance(note.get("text", ""), str):
            yield Violation("note.shape", path, "the note is not an object with a text")


def normalise(diagram: Json) -> Json:
    """The diagram in its normal form: what it does, and apart from that, under ``layout``, how it looks."""
    meta = _object(diagram.get("meta"))
    nodes, layout = _apart(_object(diagram.get("nodes")))
    return {
        "schema": SCHEMA,
        "name": meta.get("name", ""),
        "settings": meta.get("settings", {}),
        "nodes": nodes,
        "edges": {key: edge for key, edge in _object(diagram.get("edges")).items() if isinstance(edge, dict)},
        "layout": {"nodes": layout, "notes": _object(diagram.get("notes"))},
    }


def _apart(nodes: Json) -> tuple[Json, Json]:
    """Nodes without their looks, and their looks."""
    bare: Json = {}
    looks: Json = {}
    for node_id, node in nodes.items():
        if isinstance(node, dict):
            bare[node_id] = {key: value for key, value in node.items() if key not in _PLAIN}
            looks[node_id] = {key: value for key, value in node.items() if key in _PLAIN}
    return bare, looks


def canonical_json(diagram: Json) -> bytes:
    """The normal form as JSON: the same bytes for the same diagram."""
    return canonical(normalise(diagram))


def fingerprint(diagram: Json) -> str:
    """SHA-256, in hex, of what the diagram does; moving things about does not change it."""
    form = normalise(diagram)
    del form["layout"]
    return hashlib.sha256(canonical(form)).hexdigest()
