"""A diagram followed while it is edited: what is found wrong is what looking at all of it finds."""

import random
from typing import Any

import pytest
from pycrdt import Doc, Map, Text

from crdt.content import read_json, replace_json
from crdt.diagram import LIMITS, build_shared, edge_id, validate
from crdt.diagram_mirror import DiagramMirror
from crdt.diagram_validation import DiagramValidation

AnyDoc = Doc[Any]
STEPS = 150


class Followed:
    """A document, and what is known of it by following it."""

    def __init__(self, diagram: dict[str, Any] | None = None) -> None:
        self.doc: AnyDoc = Doc()
        replace_json(self.doc, "diagram", "", diagram or {})
        self.changes = 0
        self.mirror = DiagramMirror(self.doc, self._count)
        self.validation = DiagramValidation(self.mirror)
        self.read()

    def _count(self) -> None:
        self.changes += 1

    def read(self) -> int:
        """Reads what changed; how many places that were."""
        places = self.mirror.read()
        self.validation.read(places)
        return len(places)

    def root(self, name: str) -> Map[Any]:
        shared: Map[Any] = self.doc.get(name, type=Map)
        return shared

    def assert_equal_to_a_fresh_look(self, about: object = "") -> None:
        fresh = read_json(self.doc, "diagram", "")
        assert self.mirror.is_read
        assert self.mirror.json == fresh, about
        assert self.validation.violations() == validate(fresh), about


def node(**fields: Any) -> dict[str, Any]:
    return {"type": "sql", "name": "n", "position": {"x": 0, "y": 0}, "params": {"q": {"a": 1}}, **fields}


def edge(source: str, target: str) -> dict[str, Any]:
    return {"source": source, "source_port": "out", "target": target, "target_port": "in"}


def chain(count: int) -> dict[str, Any]:
    edges = [edge(f"n{number}", f"n{number + 1}") for number in range(count - 1)]
    return {
        "nodes": {f"n{number}": node() for number in range(count)},
        "edges": {edge_id(each): each for each in edges},
    }


def edit_at_random(followed: Followed, chance: random.Random) -> None:
    """Something that a client does, or an odd one might."""
    nodes, edges, notes, meta = (followed.root(name) for name in ("nodes", "edges", "notes", "meta"))
    name = f"n{chance.randrange(8)}"
    shared: Any = nodes.get(name)
    dice = chance.randrange(11)
    if dice < 2 or (not isinstance(shared, Map) and dice < 7):
        nodes[name] = build_shared(node(type=chance.choice(("sql", "loop", "", 5))), ("nodes", name))
    elif dice == 2 and name in nodes:
        del nodes[name]
    elif dice == 3:
        shared["parent"] = chance.choice((None, "n0", "n1", "n2", "nobody", 1.0))
    elif dice == 4:
        shared["position"] = chance.choice(({"x": 1.0, "y": 2.5}, None, "here"))
    elif dice == 5 and isinstance(shared.get("params"), Map):
        shared["params"]["q"] = chance.choice((1.0, "text", Map({"deep": Text("t")})))
    elif dice == 6:
        shared[chance.choice(("name", "disabled", "params", "policy"))] = chance.choice((5.0, Text("x"), True))
    elif dice < 9:
        drawn = edge(name, f"n{chance.randrange(8)}")
        key = edge_id(drawn) if chance.random() < 0.9 else "another key"
        if key in edges and chance.random() < 0.5:
            del edges[key]
        else:
            edges[key] = Map(drawn) if chance.random() < 0.8 else chance.choice((drawn, 5.0, Map({"source": 1.0})))
    elif dice == 9:
        notes[name] = chance.choice(
            (Map({"text": Text("t")}), Map({"text": 1.0}), "plain", {"text": "plain", "n": 1.0})
        )
    else:
        meta[chance.choice(("name", "schema_version", "settings"))] = chance.choice(("x", 1.0, Map({"a": 1.0}), 0.0))


@pytest.mark.parametrize("run", range(8))
def test_after_any_edits_it_equals_a_fresh_look(run: int) -> None:
    seed = random.randrange(1 << 32)
    print(f"run {run}: seed {seed}")
    chance = random.Random(seed)
    followed = Followed()
    for step in range(STEPS):
        with followed.doc.transaction():
            for _ in range(chance.randint(1, 4)):
                edit_at_random(followed, chance)
        if chance.random() < 0.6:
            followed.read()
            followed.assert_equal_to_a_fresh_look(f"seed {seed}, step {step}")


def test_it_is_read_in_parts() -> None:
    followed = Followed()
    replace_json(followed.doc, "diagram", "", chain(30))
    assert len(followed.mirror.read(20)) == 20
    assert not followed.mirror.is_read


def test_the_updates_of_others_count() -> None:
    followed, other = Followed(chain(3)), Doc[Any]()
    other.apply_update(followed.doc.get_update())
    nodes: Map[Any] = other.get("nodes", type=Map)
    del nodes["n1"]
    followed.doc.apply_update(other.get_update())
    followed.read()
    assert [found.code for found in followed.validation.violations()] == ["edge.dangling", "edge.dangling"]


def test_of_a_diagram_that_is_too_large_only_that_is_said() -> None:
    followed = Followed(chain(3))
    nodes = followed.root("nodes")
    with followed.doc.transaction():
        for number in range(LIMITS["nodes"]):
            nodes[f"more{number}"] = 1.0
    assert [found.code for found in followed.validation.violations()] == ["diagram.too_large"]
    assert followed.mirror.is_too_large
    assert followed.validation.violations() == validate(read_json(followed.doc, "diagram", ""))


def test_what_is_closed_follows_no_more() -> None:
    followed = Followed(chain(3))
    followed.mirror.close()
    del followed.root("nodes")["n1"]
    assert followed.changes == 0
    assert followed.read() == 0


def test_what_the_engine_tells_nobody_of_is_found_when_all_is_read_again() -> None:
    followed, other, updates = Followed(), Doc[Any](), list[bytes]()
    other.observe(lambda event: updates.append(event.update))
    nodes: Map[Any] = other.get("nodes", type=Map)
    nodes["a"] = Map({"type": "sql"})
    nodes["b"] = Map({"type": "sql"})
    nodes["b"]["type"] = "loop"
    nodes["a"]["parent"] = "b"
    for update in (updates[0], updates[2], updates[3], updates[1]):
        followed.doc.apply_update(update)
        followed.read()
    followed.mirror.read_again()
    followed.read()
    followed.assert_equal_to_a_fresh_look()
