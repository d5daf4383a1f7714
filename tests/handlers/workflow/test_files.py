"""Workflows as files: out, in again, and copied."""

import itertools
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema  # type: ignore[import-untyped]
import pytest
from drawn_workflows import HERE, draw, drawn_workflow, edge_of, node_of, published, small_diagram, with_workspace
from http_node import Node, play

from crdt.diagram import fingerprint

IMPORT = "/workflow/designer/import"
FILE: dict[str, Any] = {"schema": "workflow/v1", "name": "From afar", "nodes": {}, "edges": {}}


async def content_of(node: Node, workflow: dict[str, Any]) -> Any:
    path = f"/collaboration/documents/lab/{workflow['document_id']}/content"
    return (await node.client("ada").get(path)).json()["json"]


def test_what_is_exported_is_imported_the_same(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        diagram = small_diagram()
        diagram["nodes"]["sum"]["position"] = {"x": 12.5, "y": -3}
        diagram["nodes"]["sum"]["from_a_later_version"] = {"kept": [1, None]}
        diagram["notes"]["n1"] = {"text": "Why so?", "position": {"x": 1, "y": 2}}
        diagram["meta"]["settings"] = {"timeout_seconds": 60}
        workflow = await drawn_workflow(ada, diagram)
        file = (await node.client("eve").get(f"{HERE}/{workflow['id']}/export")).json()
        schema = (await ada.get("/workflow/designer/file-schema")).json()["schema"]
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(file, schema)

        made = await ada.post(IMPORT, json={"workspace_id": "lab", "file": file})
        assert made.status_code == 201, made.text
        copy = made.json()
        assert copy["title"] == "Nightly"
        original, again = await content_of(node, workflow), await content_of(node, copy)
        assert again["nodes"] == original["nodes"]
        assert (again["edges"], again["notes"]) == (original["edges"], original["notes"])
        assert fingerprint(again) == fingerprint(original)
        assert (await ada.get(f"{HERE}/{copy['id']}/export")).json() == file
        first = await published(ada, workflow)
        assert (await published(ada, copy))["version"]["fingerprint"] == first["version"]["fingerprint"]

        await draw(ada, workflow, small_diagram("7"))
        exported = (await ada.get(f"{HERE}/{workflow['id']}/export", params={"version": "1"})).json()
        assert exported == file

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": "workflow/v9"}, "workflow/v9"),
        ({"nodes": {"a:b": {"type": "start"}}}, "nodes"),
        ({"nodes": {"a": {"type": ""}}}, "type"),
        ({"nodes": {"a": {"type": "start", "params": []}}}, "params"),
        ({"nodes": {str(number): {"type": "end"} for number in range(2_001)}}, "<= 2000"),
        ({"edges": {"x": {"source": "a"}}}, "source_port"),
        ({"nodes": None}, "nodes"),
    ],
)
def test_what_is_no_file_of_ours_is_refused_and_leaves_nothing(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        answer = await ada.post(IMPORT, json={"workspace_id": "lab", "file": FILE | change})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_file")
        assert said in answer.json()["message"]
        assert (await ada.get(HERE, params={"workspace_id": "lab"})).json()["items"] == []

    play(tmp_path, scenario)


def test_what_no_document_can_hold_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        deep: Any = 1
        for _ in range(100):
            deep = {"deeper": deep}
        file = FILE | {"nodes": {"a": {"type": "start", "params": {"x": deep}}}}
        answer = await ada.post(IMPORT, json={"workspace_id": "lab", "file": file})
        assert (answer.status_code, answer.json()["code"]) == (400, "too_deep")
        assert (await ada.get(HERE, params={"workspace_id": "lab"})).json()["items"] == []
        assert (await ada.get("/collaboration/documents/lab")).json()["items"] == []

    play(tmp_path, scenario)


def test_edges_of_a_file_get_the_keys_that_their_ends_make(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        nodes = {"a": {"type": "start"}, "b": {"type": "end"}}
        file = FILE | {"nodes": nodes, "edges": {"e1": edge_of("a", "b")}}
        made = (await ada.post(IMPORT, json={"workspace_id": "lab", "file": file, "title": "Mine"})).json()
        assert made["title"] == "Mine"
        assert list((await content_of(node, made))["edges"]) == ["a:out>b:in"]
        assert (await node.client("eve").post(IMPORT, json={"workspace_id": "lab", "file": file})).status_code == 403
        assert (await node.client("zoe").post(IMPORT, json={"workspace_id": "lab", "file": file})).status_code == 404

    play(tmp_path, scenario)


def test_a_workflow_is_duplicated_as_it_is_drawn_or_was_published(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        workflow = await drawn_workflow(ada)
        await published(ada, workflow)
        await draw(ada, workflow, small_diagram("9"))
        one = f"{HERE}/{workflow['id']}/duplicate"
        of_draft = (await node.client("bob").post(one, json={})).json()
        assert (of_draft["title"], of_draft["created_by"], of_draft["newest_version"]) == (
            "Nightly (copy)",
            "bob",
            None,
        )
        assert (await content_of(node, of_draft))["nodes"]["sum"]["params"] == {"expression": "9"}
        of_version = (await ada.post(one, json={"version": "1", "title": "Old"})).json()
        copied = await content_of(node, of_version)
        assert (of_version["title"], copied["meta"]["name"]) == ("Old", "Old")
        assert copied["nodes"]["sum"]["params"] == {"expression": "1 + 1"}
        assert (await node.client("eve").post(one, json={})).status_code == 403

    play(tmp_path, scenario)


def test_a_large_diagram_is_imported_checked_and_published_whole(tmp_path: Path) -> None:
    """It is worked out in a worker: 400 nodes, more than are read on the loop."""

    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        names = ["begin", *(f"step-{number}" for number in range(400)), "finish"]
        nodes = {name: node_of("transform", params={"expression": "1"}) for name in names[1:-1]}
        nodes |= {"begin": node_of("start"), "finish": node_of("end")}
        edges = {str(at): edge_of(*pair) for at, pair in enumerate(itertools.pairwise(names))}
        file = FILE | {"nodes": nodes, "edges": edges}
        made = (await ada.post(IMPORT, json={"workspace_id": "lab", "file": file})).json()
        checked = (await ada.post(f"{HERE}/{made['id']}/validate", json={})).json()
        assert (checked["can_be_published"], checked["violations"][:3]) == (True, [])
        version = (await published(ada, made))["version"]
        assert (version["nodes"], version["edges"]) == (402, 401)

    play(tmp_path, scenario)


def test_a_workflow_leaves_as_bpmn(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        workflow = await drawn_workflow(ada)
        answer = await ada.get(f"{HERE}/{workflow['id']}/export", params={"format": "bpmn"})
        assert answer.headers["content-type"].startswith("application/xml")
        root = ElementTree.fromstring(answer.content)
        assert root.tag == "{http://www.omg.org/spec/BPMN/20100524/MODEL}definitions"
        assert b"BPMNShape" in answer.content

    play(tmp_path, scenario)


def test_a_workflow_of_n8n_comes_in_with_placeholders(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        begin = {"name": "Begin", "type": "n8n-nodes-base.manualTrigger", "position": [0, 0]}
        odd = {"name": "Odd", "type": "n8n-nodes-base.nothingKnown", "position": [200, 0], "parameters": {"x": 1}}
        led = {"Begin": {"main": [[{"node": "Odd", "type": "main", "index": 0}]]}}
        file = {"name": "From n8n", "nodes": [begin, odd], "connections": led}
        made = await ada.post(IMPORT, json={"workspace_id": "lab", "file": file, "format": "n8n"})
        assert made.status_code == 201, made.text
        assert made.json()["title"] == "From n8n"
        nodes = (await content_of(node, made.json()))["nodes"].values()
        assert sorted(each["type"] for each in nodes) == ["placeholder", "start"]
        wrong = await ada.post(IMPORT, json={"workspace_id": "lab", "file": FILE, "format": "n8n"})
        assert (wrong.status_code, wrong.json()["code"]) == (400, "bad_file")

    play(tmp_path, scenario)
