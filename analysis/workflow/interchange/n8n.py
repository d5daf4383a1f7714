"""Workflows of n8n read as ours, as far as that goes: what has no counterpart is a placeholder that keeps the original.

An n8n file has ``nodes``, a list, and ``connections``: by the name of a node, by kind (``main``), by output, the inputs
they lead to. There each edge into a node runs it; here arms meet in a join, which is put in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from analysis.workflow.graph import NEXT, Graph
from analysis.workflow.interchange.n8n_expressions import Names
from analysis.workflow.interchange.n8n_nodes import Converted, convert, gives, is_loop, is_trigger, item_output
from analysis.workflow.node_types import ERROR_PORT, NODE_TYPES

MOST_NODES: Final = 2_000

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_NOTE: Final = "n8n-nodes-base.stickyNote"

Json = dict[str, Any]


class N8nNode(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is read of a node; the whole of it is kept in a placeholder."""

    name: Annotated[str, Meta(min_length=1, max_length=1000)]
    type: Annotated[str, Meta(min_length=1, max_length=300)]
    id: str = ""
    type_version: float = 1
    position: list[float] = msgspec.field(default_factory=list)
    parameters: Json = msgspec.field(default_factory=dict)
    disabled: bool = False
    retry_on_fail: bool = False
    max_tries: Annotated[int, Meta(ge=1)] = 3
    wait_between_tries: Annotated[float, Meta(ge=0)] = 1000
    on_error: str = "stopWorkflow"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    node: str


