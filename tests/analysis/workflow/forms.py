"""Normal forms of diagrams, written shortly."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def node(node_type: str, /, *, policy: Json | None = None, **params: Any) -> Json:
    return {"type": node_type, "type_version": 1, "name": node_type, "params": params, "policy": policy or {}}


def edge(arrow: str) -> tuple[str, Json]:
    """From "a:true>b" or "a>b:next"; the ports are `out` and `in` where none is written."""
    source, _, target = arrow.partition(">")
    source, _, source_port = source.partition(":")
    target, _, target_port = target.partition(":")
    source_port, target_port = source_port or "out", target_port or "in"
    value = {"source": source, "source_port": source_port, "target": target, "target_port": target_port}
    return f"{source}:{source_port}>{target}:{target_port}", value


def form(*arrows: str, inputs: Json | None = None, **nodes: Json) -> Json:
    """With a start `s` in front; edges by arrows like "s>a a:true>b"."""
    edges = dict(edge(arrow) for written in arrows for arrow in written.split())
    settings = {} if inputs is None else {"inputs": inputs}
    return {
        "schema": "workflow/v1",
        "name": "a workflow",
        "settings": settings,
        "nodes": {"s": node("start"), **nodes},
        "edges": edges,
        "layout": {"nodes": {}, "notes": {}},
    }
