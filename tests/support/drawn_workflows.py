"""A workflow for tests, and people who draw in it."""

from typing import Any

import httpx
from editor import Editor
from http_node import Node
from pycrdt import Map

from handlers.access import Role

HERE = "/workflow/designer/workflows"

Json = dict[str, Any]


def node_of(type_: str, **fields: Any) -> Json:
    return {"type": type_, "type_version": 1, "name": type_, "position": {"x": 0, "y": 0}, "params": {}, **fields}


def edge_of(source: str, target: str, port: str = "out") -> Json:
    return {"source": source, "source_port": port, "target": target, "target_port": "in"}


def diagram_with(nodes: Json, *edges: Json) -> Json:
    keys = ("source", "source_port", "target", "target_port")
    named = {"{}:{}>{}:{}".format(*(edge[key] for key in keys)): edge for edge in edges}
    return {"meta": {"name": "Nightly", "schema_version": 1}, "nodes": nodes, "edges": named, "notes": {}}


def small_diagram(expression: str = "1 + 1") -> Json:
    """One that can be published."""
    nodes = {
        "begin": node_of("start"),
        "sum": node_of("transform", params={"expression": expression}),
        "finish": node_of("end"),
    }
    return diagram_with(nodes, edge_of("begin", "sum"), edge_of("sum", "finish"))


async def with_workspace(node: Node) -> httpx.AsyncClient:
    """The client of an editor of the workspace `lab`, which has another, a viewer and an administrator."""
    await node.make_workspace("lab", ada=Role.EDITOR, bob=Role.EDITOR, eve=Role.VIEWER, max=Role.ADMIN)
    await node.make_workspace("attic", zoe=Role.OWNER)
    return node.client("ada")


async def draw(client: httpx.AsyncClient, workflow: Json, diagram: Json) -> None:
    answer = await client.put(f"/collaboration/documents/lab/{workflow['document_id']}/content", json={"json": diagram})
    assert answer.status_code == 200, answer.text


async def drawn_workflow(client: httpx.AsyncClient, diagram: Json | None = None) -> Json:
    """A workflow with the diagram."""
    made = await client.post(HERE, json={"workspace_id": "lab", "title": "Nightly"})
    assert made.status_code == 201, made.text
    workflow: Json = made.json()
    await draw(client, workflow, small_diagram() if diagram is None else diagram)
    return workflow


async def published(client: httpx.AsyncClient, workflow: Json, **body: Any) -> Json:
    answer = await client.post(f"{HERE}/{workflow['id']}/publish", json=body)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def params_of(editor: Editor, node_id: str) -> Map[Any]:
    """The shared parameters of a node, as the editor has them."""
    shared: Map[Any] = editor.doc.get("nodes", type=Map)[node_id]["params"]
    return shared
