"""Which nodes of a graph are to run next: pure, and the same for the same outcomes in the same order.

A node runs when each of its ways in has come or can no longer come, and at least one has; a join of the mode `any` with
the first that comes. Where none can come any more it is skipped, and so is what only it leads to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from analysis.workflow.graph import ITEM, START, Edge, Graph


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be done, and what will not be, each in the order of the graph."""

    ready: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


class Flow:
    """The way through one scope: the graph without the bodies of its loops, or the body of a loop for one item."""

    def __init__(self, graph: Graph, loop: str | None = None) -> None:
        self._graph = graph
        self._loop = loop
        self.nodes = scope_of(graph, loop)
        self._inside = frozenset(self.nodes)
        # By edge, whether it was gone along. An edge that is not here is not decided.
        self._gone: dict[str, bool] = {}
        self._decided: set[str] = set()

    def start(self) -> Turn:
        """The nodes that a run begins with."""
        if self._loop is not None:
            self._gone |= {edge.id: True for edge in self._graph.outgoing[self._loop] if edge.source_port == ITEM}
        return self._turn(self.nodes)

    def ended(self, node: str, port: str | None) -> Turn:
        """The node has ended, and gives what it gave at this port; None for nowhere."""
        edges = self._out(node)
        self._gone |= {edge.id: edge.source_port == port for edge in edges}
        return self._turn([edge.target for edge in edges])

    def came_from(self, node: str) -> list[str]:
        """The nodes whose outcome led to this one, by the ids of the edges."""
        return [edge.source for edge in self._graph.incoming[node] if self._gone.get(edge.id)]

    def ends_round(self) -> list[str]:
        """In a loop's body, the nodes that led back to the loop."""
        if self._loop is None:
            return []
        return [edge.source for edge in self._graph.incoming[self._loop] if self._gone.get(edge.id)]

    def _turn(self, touched: Collection[str]) -> Turn:
        turn, left = Turn(), [node for node in touched if node in self._inside]
        while left:
            node = left.pop(0)
            if node in self._decided or (what := self._what(node)) is None:
                continue
            self._decided.add(node)
            if what:
                turn.ready.append(node)
                continue
            turn.skipped.append(node)
            edges = self._out(node)
            self._gone |= {edge.id: False for edge in edges}
            left.extend(edge.target for edge in edges if edge.target in self._inside)
        return turn

    def _what(self, node: str) -> bool | None:
        """Whether the node runs or is skipped; None while that is open."""
        ways = [self._gone.get(edge.id) for edge in self._in(node)]
        if not ways:
            return bool(self._graph.nodes[node].get("type") == START)
        if None in ways and not (True in ways and is_any_join(self._graph.nodes[node])):
            return None
        return True in ways

    def _out(self, node: str) -> list[Edge]:
        return self._graph.outgoing.get(node, [])

    def _in(self, node: str) -> Iterator[Edge]:
        for edge in self._graph.incoming.get(node, ()):
            if edge.id not in self._graph.closing and (edge.source in self._inside or edge.source == self._loop):
                yield edge


def scope_of(graph: Graph, loop: str | None) -> list[str]:
    """The nodes that are directly in the loop's body, or in none, in the order of the graph."""
    return [node for node in graph.order if (graph.loops_of.get(node) or (None,))[-1] == loop]


def is_any_join(node: dict[str, Any]) -> bool:
    return node.get("type") == "join" and (node.get("params") or {}).get("mode") == "any"
