"""What a diagram names outside of itself: data sources, people, secrets, other workflows. Whoever checks looks them up.

wanted = references_in(form)                    # {("source", "7"), ("secret", "slack")}
references = References({("source", "7"): "found", ("secret", "slack"): "forbidden"})
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from analysis.workflow.node_types import NODE_TYPES, NodeType
from analysis.workflow.templates import OPEN

Standing = Literal["found", "missing", "forbidden"]
Reference = tuple[str, str]

SECRET: Final = "secret"  # noqa: S105  a kind of reference, no secret
WORKFLOW: Final = "workflow"
OPERATION: Final = "operation"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class References:
    """What was looked up. What is not in `standings` is missing.

    `calls` has, for each workflow that may be reached, the workflows its published version calls; `workflow` is the id
    of the one that is checked. `safe_operations` are those that may be done twice. `busy_seconds` is how long the last
    run took, `every_seconds` how often a schedule starts one, null for neither.
    """

    standings: Mapping[Reference, Standing] = field(default_factory=dict)
    calls: Mapping[str, frozenset[str]] = field(default_factory=dict)
    workflow: str | None = None
    safe_operations: frozenset[str] = frozenset()
    busy_seconds: float | None = None
    every_seconds: float | None = None

    def standing(self, reference: Reference) -> Standing:
        return self.standings.get(reference, "missing")


def references_in(form: Json, types: Mapping[str, NodeType] = NODE_TYPES) -> set[Reference]:
    """The kind and the id of all that a diagram's normal form names; ids that come from the run are not known yet."""
    nodes = form.get("nodes")
    found: set[Reference] = set()
    for node in nodes.values() if isinstance(nodes, dict) else ():
        found.update(reference for _, reference in references_of(node, types))
    return found


def references_of(node: Any, types: Mapping[str, NodeType] = NODE_TYPES) -> Iterator[tuple[tuple[str, ...], Reference]]:
    """What one node names, with the keys that lead there from its parameters."""
    params = node.get("params") if isinstance(node, dict) else None
    node_type = types.get(str(node.get("type"))) if isinstance(params, dict) else None
    if node_type is None or not isinstance(params, dict):
        return
    for path, kind in node_type.references.items():
        for keys, value in values_at(params, path):
            if _is_id(value):
                yield keys, (kind, str(value))
    for name, value in params.items():
        if name not in node_type.literal:
            yield from _secrets(value, (name,))


def values_at(params: Any, path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values at a path like `cases/*/when`, with their keys; `*` is each key of a map or place of a list."""
    found: list[tuple[tuple[str, ...], Any]] = [((), params)]
    for token in path.split("/"):
        found = [((*keys, key), item) for keys, value in found for key, item in _items(value) if token in ("*", key)]
    yield from found


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from ((str(place), item) for place, item in enumerate(value))


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value) and OPEN not in value
    return isinstance(value, int) and not isinstance(value, bool)


def _secrets(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Reference]]:
    if isinstance(value, dict) and value.keys() == {SECRET} and isinstance(value[SECRET], str):
        yield path, (SECRET, value[SECRET])
        return
    for key, item in _items(value):
        yield from _secrets(item, (*path, key))
