"""The graph of a diagram: its order, what is upstream, and the bodies of loops."""

from __future__ import annotations

import random

from analysis.workflow.graph import Edge, Graph
from tests.analysis.workflow.forms import form, node

STEP = node("transform", expression="1")
LOOP = node("loop", items="[1]")


def test_edges_by_port_and_nodes_in_their_order() -> None:
    graph = Graph.of(form("s>c c:true>a c:false>b a>j b>j", c=node("condition"), a=STEP, b=STEP, j=node("join")))
    assert graph.order == ("s", "c", "a", "b", "j")
    assert graph.by_port("c") == {
        "true": [Edge("c:true>a:in", "c", "true", "a", "in")],
        "false": [Edge("c:false>b:in", "c", "false", "b", "in")],
    }
    assert graph.upstream("j") == {"s", "c", "a", "b"}
    assert graph.is_upstream("c", "a")
    assert not graph.is_upstream("b", "a")
    assert not graph.is_upstream("a", "a")


def test_a_loop_has_a_body_and_the_edges_that_close_it_do_not_count() -> None:
    arrows = "s>l l:item>a a>m m:item>b b>m:next m:done>c c>l:next l:done>e"
    graph = Graph.of(form(arrows, l=LOOP, m=LOOP, a=STEP, b=STEP, c=STEP, e=node("end")))
    assert graph.bodies == {"l": {"a", "m", "b", "c"}, "m": {"b"}}
    assert graph.loops_of == {"a": ("l",), "m": ("l",), "c": ("l",), "b": ("l", "m")}
    assert graph.closing == {"b:out>m:next", "c:out>l:next"}
    assert set(graph.order) == {"s", "l", "a", "m", "b", "c", "e"}
    assert graph.upstream("b") == {"s", "l", "a", "m"}
    assert graph.upstream("e") == {"s", "l"}


def test_what_is_in_or_behind_a_circle_has_no_place_in_the_order() -> None:
    graph = Graph.of(form("s>a a>b b>a b>c", a=STEP, b=STEP, c=STEP))
    assert graph.order == ("s",)
    assert graph.upstream("c") == frozenset()


def test_the_order_is_the_same_however_the_diagram_was_written() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    nodes = {f"n{at}": STEP for at in range(60)}
    arrows = [f"n{a}>n{b}" for a in range(60) for b in range(a + 1, 60) if chance.random() < 0.1]
    expected = Graph.of(form(*arrows, **nodes)).order
    for _ in range(5):
        chance.shuffle(arrows)
        shuffled = list(nodes.items())
        chance.shuffle(shuffled)
        graph = Graph.of(form(*arrows, **dict(shuffled)))
        assert graph.order == expected
        places = {name: place for place, name in enumerate(graph.order)}
        assert all(places[edge.source] < places[edge.target] for edge in graph.edges.values())


def test_what_is_no_edge_or_leads_nowhere_is_left_out() -> None:
    diagram = form("s>a a>gone", a=STEP)
    diagram["edges"]["x"] = 5
    diagram["edges"]["y"] = {"source": 1, "target": "a"}
    diagram["nodes"]["odd"] = "text"
    graph = Graph.of(diagram)
    assert list(graph.edges) == ["s:out>a:in"]
    assert graph.nodes.keys() == {"s", "a"}
