"""What a workflow names outside of itself is looked up before it is published."""

from pathlib import Path
from typing import Any

from drawn_workflows import (
    HERE,
    diagram_with,
    draw,
    drawn_workflow,
    edge_of,
    node_of,
    published,
    small_diagram,
    with_workspace,
)
from http_node import Node, play


def with_node(type_: str, **params: Any) -> dict[str, Any]:
    nodes = {"begin": node_of("start"), "there": node_of(type_, params=params)}
    return diagram_with(nodes, edge_of("begin", "there"))


async def errors_of(node: Node, workflow: dict[str, Any]) -> dict[str, str]:
    """The codes of the errors, by their places."""
    checked = (await node.client("ada").post(f"{HERE}/{workflow['id']}/validate", json={})).json()
    return {each["path"]: each["code"] for each in checked["violations"] if each["severity"] == "error"}


def test_what_is_not_of_the_workspace_is_missing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        workflow = await drawn_workflow(ada, with_node("approval", approvers=["bob", "zoe"], needed=1))
        path = "/nodes/there/params/approvers/1"
        assert (await errors_of(node, workflow)).get(path) == "reference.missing"
        await draw(ada, workflow, with_node("set_content", document_id="nowhere", text="x"))
        assert "reference.missing" in (await errors_of(node, workflow)).values()
        refused = await ada.post(f"{HERE}/{workflow['id']}/publish", json={})
        assert refused.json()["code"] == "workflow_invalid"
        await ada.post("/collaboration/documents/lab", json={"id": "nowhere"})
        assert "reference.missing" not in (await errors_of(node, workflow)).values()

    play(tmp_path, scenario)


def test_workflows_that_call_each_other_in_a_circle_are_not_published(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        outer, inner = await drawn_workflow(ada), await drawn_workflow(ada)
        await draw(ada, outer, with_node("sub_workflow", workflow_id=str(inner["id"])))
        assert "reference.missing" not in (await errors_of(node, outer)).values()
        await published(ada, inner)
        await published(ada, outer)
        await draw(ada, inner, with_node("sub_workflow", workflow_id=str(outer["id"])))
        assert "workflow.recursion" in (await errors_of(node, inner)).values()
        await draw(ada, outer, with_node("sub_workflow", workflow_id=str(outer["id"])))
        assert "workflow.recursion" in (await errors_of(node, outer)).values()

    play(tmp_path, scenario)


def test_what_is_too_large_is_told_in_few_words(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        workflow = await drawn_workflow(ada)
        nodes = {f"n{number}": {"type": "nothing of ours"} for number in range(2_100)}
        await draw(ada, workflow, small_diagram() | {"nodes": nodes, "edges": {}})
        checked = (await ada.post(f"{HERE}/{workflow['id']}/validate", json={})).json()
        assert checked["violations"][0]["code"] == "diagram.too_large"
        assert len(checked["violations"]) <= 500
        refused = await ada.post(f"{HERE}/{workflow['id']}/publish", json={})
        assert (refused.status_code, refused.json()["code"]) == (409, "workflow_invalid")
        assert len(refused.content) < 50_000

    play(tmp_path, scenario)
