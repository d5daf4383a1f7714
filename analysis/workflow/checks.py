"""Everything that is wrong in a workflow, at once or kept up to date while people edit.

    checker = Checker(form)
    checker.change(nodes={"fetch": {...}, "gone": None})
    checker.violations()                    # what check() says of the form as it is now

What can be said of one node alone is kept; what takes all of them, order and reach, is worked out anew in a few
milliseconds. A draft may have errors, a published version has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from analysis.workflow.edge_checks import check_edges
from analysis.workflow.graph import LOOP, Edge, Graph, read_edge
from analysis.workflow.mention_checks import check_mentions
from analysis.workflow.node_checks import NodeFacts, look_at
from analysis.workflow.node_types import NODE_TYPES, NodeType
from analysis.workflow.reference_checks import check_references, unsafe_retry
from analysis.workflow.references import References
from analysis.workflow.settings import check_settings, input_types
from analysis.workflow.structure_checks import check_structure
from analysis.workflow.violations import Violation, in_order

MOST_NODES: Final = 2_000
MOST_EDGES: Final = 10_000
# What each does for an item is looked for by itself.
MOST_LOOPS: Final = 200
MOST_BYTES: Final = 4 * 1024 * 1024
LONGEST_ID: Final = 100

Json = dict[str, Any]


class Checker:
    """Of one diagram. Not for several threads at once."""

    def __init__(
        self, form: Json, *, references: References | None = None, types: Mapping[str, NodeType] = NODE_TYPES
    ) -> None:
        """`form` is the normal form, workflow/v1. Without references nothing is said of what is named outside."""
        self._types = types
        self._references = references
        self._settings: Any = {}
        self._nodes: dict[str, Json] = {}
        self._edges: dict[str, Edge] = {}
        self._edge_bytes: dict[str, int] = {}
        self._facts: dict[str, NodeFacts] = {}
        self._settings = form.get("settings", {})
        self._inputs = input_types(self._settings)
        self.change(nodes=_object(form.get("nodes")), edges=_object(form.get("edges")))

    def change(
        self,
        *,
        nodes: Mapping[str, Any] | None = None,
        edges: Mapping[str, Any] | None = None,
        settings: Any | None = None,
    ) -> None:
        """What has changed: nodes and edges as they are now, None where they are gone; the settings as a whole."""
        for node_id, node in (nodes or {}).items():
            self._change_node(node_id, node)
        for edge_id, edge in (edges or {}).items():
            self._change_edge(edge_id, edge)
        if settings is not None:
            self._change_settings(settings)

    def look_up(self, references: References | None) -> None:
        """What was found out about the things that the diagram names."""
        self._references = references

    def violations(self) -> list[Violation]:
        """By place. Of a diagram that is too large nothing else is said."""
        too_large = list(self._limits())
        if too_large:
            return in_order(too_large)
        self.look_at_changed()
        facts = {node_id: self._facts[node_id] for node_id in sorted(self._nodes)}
        graph = Graph(self._nodes, self._edges)
        found = [
            *check_settings(self._settings),
            *(violation for node in facts.values() for violation in node.violations),
            *(unsafe_retry(node_id) for node_id, node in facts.items() if node.unsafe_retry),
            *self._large_document(),
            *check_edges(self._edges, graph, facts),
            *check_structure(graph, facts),
            *check_mentions(graph, facts),
            *(check_references(facts, self._references) if self._references is not None else ()),
        ]
        return in_order(found)

    def _change_node(self, node_id: str, node: Any) -> None:
        self._facts.pop(node_id, None)
        if isinstance(node, dict) and 0 < len(node_id) <= LONGEST_ID:
            self._nodes[node_id] = node
        else:
            self._nodes.pop(node_id, None)

    def _change_edge(self, edge_id: str, value: Any) -> None:
        edge = read_edge(edge_id, value)
        if edge is not None:
            self._edges[edge_id] = edge
            self._edge_bytes[edge_id] = len(edge_id) + len(msgspec.json.encode(value))
        elif edge_id in self._edges:
            del self._edges[edge_id], self._edge_bytes[edge_id]

    def _change_settings(self, settings: Any) -> None:
        self._settings = settings
        inputs = input_types(settings)
        changed = {name for name, _ in inputs.items() ^ self._inputs.items()}
        self._inputs = inputs
        for node_id, facts in list(self._facts.items()):
            # An expression that does not compile may have wanted an input that is there now.
            broken = any(violation.code == "expression.invalid" for violation in facts.violations)
            if broken or any(used.mentions.inputs & changed for used in facts.used):
                del self._facts[node_id]

    def look_at_changed(self) -> None:
        """Done by `violations`; whoever has changed much, a part at a time, looks at each part when it comes."""
        for node_id in self._nodes.keys() - self._facts.keys():
            self._facts[node_id] = look_at(node_id, self._nodes[node_id], self._types, self._inputs)

    def _limits(self) -> Iterator[Violation]:
        loops = sum(node.get("type") == LOOP for node in self._nodes.values())
        for things, root, count, most in (
            ("nodes", "nodes", len(self._nodes), MOST_NODES),
            ("edges", "edges", len(self._edges), MOST_EDGES),
            ("loops", "nodes", loops, MOST_LOOPS),
        ):
            if count > most:
                message = f"{count} {things}, at most {most} are allowed"
                yield Violation("diagram.too_large", f"/{root}", message)

    def _large_document(self) -> Iterator[Violation]:
        size = sum(facts.bytes for facts in self._facts.values()) + sum(self._edge_bytes.values())
        if size > MOST_BYTES:
            message = f"the diagram has {size} bytes, at most {MOST_BYTES} are allowed"
            yield Violation("diagram.too_large", "/nodes", message)


def check(
    form: Json, *, references: References | None = None, types: Mapping[str, NodeType] = NODE_TYPES
) -> list[Violation]:
    """Everything that is wrong in a diagram's normal form, workflow/v1, by place."""
    return Checker(form, references=references, types=types).violations()


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
