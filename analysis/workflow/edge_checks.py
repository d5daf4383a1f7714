"""Whether edges lead from an output that is there to an input that takes what comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from analysis.workflow.graph import Edge, Graph
from analysis.workflow.node_checks import NodeFacts
from analysis.workflow.node_types import DEFAULT_PORT, Port
from analysis.workflow.violations import Violation, pointer


def check_edges(edges: Mapping[str, Edge], graph: Graph, facts: Mapping[str, NodeFacts]) -> Iterator[Violation]:
    for edge in edges.values():
        missing = [end for end in (edge.source, edge.target) if end not in facts]
        if missing:
            # As the diagram's shape says it: whoever joins both lists has it once.
            message = f"the edge leads from or to a node that does not exist: {', '.join(map(repr, missing))}"
            yield Violation("edge.dangling", pointer("edges", edge.id), message, edge=edge.id, fix="remove the edge")
        else:
            yield from _ports(edge, facts[edge.source], facts[edge.target])
    for node_id, node in facts.items():
        yield from _crowded(node_id, node, graph)
        yield from _unused(node_id, node, graph)


def _ports(edge: Edge, source: NodeFacts, target: NodeFacts) -> Iterator[Violation]:
    gives, takes = source.outputs.get(edge.source_port), target.inputs.get(edge.target_port)
    if source.node_type is not None and gives is None:
        yield _unknown(edge, "source", "output", edge.source_port, source.outputs)
    if target.node_type is not None and takes is None:
        yield _unknown(edge, "target", "input", edge.target_port, target.inputs)
    if gives is not None and takes is not None and "any" not in (gives.type, takes.type) and gives.type != takes.type:
        message = f"the output {gives.name!r} gives {gives.type}, and the input {takes.name!r} takes {takes.type}"
        path = pointer("edges", edge.id)
        yield Violation("edge.type_mismatch", path, message, edge=edge.id, fix="put a transform between them")


def _unknown(edge: Edge, end: str, kind: str, port: str, ports: Mapping[str, Port]) -> Violation:
    there = f"it has {', '.join(map(repr, ports))}" if ports else f"it has no {kind}s"
    node = edge.source if end == "source" else edge.target
    message = f"the node {node[:60]!r} has no {kind} {port[:60]!r}; {there}"
    return Violation(
        "edge.port_unknown",
        pointer("edges", edge.id, f"{end}_port"),
        message,
        edge=edge.id,
        fix="lead it to another port",
    )


def _crowded(node_id: str, node: NodeFacts, graph: Graph) -> Iterator[Violation]:
    incoming = graph.incoming.get(node_id, ())
    if len(incoming) < 2:
        return
    takes_one = [edge.target_port for edge in incoming if (into := node.inputs.get(edge.target_port)) and not into.many]
    for port, count in Counter(takes_one).items():
        if count > 1:
            message = f"{count} edges lead into {port!r}, which takes one"
            path = pointer("nodes", node_id)
            yield Violation("node.several_edges", path, message, node=node_id, fix="put a join before the node")


def _unused(node_id: str, node: NodeFacts, graph: Graph) -> Iterator[Violation]:
    """Outputs without an edge: a mistake for the way of a switch that is taken when no case is true, else a hint."""
    led = {edge.source_port for edge in graph.outgoing.get(node_id, ())}
    for name, port in node.outputs.items():
        if node.disabled or name in led or port.optional:
            continue
        if name == DEFAULT_PORT:
            message = "nothing is said for when no case is true: the output 'default' leads nowhere"
            yield Violation(
                "branch.no_default", pointer("nodes", node_id), message, node=node_id, fix="lead 'default' to a node"
            )
        else:
            message = f"the output {name!r} leads nowhere"
            yield Violation(
                "output.unused", pointer("nodes", node_id, name), message, "warning", node_id, fix="lead it to a node"
            )
