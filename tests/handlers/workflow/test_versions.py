"""Versions of workflows over HTTP: listed, looked at, compared, drawn again under open editors."""

from pathlib import Path

from drawn_workflows import HERE, draw, drawn_workflow, edge_of, node_of, published, small_diagram, with_workspace
from editor import open_editor, row_of
from http_node import Node, play
from pycrdt import Map

from crdt.content import read_json
from crdt.room import RESTORE
from storage import update_log


def test_versions_are_listed_and_hold_what_was_published(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        workflow = await drawn_workflow(ada)
        made = [(await published(ada, workflow, message="one"))["version"]]
        for expression in ("2", "3"):
            await draw(ada, workflow, small_diagram(expression))
            made.append((await published(ada, workflow, message=expression))["version"])
        eve, here = node.client("eve"), f"{HERE}/{workflow['id']}/versions"
        first = (await eve.get(here, params={"limit": 2})).json()
        assert first["items"] == [made[2], made[1]]
        rest = (await eve.get(here, params={"limit": 2, "cursor": first["next_cursor"]})).json()
        assert rest == {"items": [made[0]], "next_cursor": None}

        second = (await eve.get(f"{here}/2")).json()
        form = second.pop("form")
        assert second == made[1]
        assert (form["schema"], form["name"]) == ("workflow/v1", "Nightly")
        assert form["nodes"]["sum"] == {
            "type": "transform",
            "type_version": 1,
            "name": "transform",
            "params": {"expression": "2"},
        }
        assert sorted(form["edges"]) == ["begin:out>sum:in", "sum:out>finish:in"]
        assert form["layout"]["nodes"]["sum"] == {"position": {"x": 0, "y": 0}}
        for path in (f"{here}/4", f"{here}/1/diff/4"):
            answer = await eve.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "no_such_version")
        assert (await node.client("zoe").get(f"{here}/2")).json()["code"] == "no_such_workflow"

    play(tmp_path, scenario)


def test_two_versions_are_compared_or_one_with_the_draft(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        workflow = await drawn_workflow(ada)
        await published(ada, workflow)
        diagram = small_diagram("2")
        diagram["nodes"]["wait"] = node_of("delay", params={"seconds": 1})
        diagram["edges"]["begin:out>wait:in"] = edge_of("begin", "wait")
        await draw(ada, workflow, diagram)
        here = f"{HERE}/{workflow['id']}/versions"
        with_draft = (await ada.get(f"{here}/1/diff/draft")).json()
        found = with_draft["differences"]
        assert [each["id"] for each in found["nodes_added"]] == ["wait"]
        assert found["edges_added"] == ["begin:out>wait:in"]
        [changed] = found["nodes_changed"]
        assert changed["changes"] == [
            {"path": "/params/expression", "kind": "changed", "before": "1 + 1", "after": "2"}
        ]
        assert (found["nodes_removed"], found["edges_removed"], found["layout_changed"]) == ([], [], True)
        await published(ada, workflow)
        assert (await ada.get(f"{here}/1/diff/2")).json()["differences"] == found
        back = (await ada.get(f"{here}/2/diff/1")).json()["differences"]
        assert [each["id"] for each in back["nodes_removed"]] == ["wait"]
        assert (await ada.get(f"{here}/1/diff/newest")).status_code == 400

    play(tmp_path, scenario)


def test_a_version_is_drawn_again_under_open_editors_and_taken_back(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        workflow = await drawn_workflow(ada)
        await published(ada, workflow)
        document = f"/collaboration/documents/lab/{workflow['document_id']}"
        editor = await open_editor(node.parts, "ada", workflow["document_id"])
        nodes_before = read_json(editor.doc, "diagram", "")["nodes"]
        editor.edit(lambda doc: doc.get("nodes", type=Map)["sum"]["params"].__setitem__("expression", "5"))
        editor.edit(lambda doc: doc.get("nodes", type=Map).pop("finish"))
        editor.edit(lambda doc: doc.get("meta", type=Map).__setitem__("colour", "green"))
        await editor.saved()
        drawn = read_json(editor.doc, "diagram", "")

        restored = await node.client("bob").post(f"{HERE}/{workflow['id']}/versions/1/restore", json={})
        assert restored.status_code == 200, restored.text
        answer = restored.json()
        now = read_json(editor.doc, "diagram", "")
        assert now["nodes"] == nodes_before
        assert sorted(now["edges"]) == ["begin:out>sum:in", "sum:out>finish:in"]
        assert now["meta"]["colour"] == "green", "what no version holds stays"
        assert editor.refused == []
        row = await row_of(node.parts, "lab", workflow["document_id"])
        line = (await update_log.read(node.parts.database, row.id, answer["number"] - 1, 1))[0]
        assert (line.author, line.origin) == ("bob", RESTORE)
        versions = (await ada.get(f"{HERE}/{workflow['id']}/versions")).json()["items"]
        assert [each["version"] for each in versions] == [1], "nothing is published by it"

        back = await node.client("bob").post(f"{document}/versions/{answer['before']}/restore", json={})
        assert back.status_code == 200
        assert read_json(editor.doc, "diagram", "") == drawn

    play(tmp_path, scenario)


def test_readers_draw_nothing_again(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        workflow = await drawn_workflow(ada)
        await published(ada, workflow)
        restore = f"{HERE}/{workflow['id']}/versions/1/restore"
        assert (await node.client("eve").post(restore, json={})).status_code == 403
        assert (await node.client("zoe").post(restore, json={})).status_code == 404
        assert (await ada.post(restore.replace("versions/1", "versions/2"), json={})).json()[
            "code"
        ] == "no_such_version"

    play(tmp_path, scenario)
