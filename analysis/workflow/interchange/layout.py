"""Where nodes stand: as people put them, else in columns along the flow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from analysis.workflow.graph import Graph

_COLUMN: Final = 180.0
_ROW: Final = 120.0
_MARGIN: Final = 70.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Box:
    """In pixels from the top left."""

    x: float
    y: float
    width: float
    height: float

    def attributes(self) -> Iterator[tuple[str, float]]:
        yield from (("x", self.x), ("y", self.y), ("width", self.width), ("height", self.height))


def boxes(form: Json, graph: Graph, sizes: Mapping[str, tuple[float, float]]) -> dict[str, Box]:
    """The place of each node; those without one go into columns below the others."""
    placed = {node: place for node in graph.nodes if (place := _position(form, node)) is not None}
    below = max((y for _, y in placed.values()), default=-2 * _ROW) + 2 * _ROW
    free = {node: (x, y + below) for node, (x, y) in _columns(graph).items()}
    return {node: Box(*placed.get(node, free[node]), *sizes[node]) for node in graph.nodes}


def around(inner: Sequence[Box]) -> Box:
    """A box with some room around others."""
    left, top = min(box.x for box in inner) - _MARGIN, min(box.y for box in inner) - _MARGIN
    right = max(box.x + box.width for box in inner) + _MARGIN
    bottom = max(box.y + box.height for box in inner) + _MARGIN
    return Box(left, top, right - left, bottom - top)


def _columns(graph: Graph) -> dict[str, tuple[float, float]]:
    """Each node one column behind the last of those that lead to it."""
    column: dict[str, int] = dict.fromkeys(graph.nodes, 0)
    for node in graph.order:
        before = [column[edge.source] for edge in graph.incoming.get(node, ()) if edge.id not in graph.closing]
        column[node] = max(before, default=-1) + 1
    filled: Counter[int] = Counter()
    places: dict[str, tuple[float, float]] = {}
    for node in sorted(graph.nodes):
        places[node] = (column[node] * _COLUMN, filled[column[node]] * _ROW)
        filled[column[node]] += 1
    return places


def _position(form: Json, node: str) -> tuple[float, float] | None:
    value: Any = form
    for key in ("layout", "nodes", node, "position"):
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        return None
    x, y = value.get("x"), value.get("y")
    if isinstance(x, bool) or isinstance(y, bool) or not isinstance(x, int | float) or not isinstance(y, int | float):
        return None
    return float(x), float(y)
