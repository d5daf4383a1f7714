"""Workflows as BPMN 2.0: elements, flows whose ends are there, shapes for all of them."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

import msgspec

from analysis.workflow.interchange.bpmn import to_bpmn
from analysis.workflow.interchange.namespaces import BPMN, BPMNDI, DC, EXTENSION
from tests.analysis.workflow.forms import Json, form, node

STEP = node("transform", expression="1")


def read(diagram: Json) -> Xml.Element:
    return Xml.fromstring(to_bpmn(diagram))


def everything() -> Json:
    return form(
        "s>q q>c c:big>l c:default>d d>x l:item>t t>m m:item>u u>m:next m:done>l:next",
        "l:done>a a:approved>n a:rejected>e a:expired>e a:error>w w>e n>j x>j j>e",
        q=node("sql_query", source_id=7, query="select '<a> & b'"),
        c=node("switch", cases={"big": {"when": "inputs.n > 3"}}),
        l=node("loop", items="nodes.q.rows"),
        t=STEP,
        m=node("loop", items="[1]"),
        u=STEP,
        d=node("delay", seconds=90),
        x=node("sub_workflow", workflow_id="w"),
        a=node("approval", policy={"on_error": "branch"}, title="?", approvers=["ann"]),
        n=node("notify", title="!", users=["ben"]),
        w=node("http_request", url="https://a.example"),
        j=node("join", mode="any"),
        e=node("end"),
    )


def test_each_node_is_an_element_with_its_flows_and_a_shape() -> None:
    root = read(everything())
    ids = {element.get("id") for element in root.iter()}
    kinds = {
        element.find(f"{BPMN}extensionElements/{EXTENSION}node").get("id"): element.tag.removeprefix(BPMN)  # type: ignore[union-attr]
        for element in root.iter()
        if element.find(f"{BPMN}extensionElements") is not None
    }
    assert kinds["c"] == "exclusiveGateway"
    assert kinds["l"] == kinds["m"] == "subProcess"
    assert kinds["a"] == "userTask"
    assert kinds["d"] == "intermediateCatchEvent"
    assert kinds["j"] == "exclusiveGateway"
    assert kinds.keys() == everything()["nodes"].keys()
    flows = list(root.iter(f"{BPMN}sequenceFlow"))
    assert len(flows) == len(everything()["edges"])
    for flow in flows:
        assert {flow.get("sourceRef"), flow.get("targetRef")} <= ids
    drawn = [element.get("bpmnElement") for element in root.iter() if element.tag.startswith(BPMNDI)]
    things = [element.get("id") for element in root.iter() if element.tag.startswith(BPMN) and element.get("id")]
    assert sorted(filter(None, drawn)) == sorted(set(filter(None, things)) - {"definitions"})


def test_flows_stay_in_the_process_that_both_their_ends_are_in() -> None:
    """BPMN lets no flow cross the border of a sub-process."""
    root = read(everything())
    for process in (*root.iter(f"{BPMN}process"), *root.iter(f"{BPMN}subProcess")):
        here = {child.get("id") for child in process}
        for flow in process.findall(f"{BPMN}sequenceFlow"):
            assert {flow.get("sourceRef"), flow.get("targetRef")} <= here
    loop = next(process for process in root.iter(f"{BPMN}subProcess") if process.find(f"{BPMN}subProcess") is not None)
    assert [child.tag.removeprefix(BPMN) for child in loop][:4] == [
        "extensionElements",
        "incoming",
        "outgoing",
        "multiInstanceLoopCharacteristics",
    ]


def test_errors_and_expiry_leave_by_events_on_the_border() -> None:
    root = read(everything())
    events = {event.get("name"): event for event in root.iter(f"{BPMN}boundaryEvent")}
    assert events["error"][-1].tag == f"{BPMN}errorEventDefinition"
    assert events["expired"][-1].tag == f"{BPMN}timerEventDefinition"
    assert events["error"].get("attachedToRef") == events["expired"].get("attachedToRef")


def test_what_bpmn_has_no_word_for_is_kept() -> None:
    root = read(everything())
    kept = {
        extension.get("id"): msgspec.json.decode(extension.text or "") for extension in root.iter(f"{EXTENSION}node")
    }
    assert kept["q"]["params"] == everything()["nodes"]["q"]["params"]
    assert root.find(f".//{BPMN}timeDuration").text == "PT90S"  # type: ignore[union-attr]


def test_nodes_stand_where_people_put_them_and_loops_around_their_bodies() -> None:
    diagram = everything()
    diagram["layout"]["nodes"]["q"] = {"position": {"x": 500, "y": -20.5}}
    root = read(diagram)
    bounds = [{key: float(value) for key, value in element.attrib.items()} for element in root.iter(f"{DC}Bounds")]
    assert {"x": 500.0, "y": -20.5, "width": 100.0, "height": 80.0} in bounds
    wide = [box for box in bounds if box["width"] > 200]
    assert len(wide) == 2
    outer, inner = sorted(wide, key=lambda box: -box["width"])
    assert outer["x"] < inner["x"]
    assert outer["x"] + outer["width"] > inner["x"] + inner["width"]


def test_names_that_xml_has_no_place_for_and_faults_of_drafts() -> None:
    diagram = form("s>a a>b b>a a>gone", a={**STEP, "name": '<\x00&\ufffe\ud800">'}, b=node("robot"), c={})
    diagram["layout"]["nodes"] = {"a": {"position": {"x": True, "y": 1}}, "b": 5}
    root = read(diagram)
    assert '<&">' in [element.get("name") for element in root.iter()]
    assert len(list(root.iter(f"{BPMN}sequenceFlow"))) == 3
    assert read({}) is not None
