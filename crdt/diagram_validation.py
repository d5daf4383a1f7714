"""What is wrong in a diagram while it is edited: as `diagram.validate`, looking again only at what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from crdt import diagram
from crdt.diagram import Ends, Json, Violation, object_of
from crdt.diagram_mirror import META, DiagramMirror, Place

_CHECKS: Final[dict[str, Callable[[str, Any], Iterator[Violation]]]] = {
    "nodes": diagram.check_node,
    "edges": diagram.check_edge,
    "notes": diagram.check_note,
}
# What the graph and the groups are made of: a node's type and group, an edge's ends.
Shape = tuple[Any, Any] | Ends | None


class DiagramValidation:
    """Follows a mirror: tell it each place that was read."""

    def __init__(self, mirror: DiagramMirror) -> None:
        self._mirror = mirror
        self._own: dict[Place, list[Violation]] = {}
        self._shapes: dict[Place, Shape] = {}
        self._ends: dict[str, Ends | None] = {}
        self._between: list[Violation] | None = None

    def read(self, places: Iterable[Place]) -> None:
        """The mirror has read these places."""
        for place in places:
            if place == META:
                self._keep(place, list(diagram.check_meta(self._mirror.json["meta"])))
            else:
                self._read(place)

    def _read(self, place: Place) -> None:
        root, key = place
        entries = self._mirror.json[root]
        if key not in entries:
            self._forget(place)
            return
        self._keep(place, list(_CHECKS[root](key, entries[key])))
        if root != "notes":
            shape = _shape(root, entries[key])
            if place not in self._shapes or shape != self._shapes[place]:
                self._between = None
            self._shapes[place] = shape
            if root == "edges":
                self._ends[key] = diagram.ends_of(entries[key])

    def _forget(self, place: Place) -> None:
        self._own.pop(place, None)
        if place in self._shapes:
            del self._shapes[place]
            self._between = None
            if place[0] == "edges":
                del self._ends[place[1]]

    def _keep(self, place: Place, found: list[Violation]) -> None:
        if found:
            self._own[place] = found
        else:
            self._own.pop(place, None)

    def violations(self) -> list[Violation]:
        """Everything that is wrong, in the order of paths; of a diagram that is too large only that."""
        if too_large := list(diagram.check_counts(self._mirror.counts())):
            return diagram.in_order(too_large)
        if self._between is None:
            nodes = self._mirror.json["nodes"]
            self._between = [*diagram.check_parents(nodes), *diagram.check_graph(self._ends, nodes)]
        return diagram.in_order([*self._between, *(found for own in self._own.values() for found in own)])


def _shape(root: str, value: Any) -> Shape:
    if root == "edges":
        return diagram.ends_of(value)
    node: Json = object_of(value)
    return node.get("type"), node.get("parent")
