"""The shape of a workflow diagram."""

from itertools import pairwise
from typing import Any

import pytest
from pycrdt import Map, Text

from crdt import diagram
from crdt.diagram import Violation, build_shared, canonical_json, edge_id, fingerprint, normalise, validate


def edge(source: str, target: str) -> dict[str, Any]:
    return {"source": source, "source_port": "out", "target": target, "target_port": "in"}


def node(**fields: Any) -> dict[str, Any]:
    return {"type": "sql", "position": {"x": 0, "y": 0}, **fields}


def flow(*arrows: tuple[str, str], **nodes: Any) -> dict[str, Any]:
    edges = {edge_id(edge(*arrow)): edge(*arrow) for arrow in arrows}
    return {"meta": {"name": "f", "schema_version": 1}, "nodes": nodes, "edges": edges, "notes": {}}


def found(value: dict[str, Any]) -> list[tuple[str, str]]:
    return [(violation.code, violation.path) for violation in validate(value)]


def test_nothing_is_wrong_with_a_good_diagram() -> None:
    good = flow(("a", "b"), ("b", "c"), a=node(name="A", params={}, policy={}), b=node(parent="c"), c=node())
    assert validate(good) == []
    assert validate({}) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (flow(a=node(type=None)), [("node.type", "/nodes/a/type")]),
        (flow(a=node(name=1)), [("node.name", "/nodes/a/name")]),
        (flow(a=node(disabled="no")), [("node.disabled", "/nodes/a/disabled")]),
        (flow(a=node(params=[])), [("node.params", "/nodes/a/params")]),
        (flow(a=node(position={"x": True, "y": 1})), [("node.position", "/nodes/a/position")]),
        (flow(a="x"), [("node.shape", "/nodes/a")]),
        (flow(**{"a:b/c": node()}), [("node.id", "/nodes/a:b~1c")]),
        (flow(a=node(parent="z")), [("node.parent", "/nodes/a/parent")]),
        (
            flow(a=node(parent="b"), b=node(parent="a")),
            [("node.parent_cycle", "/nodes/a/parent"), ("node.parent_cycle", "/nodes/b/parent")],
        ),
        (flow(("a", "z"), a=node()), [("edge.dangling", "/edges/a:out>z:in")]),
        ({**flow(a=node()), "edges": {"x": edge("a", "a")}}, [("edge.key", "/edges/x"), ("graph.cycle", "/nodes/a")]),
        ({"edges": {"x": 5}}, [("edge.shape", "/edges/x")]),
        (
            flow(("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), a=node(), b=node(), c=node(), d=node()),
            [("graph.cycle", "/nodes/a")],
        ),
        (flow(("a", "b"), ("b", "a"), a=node(type="loop"), b=node()), []),
        ({"notes": {"n": {"text": 5}}}, [("note.shape", "/notes/n")]),
        (
            {"meta": {"name": 5, "schema_version": 0, "settings": []}},
            [
                ("meta.name", "/meta/name"),
                ("meta.schema_version", "/meta/schema_version"),
                ("meta.settings", "/meta/settings"),
            ],
        ),
        ({"nodes": {str(n): node() for n in range(diagram.MAX_NODES + 1)}}, [("diagram.too_large", "/nodes")]),
    ],
)
def test_what_is_wrong_is_listed(value: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert found(value) == expected


def test_a_violation_says_where_it_is_and_keeps_its_id() -> None:
    (dangling,) = validate(flow(("a", "z"), a=node()))
    assert dangling.edge == "a:out>z:in"
    assert (dangling.severity, dangling.fix) == ("error", "remove the edge")
    assert dangling.id == validate(flow(("a", "z"), a=node(name="renamed")))[0].id
    (unplaced,) = validate(flow(a={"type": "sql"}))
    assert (unplaced.severity, unplaced.node) == ("warning", "a")
    assert isinstance(unplaced, Violation)


def test_long_chains_and_circles_do_not_recurse() -> None:
    ids = [f"n{at}" for at in range(1_500)]
    arrows = [*pairwise(ids), (ids[-1], ids[0])]
    assert found(flow(*arrows, **{name: node() for name in ids})) == [("graph.cycle", "/nodes/n0")]


def test_looks_are_apart_from_what_a_diagram_does() -> None:
    still = flow(("a", "b"), a=node(x_unknown=1), b=node())
    moved = flow(("a", "b"), b=node(position={"x": 9, "y": 9}), a=node(x_unknown=1))
    assert canonical_json(still) != canonical_json(moved)
    assert fingerprint(still) == fingerprint(moved)
    assert fingerprint(still) != fingerprint(flow(("a", "b"), a=node(), b=node()))
    form = normalise(still)
    assert form["schema"] == "workflow/v1"
    assert form["nodes"]["a"] == {"type": "sql", "x_unknown": 1}
    assert form["layout"]["nodes"]["a"] == {"position": {"x": 0, "y": 0}}


def test_the_order_of_keys_does_not_show() -> None:
    assert canonical_json({"nodes": {"b": node(), "a": node()}}) == canonical_json(
        {"nodes": {"a": node(), "b": node()}}
    )


def test_what_the_document_holds_for_json() -> None:
    assert isinstance(build_shared("A", ("nodes", "a", "name")), Text)
    assert isinstance(build_shared("look", ("notes", "n", "text")), Text)
    assert build_shared("A", ("nodes", "a", "type")) == "A"
    assert build_shared({"x": 1, "y": 2}, ("nodes", "a", "position")) == {"x": 1, "y": 2}
    assert isinstance(build_shared({"k": {"l": 1}}, ("nodes", "a", "params")), Map)
