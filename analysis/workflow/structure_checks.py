"""Whether the nodes make one flow: from a start, without circles, loops with a body of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from analysis.workflow.circles import circles
from analysis.workflow.graph import ITEM, NEXT, START, Graph
from analysis.workflow.node_checks import NodeFacts
from analysis.workflow.violations import Violation, pointer

# A loop of loops of loops multiplies three times; deeper belongs into a sub-workflow.
DEEPEST_LOOPS: Final = 3
DEEPEST_GROUPS: Final = 16


def check_structure(graph: Graph, facts: Mapping[str, NodeFacts]) -> Iterator[Violation]:
    yield from _starts(graph)
    yield from _circles(graph)
    yield from _unreachable(graph)
    for loop in graph.bodies:
        yield from _loop(loop, graph)
    yield from _nesting(graph, facts)


def _starts(graph: Graph) -> Iterator[Violation]:
    starts = [node for node in graph.of_type(START) if graph.nodes[node].get("disabled") is not True]
    if not starts:
        yield Violation("graph.no_start", "/nodes", "no node starts the workflow", fix="add a node of type 'start'")
    for node in starts[1:]:
        message = f"a workflow starts at one node, and {starts[0][:60]!r} is one already"
        yield Violation("graph.several_starts", pointer("nodes", node), message, node=node, fix="remove one of them")


def _circles(graph: Graph) -> Iterator[Violation]:
    if len(graph.order) == len(graph.nodes):
        return
    for circle in circles(graph):
        names = ", ".join(repr(node[:60]) for node in circle[:10]) + (", …" if len(circle) > 10 else "")
        message = f"the nodes run in a circle without a loop node: {names}"
        fix = "remove an edge, or lead it to `next` of a loop"
        yield Violation("graph.cycle", pointer("nodes", circle[0]), message, node=circle[0], fix=fix)


def _unreachable(graph: Graph) -> Iterator[Violation]:
    reached = graph.reachable(graph.of_type(START))
    for node in graph.nodes:
        if node not in reached:
            message = "no way leads from the start to the node: it never runs"
            yield Violation("node.unreachable", pointer("nodes", node), message, "warning", node)


def _loop(loop: str, graph: Graph) -> Iterator[Violation]:
    if len(graph.loops_of.get(loop, ())) >= DEEPEST_LOOPS:
        # What is in it is looked at when it stands somewhere else.
        message = f"loops stand in each other {DEEPEST_LOOPS} deep at most"
        fix = "make the inner one a sub-workflow"
        yield Violation("loop.too_deep", pointer("nodes", loop), message, node=loop, fix=fix)
        return
    body = graph.bodies[loop]
    for node in sorted(body):
        for edge in graph.incoming.get(node, ()):
            if edge.source not in body and (edge.source, edge.source_port) != (loop, ITEM):
                message = f"the edge leads from outside into what the loop {loop[:60]!r} does for each item"
                fix = "lead what is to come after the loop from its 'done'"
                yield Violation("loop.entered", pointer("edges", edge.id), message, edge=edge.id, fix=fix)
        if graph.nodes[node].get("type") == "end":
            message = f"the run would end inside of the loop {loop[:60]!r}"
            fix = "lead the edge to `next` of the loop, and the end from its 'done'"
            yield Violation("loop.end_inside", pointer("nodes", node), message, node=node, fix=fix)
    for edge in graph.incoming.get(loop, ()):
        if edge.target_port == NEXT and edge.source not in body:
            message = "only what the loop does for each item leads to its 'next'"
            yield Violation("loop.next_from_outside", pointer("edges", edge.id), message, edge=edge.id)


def _nesting(graph: Graph, facts: Mapping[str, NodeFacts]) -> Iterator[Violation]:
    for node in facts:
        depth, at = 0, graph.nodes[node].get("parent")
        while isinstance(at, str) and at in graph.nodes and depth <= DEEPEST_GROUPS:
            depth, at = depth + 1, graph.nodes[at].get("parent")
        if depth > DEEPEST_GROUPS:
            message = f"groups stand in each other {DEEPEST_GROUPS} deep at most"
            yield Violation("node.nested_too_deep", pointer("nodes", node, "parent"), message, node=node)
