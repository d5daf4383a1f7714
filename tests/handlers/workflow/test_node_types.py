"""The types of nodes, as panels ask for them."""

from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
from http_node import Node, play

from analysis.workflow.node_types import NODE_TYPES

PATH = "/workflow/designer/node-types"


def test_all_are_told_with_ports_and_schemas(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        told = {each["type"]: each for each in (await ada.get(PATH)).json()["items"]}
        assert list(told) == list(NODE_TYPES)
        for each in told.values():
            jsonschema.Draft202012Validator.check_schema(each["parameters"])
        condition = told["condition"]
        assert [port["name"] for port in condition["outputs"]] == ["true", "false"]
        assert condition["expressions"] == {"expression": "boolean"}
        assert (told["start"]["inputs"], told["start"]["executable"]) == ([], False)
        assert (await node.client(None).get(PATH)).status_code == 401

    play(tmp_path, scenario)


def test_one_is_told_by_its_name(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        [approval] = (await ada.get(PATH, params={"type": "approval"})).json()["items"]
        assert approval["references"] == {"approvers/*": "user"}
        unknown = await ada.get(PATH, params={"type": "teapot"})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "no_such_type")
        assert "transform" in unknown.json()["message"]

    play(tmp_path, scenario)