class N8nFile(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""
    nodes: Annotated[list[Json], Meta(max_length=MOST_NODES)]
    connections: dict[str, dict[str, list[list[Target] | None]]] = msgspec.field(default_factory=dict)


class NotN8nError(ValueError):
    """What was given is no workflow of n8n; the message says where it is not."""


@dataclass(frozen=True, slots=True)
class Imported:
    """`form` is the normal form, workflow/v1; `placeholders` has the ids of the nodes without a counterpart."""

    form: Json
    placeholders: tuple[str, ...]


def from_n8n(document: Any) -> Imported:
    """Raises NotN8nError."""
    try:
        file = msgspec.convert(document, N8nFile)
        nodes = [msgspec.convert(node, N8nNode) for node in file.nodes]
    except msgspec.ValidationError as error:
        raise NotN8nError(f"this is no workflow of n8n: {error}") from None
    return _Import(file, nodes).imported()


class _Import:
    """Of one file."""

    def __init__(self, file: N8nFile, nodes: list[N8nNode]) -> None:
        self._file = file
        self._nodes = {node.name: node for node in nodes if node.type != _NOTE}
        self._originals = {str(original.get("name")): original for original in file.nodes}
        self._notes = [node for node in nodes if node.type == _NOTE]
        self._ids = dict(_ids(list(self._nodes.values())))
        self._into = self._incoming()
        self._given = {
            name: gives(node.type, self._ids[name]) for name, node in self._nodes.items() if not is_loop(node.type)
        }
        self._converted: dict[str, Converted] = {}
        self._form_nodes: Json = {}
        self._edges: Json = {}
        self._layout: Json = {}

    def imported(self) -> Imported:
        started = False
        for name, node in self._nodes.items():
            self._add(name, node, started=started)
            started = started or self._form_nodes[self._ids[name]]["type"] == "start"
        for source, output, target in self._connections():
            self._connect(source, output, target)
        self._close_loops()
        self._join()
        form = {
            "schema": "workflow/v1",
            "name": self._file.name,
            "settings": {},
            "nodes": self._form_nodes,
            "edges": self._edges,
            "layout": {"nodes": self._layout, "notes": dict(self._sticky())},
        }
        placeholders = sorted(node for node, value in self._form_nodes.items() if value["type"] == "placeholder")
        return Imported(form, tuple(placeholders))

    def _add(self, name: str, node: N8nNode, *, started: bool) -> None:
        found = None
        if not (is_trigger(node.type) and started):
            found = convert(node.type, node.type_version, node.parameters, self._names(name))
        kept = {"source": "n8n", "original": self._originals[name]}
        self._converted[name] = converted = found or Converted("placeholder", kept, ("out",))
        value = {
            "type": converted.type,
            "type_version": NODE_TYPES[converted.type].version,
            "name": name,
            # A placeholder does nothing, and says so until another takes its place.
            "disabled": node.disabled or found is None,
            "params": converted.params,
            "policy": _policy(node) if NODE_TYPES[converted.type].executable else {},
        }
        self._form_nodes[self._ids[name]] = value
        self._layout[self._ids[name]] = {"position": _position(node)}

    def _names(self, name: str) -> Names:
        """What the expressions of a node see."""
        into = self._into.get(name, [])
        items = {
            source: "item"
            for source, output in into
            if is_loop((node := self._nodes[source]).type) and output == item_output(node.type_version)
        }
        given = {**self._given, **items} if items else self._given
        sources = {source for source, _ in into}
        if is_loop(self._nodes[name].type):
            # What closes the round of a loop brings nothing into it.
            sources -= self._after(name)
        return Names(given.get(sources.pop()) if len(sources) == 1 else None, given)

    def _after(self, name: str) -> set[str]:
        """The nodes that a node leads to."""
        seen: set[str] = set()
        work = [name]
        while work:
            for outputs in self._file.connections.get(work.pop(), {}).get("main", []):
                new = {target.node for target in outputs or ()} - seen
                seen |= new
                work += new
        return seen

    def _incoming(self) -> dict[str, list[tuple[str, int]]]:
        into: dict[str, list[tuple[str, int]]] = {}
        for source, output, target in self._connections():
            into.setdefault(target, []).append((source, output))
        return into

    def _connections(self) -> Iterator[tuple[str, int, str]]:
        for source, kinds in self._file.connections.items():
            for output, targets in enumerate(kinds.get("main", [])):
                for target in targets or ():
                    if source in self._nodes and target.node in self._nodes:
                        yield source, output, target.node

    def _connect(self, source: str, output: int, target: str) -> None:
        ports = self._converted[source].outputs
        if self._form_nodes[self._ids[source]]["policy"].get("on_error") == "branch":
            ports = (*ports, ERROR_PORT)
        if ports and NODE_TYPES[self._converted[target].type].inputs:
            self._draw(self._ids[source], ports[min(output, len(ports) - 1)], self._ids[target], "in")

    def _draw(self, source: str, source_port: str, target: str, target_port: str) -> None:
        edge = {"source": source, "source_port": source_port, "target": target, "target_port": target_port}
        self._edges[f"{source}:{source_port}>{target}:{target_port}"] = edge

    def _close_loops(self) -> None:
        """There a loop is closed by an edge into its only input, here by one into `next`."""
        graph = Graph.of({"nodes": self._form_nodes, "edges": self._edges})
        for loop, body in graph.bodies.items():
            for edge in graph.incoming.get(loop, ()):
                if edge.source in body:
                    del self._edges[edge.id]
                    self._draw(edge.source, edge.source_port, loop, NEXT)

    def _join(self) -> None:
        graph = Graph.of({"nodes": self._form_nodes, "edges": self._edges})
        for node, incoming in list(graph.incoming.items()):
            takes = {port.name: port.many for port in NODE_TYPES[self._form_nodes[node]["type"]].inputs}
            into = [edge for edge in incoming if edge.target_port == "in"]
            if len(into) < 2 or takes["in"]:
                continue
            join = self._new_id(f"join_{node[:90]}")
            params = {"mode": "any"}
            self._form_nodes[join] = {"type": "join", "type_version": 1, "name": "Join", "params": params, "policy": {}}
            place = self._layout[node]["position"]
            self._layout[join] = {"position": {"x": place["x"] - 80, "y": place["y"]}}
            for edge in into:
                del self._edges[edge.id]
                self._draw(edge.source, edge.source_port, join, "in")
            self._draw(join, "out", node, "in")

    def _new_id(self, wanted: str) -> str:
        return next(
            found for at in range(len(self._form_nodes) + 1) if (found := wanted + "_" * at) not in self._form_nodes
        )

    def _sticky(self) -> Iterator[tuple[str, Json]]:
        for at, note in enumerate(self._notes, 1):
            yield f"note{at}", {"text": str(note.parameters.get("content", "")), "position": _position(note)}


def _ids(nodes: list[N8nNode]) -> Iterator[tuple[str, str]]:
    """Their own, where expressions can name them, else by count."""
    taken: set[str] = set()
    for at, node in enumerate(nodes, 1):
        found = node.id if _ID.fullmatch(node.id) and node.id not in taken else f"node{at}"
        while found in taken:
            found += "_"
        taken.add(found)
        yield node.name, found


def _position(node: N8nNode) -> Json:
    x, y = node.position if len(node.position) == 2 else (0, 0)
    return {"x": x, "y": y}


def _policy(node: N8nNode) -> Json:
    policy: Json = {}
    if node.retry_on_fail:
        policy |= {"retry_max": min(node.max_tries - 1, 20), "interval": min(node.wait_between_tries / 1000, 86_400)}
    if node.on_error == "continueRegularOutput":
        policy["on_error"] = "continue"
    elif node.on_error == "continueErrorOutput":
        policy["on_error"] = "branch"
    return policy
