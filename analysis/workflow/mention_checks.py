"""Whether expressions refer to what is there when they are computed: nodes upstream, items of loops, events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analysis.workflow.expression_checks import Used
from analysis.workflow.graph import Graph
from analysis.workflow.mentions import EVENT, LOOP_NAMES
from analysis.workflow.node_checks import NodeFacts
from analysis.workflow.violations import Violation, shown


def check_mentions(graph: Graph, facts: Mapping[str, NodeFacts]) -> Iterator[Violation]:
    for node_id, node in facts.items():
        for used in node.used:
            yield from _nodes(node_id, used, graph)
            yield from _names(node_id, node, used, graph)


def _nodes(node_id: str, used: Used, graph: Graph) -> Iterator[Violation]:
    for name in sorted(used.mentions.nodes):
        if name not in graph.nodes:
            message = f"the expression refers to a node that does not exist: {shown(name)}"
            yield Violation("expression.unknown_node", used.path, message, node=node_id)
        elif not graph.is_upstream(name, node_id):
            message = f"the expression refers to the node {shown(name)}, which does not come before this one"
            yield Violation("expression.not_upstream", used.path, message, node=node_id)


def _names(node_id: str, node: NodeFacts, used: Used, graph: Graph) -> Iterator[Violation]:
    looped = used.mentions.names & LOOP_NAMES
    if looped and node_id not in graph.loops_of:
        names = " and ".join(f"`{name}`" for name in sorted(looped))
        message = f"{names} has a value only in the body of a loop, and this node is in none"
        yield Violation("expression.no_item", used.path, message, node=node_id)
    waits = node.node_type is not None and node.node_type.type == "wait_for_event"
    if EVENT in used.mentions.names and not (waits and used.path.endswith("/params/filter")):
        message = "`event` has a value only in the filter of a node that waits for an event"
        yield Violation("expression.no_event", used.path, message, node=node_id, fix="use the output of that node")
