"""What changed between two versions of a workflow."""

from __future__ import annotations

import copy

from analysis.workflow.differences import Change, EdgeChange, NodeChange, NodeSeen, differences
from tests.analysis.workflow.forms import form, node

BEFORE = form(
    "s>q q>n n>e",
    inputs={"n": {"type": "integer"}},
    q=node("sql_query", source_id=1, query="select 1", parameters={"a": 1, "b": [1, 2]}),
    n=node("notify", title="Hello", users=["ann"]),
    e=node("end"),
)


def test_moving_things_is_no_change_but_is_said() -> None:
    moved = copy.deepcopy(BEFORE)
    moved["layout"]["nodes"]["q"] = {"position": {"x": 5, "y": 5}}
    found = differences(BEFORE, moved)
    assert found.layout_changed
    assert (found.nodes_changed, found.nodes_added, found.edges_added, found.workflow) == ((), (), (), ())
    assert not differences(BEFORE, copy.deepcopy(BEFORE)).layout_changed


def test_nodes_are_compared_by_parameter() -> None:
    after = copy.deepcopy(BEFORE)
    after["nodes"]["q"]["name"] = "Count"
    after["nodes"]["q"]["params"].update({"parameters": {"b": [1, 3], "c/d": None}, "write": False})
    after["nodes"]["q"]["policy"]["retry_max"] = 2
    (changed,) = differences(BEFORE, after).nodes_changed
    assert changed == NodeChange(
        id="q",
        name="Count",
        type="sql_query",
        changes=(
            Change(path="/name", kind="changed", before="sql_query", after="Count"),
            Change(path="/params/parameters/a", kind="removed", before=1),
            Change(path="/params/parameters/b", kind="changed", before=[1, 2], after=[1, 3]),
            Change(path="/params/parameters/c~1d", kind="added", after=None),
            Change(path="/params/write", kind="added", after=False),
            Change(path="/policy/retry_max", kind="added", after=2),
        ),
    )


def test_true_is_not_one() -> None:
    after = copy.deepcopy(BEFORE)
    after["nodes"]["q"]["params"]["source_id"] = True
    (changed,) = differences(BEFORE, after).nodes_changed
    assert changed.changes == (Change(path="/params/source_id", kind="changed", before=1, after=True),)


def test_nodes_and_edges_come_and_go() -> None:
    after = copy.deepcopy(BEFORE)
    del after["nodes"]["n"], after["edges"]["q:out>n:in"], after["edges"]["n:out>e:in"]
    after["nodes"]["a"] = node("join")
    after["edges"]["q:out>a:in"] = {"source": "q", "source_port": "out", "target": "a", "target_port": "in"}
    after["edges"]["s:out>q:in"] = {**after["edges"]["s:out>q:in"], "label": "first"}
    after["settings"]["inputs"]["m"] = {}
    after["name"] = "another"
    found = differences(BEFORE, after)
    assert found.nodes_added == (NodeSeen(id="a", name="join", type="join"),)
    assert found.nodes_removed == (NodeSeen(id="n", name="notify", type="notify"),)
    assert found.nodes_changed == ()
    assert found.edges_added == ("q:out>a:in",)
    assert found.edges_removed == ("n:out>e:in", "q:out>n:in")
    assert found.edges_changed == (
        EdgeChange(id="s:out>q:in", changes=(Change(path="/label", kind="added", after="first"),)),
    )
    assert found.workflow == (
        Change(path="/name", kind="changed", before="a workflow", after="another"),
        Change(path="/settings/inputs/m", kind="added", after={}),
    )


def test_there_and_back_is_the_opposite() -> None:
    after = form("s>x", x=node("end"))
    there, back = differences(BEFORE, after), differences(after, BEFORE)
    assert there.nodes_added == back.nodes_removed
    assert there.edges_removed == back.edges_added
