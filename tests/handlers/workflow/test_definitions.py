"""Workflows over HTTP: made, listed, described, put in the trash."""

from pathlib import Path

from drawn_workflows import HERE, drawn_workflow, published, small_diagram, with_workspace
from http_node import Node, play


def test_a_workflow_is_made_found_described_and_deleted(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        made = await ada.post(HERE, json={"workspace_id": "lab", "title": "Nightly", "description": "Scans."})
        assert made.status_code == 201
        workflow = made.json()
        assert workflow == {
            "id": workflow["id"],
            "workspace_id": "lab",
            "document_id": workflow["document_id"],
            "title": "Nightly",
            "description": "Scans.",
            "number": 1,
            "newest_version": None,
            "created_by": "ada",
            "created_at": "2026-03-01T09:00:00Z",
            "updated_by": "ada",
            "updated_at": workflow["updated_at"],
            "trashed_by": None,
            "trashed_at": None,
        }
        one = f"{HERE}/{workflow['id']}"
        assert (await ada.get(one)).json() == workflow
        content = (await ada.get(f"/collaboration/documents/lab/{workflow['document_id']}/content")).json()
        assert (content["kind"], content["json"]["meta"]["name"]) == ("diagram", "Nightly")

        assert (await ada.patch(one, json={"title": "Weekly"})).json() == workflow | {"title": "Weekly"}
        changed = (await ada.patch(one, json={"description": ""})).json()
        assert (changed["title"], changed["description"]) == ("Weekly", "")
        listed = (await ada.get(HERE, params={"workspace_id": "lab"})).json()
        assert listed == {"items": [changed], "next_cursor": None}

        assert (await ada.delete(one)).status_code == 403
        assert (await node.client("max").delete(one)).status_code == 204
        assert (await ada.get(one)).json()["code"] == "in_trash"
        assert (await ada.get(HERE, params={"workspace_id": "lab"})).json()["items"] == []
        [trashed] = (await ada.get(HERE, params={"workspace_id": "lab", "trashed": "true"})).json()["items"]
        assert (trashed["id"], trashed["trashed_by"]) == (workflow["id"], "max")
        back = await ada.post(f"/collaboration/documents/lab/{workflow['document_id']}/restore")
        assert back.status_code == 200
        assert (await ada.get(one)).status_code == 200
        actions = [row.action for row in await node.audited() if row.action.startswith("workflow.")]
        assert [action.rpartition(".")[2] for action in actions if "refused" not in action][:3] == [
            "create",
            "update",
            "update",
        ]

    play(tmp_path, scenario)


def test_a_diagram_that_people_drew_becomes_a_workflow(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        documents = "/collaboration/documents/lab"
        await ada.post(documents, json={"id": "flow", "title": "The flow", "kind": "diagram"})
        await ada.put(f"{documents}/flow/content", json={"json": small_diagram()})
        await ada.post(documents, json={"id": "notes", "kind": "text"})
        made = await ada.post(HERE, json={"workspace_id": "lab", "document_id": "flow"})
        assert made.status_code == 201
        workflow = made.json()
        assert (workflow["title"], workflow["document_id"], workflow["number"]) == ("The flow", "flow", 1)
        assert (await published(ada, workflow))["version"]["nodes"] == 3
        for document, status, code in (
            ("flow", 409, "workflow_exists"),
            ("notes", 409, "not_a_diagram"),
            ("nothing", 404, "no_such_document"),
        ):
            answer = await ada.post(HERE, json={"workspace_id": "lab", "document_id": document})
            assert (answer.status_code, answer.json()["code"]) == (status, code)
        for body in ({}, {"title": "x", "document_id": "flow"}):
            answer = await ada.post(HERE, json={"workspace_id": "lab", **body})
            assert answer.status_code == 400
            assert "either" in answer.json()["message"]

    play(tmp_path, scenario)


def test_of_another_workspace_nothing_is_told(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        one = f"{HERE}/{(await drawn_workflow(ada))['id']}"
        zoe, eve = node.client("zoe"), node.client("eve")
        assert (await zoe.get(HERE, params={"workspace_id": "lab"})).status_code == 404
        for method, path, body in (
            ("GET", one, None),
            ("PATCH", one, {"title": "x"}),
            ("DELETE", one, None),
            ("POST", f"{one}/validate", {}),
            ("POST", f"{one}/publish", {}),
        ):
            refused = await zoe.request(method, path, json=body)
            nowhere = await zoe.request(method, path.replace(one, f"{HERE}/987"), json=body)
            assert refused.status_code == nowhere.status_code == 404
            assert refused.json()["code"] == nowhere.json()["code"] == "no_such_workflow"
            expected = 200 if method == "GET" else 403
            assert (await eve.request(method, path, json=body)).status_code == expected

    play(tmp_path, scenario)


def test_lists_go_on_where_a_page_ended(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        for title in ("a", "b", "c"):
            await ada.post(HERE, json={"workspace_id": "lab", "title": title})
        first = (await ada.get(HERE, params={"workspace_id": "lab", "limit": 2})).json()
        assert [each["title"] for each in first["items"]] == ["c", "b"]
        cursor = first["next_cursor"]
        rest = (await ada.get(HERE, params={"workspace_id": "lab", "limit": 2, "cursor": cursor})).json()
        assert ([each["title"] for each in rest["items"]], rest["next_cursor"]) == (["a"], None)

    play(tmp_path, scenario)
