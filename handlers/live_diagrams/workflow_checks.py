"""What a diagram that people edit has wrong as a workflow, and what it names that has to be looked up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from analysis.workflow.checks import Checker
from analysis.workflow.references import Reference, References, references_of
from analysis.workflow.violations import Violation
from crdt import diagram
from crdt.diagram import Json
from crdt.diagram_mirror import META, DiagramMirror, Place

_NOTHING_DRAWN: Final[Json] = {"nodes": {}, "edges": {}, "settings": {}}


class WorkflowChecks:
    """Follows a mirror. Until `take` has told what was looked up, nothing is said of what is named outside."""

    def __init__(self, mirror: DiagramMirror) -> None:
        self._mirror = mirror
        self._checker = Checker(_NOTHING_DRAWN)
        # Nodes as they are in the normal form: where one was only moved nothing is checked.
        self._nodes: dict[str, Json] = {}
        self._named: dict[str, frozenset[Reference]] = {}
        self._references: References | None = None
        self._found: list[Violation] | None = None

    def read(self, places: Iterable[Place]) -> None:
        """The mirror has read these places."""
        for place in places:
            root, key = place
            if place == META:
                self._checker.change(settings=self._mirror.json["meta"].get("settings", {}))
                self._found = None
            elif root == "nodes":
                self._read_node(key, self._mirror.json["nodes"].get(key))
            elif root == "edges":
                self._checker.change(edges={key: self._mirror.json["edges"].get(key)})
                self._found = None
        self._checker.look_at_changed()

    def _read_node(self, key: str, value: Any) -> None:
        node = diagram.bare_node(value) if isinstance(value, dict) else None
        if node == self._nodes.get(key):
            return
        self._checker.change(nodes={key: node})
        self._found = None
        self._named.pop(key, None)
        if node is None:
            del self._nodes[key]
            return
        self._nodes[key] = node
        if named := frozenset(reference for _, reference in references_of(node)):
            self._named[key] = named

    def violations(self) -> list[Violation]:
        if self._found is None:
            self._found = self._checker.violations()
        return self._found

    @property
    def named(self) -> frozenset[Reference]:
        """Everything that is named outside of the diagram."""
        return frozenset().union(*self._named.values())

    def naming(self) -> Json:
        """Of the normal form the nodes that name something."""
        return {"nodes": {node_id: self._nodes[node_id] for node_id in self._named}}

    def take(self, references: References) -> bool:
        """What was found of that; whether it is news."""
        is_news = references != self._references
        if is_news:
            self._references = references
            self._checker.look_up(references)
            self._found = None
        return is_news
