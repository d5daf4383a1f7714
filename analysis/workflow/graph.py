"""A workflow's diagram as a graph: edges by port, an order of the nodes, what is upstream of each, bodies of loops.

What runs once for each item of a loop, its body, is what can be reached from the loop's ``item`` without going through
the loop. Edges from the body into the loop's ``next`` close the round: in the order of the nodes they do not count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

LOOP: Final = "loop"
ITEM: Final = "item"
NEXT: Final = "next"
START: Final = "start"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Edge:
    id: str
    source: str
    source_port: str
    target: str
    target_port: str


class Graph:
    """Nodes and the edges whose ends are there. Nothing here fails on a diagram that has faults."""

    def __init__(self, nodes: Mapping[str, Json], edges: Mapping[str, Edge]) -> None:
        self.nodes = nodes
        self.edges: dict[str, Edge] = {}
        self.outgoing: dict[str, list[Edge]] = defaultdict(list)
        self.incoming: dict[str, list[Edge]] = defaultdict(list)
        for edge_id in sorted(edges):
            edge = edges[edge_id]
            if edge.source in nodes and edge.target in nodes:
                self.edges[edge_id] = edge
                self.outgoing[edge.source].append(edge)
                self.incoming[edge.target].append(edge)

    @classmethod
    def of(cls, form: Json) -> Graph:
        """The graph of a diagram's normal form, workflow/v1."""
        nodes = {node_id: node for node_id, node in _object(form.get("nodes")).items() if isinstance(node, dict)}
        return cls(nodes, read_edges(_object(form.get("edges"))))

    def by_port(self, node: str) -> dict[str, list[Edge]]:
        """The edges that leave a node, by its port; edges by id."""
        ports: dict[str, list[Edge]] = defaultdict(list)
        for edge in self.outgoing.get(node, ()):
            ports[edge.source_port].append(edge)
        return dict(ports)

    def of_type(self, node_type: str) -> list[str]:
        return sorted(node for node, value in self.nodes.items() if value.get("type") == node_type)

    @cached_property
    def bodies(self) -> dict[str, frozenset[str]]:
        """The body of each loop."""
        return {loop: self._body(loop) for loop in self.of_type(LOOP)}

    @cached_property
    def loops_of(self) -> dict[str, tuple[str, ...]]:
        """The loops that each node is in the body of, the outermost first; nodes in none are left out."""
        around: dict[str, list[str]] = defaultdict(list)
        for loop, body in sorted(self.bodies.items(), key=lambda item: (-len(item[1]), item[0])):
            for node in body:
                around[node].append(loop)
        return {node: tuple(loops) for node, loops in around.items()}

    @cached_property
    def closing(self) -> frozenset[str]:
        """Ids of the edges that close a loop's round."""
        return frozenset(
            edge.id
            for loop, body in self.bodies.items()
            for edge in self.incoming.get(loop, ())
            if edge.target_port == NEXT and edge.source in body
        )

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Each node after those upstream of it, always the same. Nodes in or behind a circle are not in it."""
        waiting = dict.fromkeys(self.nodes, 0)
        for edge in self._forward:
            waiting[edge.target] += 1
        ready = sorted((node for node, count in waiting.items() if not count), reverse=True)
        ordered: list[str] = []
        while ready:
            node = ready.pop()
            ordered.append(node)
            freed = []
            for edge in self.outgoing.get(node, ()):
                if edge.id not in self.closing:
                    waiting[edge.target] -= 1
                    if not waiting[edge.target]:
                        freed.append(edge.target)
            ready.extend(sorted(freed, reverse=True))
        return tuple(ordered)

    @cached_property
    def _forward(self) -> list[Edge]:
        return [edge for edge in self.edges.values() if edge.id not in self.closing]

    def is_upstream(self, node: str, of: str) -> bool:
        """Whether every run that comes to `of` may have been at `node` before."""
        return node in self._places and bool(self._above.get(of, 0) >> self._places[node] & 1)

    def upstream(self, of: str) -> frozenset[str]:
        above = self._above.get(of, 0)
        return frozenset(node for node, place in self._places.items() if above >> place & 1)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {node: place for place, node in enumerate(self.order)}

    @cached_property
    def _above(self) -> dict[str, int]:
        """What is upstream of each node as bits: a thousand nodes are a thousand short additions."""
        above: dict[str, int] = {}
        for node in self.order:
            bits = 0
            for edge in self.incoming.get(node, ()):
                if edge.id not in self.closing:
                    bits |= above[edge.source] | 1 << self._places[edge.source]
            above[node] = bits
        return above

    def reachable(self, starts: Iterable[str], *, without: str | None = None) -> set[str]:
        """The starts and what can be reached from them, without going through one node."""
        seen = {node for node in starts if node != without}
        work = list(seen)
        while work:
            for edge in self.outgoing.get(work.pop(), ()):
                if edge.target not in seen and edge.target != without:
                    seen.add(edge.target)
                    work.append(edge.target)
        return seen

    def _body(self, loop: str) -> frozenset[str]:
        firsts = [edge.target for edge in self.outgoing.get(loop, ()) if edge.source_port == ITEM]
        return frozenset(self.reachable(firsts, without=loop))


def read_edges(edges: Mapping[str, Any]) -> dict[str, Edge]:
    """The edges of a document, without what is none."""
    found = ((edge_id, read_edge(edge_id, value)) for edge_id, value in edges.items())
    return {edge_id: edge for edge_id, edge in found if edge is not None}


def read_edge(edge_id: str, value: Any) -> Edge | None:
    """An edge of the document; None for what is none."""
    if not isinstance(value, dict):
        return None
    ends = [value.get(name, "") for name in ("source", "source_port", "target", "target_port")]
    if not all(isinstance(end, str) for end in ends):
        return None
    return Edge(edge_id, *ends)


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
