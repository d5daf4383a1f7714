"""Diffs over HTTP: between numbers, times and versions."""

from pathlib import Path
from typing import Any

import pytest
from http_node import Node, play

from handlers.access import Role

HERE = "/collaboration/documents/lab/plan"


async def written(node: Node, kind: str, *contents: Any) -> Any:
    """A client of an editor of a document that held each of the contents in turn."""
    await node.make_workspace("lab", ada=Role.EDITOR)
    ada = node.client("ada")
    await ada.post("/collaboration/documents/lab", json={"id": "plan", "kind": kind})
    for content in contents:
        answer = await ada.put(f"{HERE}/content", json={"text" if kind == "text" else "json": content})
        assert answer.status_code == 200, answer.text
    return ada


def test_text_is_compared_in_hunks(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await written(node, "text", "one two three", "one 2 three 🎉")
        diff = (await ada.get(f"{HERE}/diff?from=1&to=2")).json()
        hunks = diff.pop("text")
        assert diff == {"from_number": 1, "to_number": 2, "kind": "text", "root": "content"}
        assert "".join(hunk["text"] for hunk in hunks if hunk["op"] != "insert") == "one two three"
        assert "".join(hunk["text"] for hunk in hunks if hunk["op"] != "delete") == "one 2 three 🎉"
        assert {"op": "delete", "text": "two", "old": 4, "new": 4} in hunks
        back = (await ada.get(f"{HERE}/diff?from=2&to=1")).json()["text"]
        assert {"op": "insert", "text": "two", "old": 5, "new": 4} in back

    play(tmp_path, scenario)


def test_maps_are_compared_as_json_unless_asked_otherwise(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await written(node, "map", {"a": 1, "b": None}, {"a": 2, "c": [None]})
        assert (await ada.get(f"{HERE}/diff?from=1")).json()["json"] == [
            {"op": "replace", "path": "/a", "value": 2, "old": 1},
            {"op": "remove", "path": "/b", "old": None},
            {"op": "add", "path": "/c", "value": [None]},
        ]
        assert (await ada.get(f"{HERE}/diff?from=1&format=text")).json()["text"][0]["op"] == "equal"

    play(tmp_path, scenario)


def test_points_may_be_versions_and_times(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await written(node, "text", "a", "b", "c")
        version = (await ada.post(f"{HERE}/versions", json={"name": "B", "at": 2})).json()["id"]
        diff = (await ada.get(f"{HERE}/diff?from=2000-01-01T00:00:00Z&to={version}")).json()
        assert (diff["from_number"], diff["to_number"]) == (0, 2)
        assert [(hunk["op"], hunk["text"]) for hunk in diff["text"]] == [("insert", "b")]
        now = (await ada.get(f"{HERE}/diff", params={"from": version})).json()
        assert (now["from_number"], now["to_number"]) == (2, 3)

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("from=9", 400), ("from=0&to=x", 400), ("from=v99", 404), ("from=0&format=yjs", 400)],
)
def test_what_is_no_point_is_refused(tmp_path: Path, query: str, status: int) -> None:
    async def scenario(node: Node) -> None:
        ada = await written(node, "text", "a")
        assert (await ada.get(f"{HERE}/diff?{query}")).status_code == status

    play(tmp_path, scenario)


def test_nothing_differs_in_an_empty_document(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        await ada.post("/collaboration/documents/lab", json={"id": "plan"})
        assert (await ada.get(f"{HERE}/diff?from=0")).json() == {
            "from_number": 0,
            "to_number": 0,
            "kind": None,
            "root": None,
            "text": [],
        }

    play(tmp_path, scenario)


def test_large_texts_are_compared_in_a_worker(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        text = "".join(f"line {index}\n" for index in range(10_000))
        ada = await written(node, "text", text, text.replace("line 5000\n", "another\n"))
        changed = [hunk for hunk in (await ada.get(f"{HERE}/diff?from=1")).json()["text"] if hunk["op"] != "equal"]
        assert [(hunk["op"], hunk["text"]) for hunk in changed] == [("delete", "line 5000"), ("insert", "another")]

    play(tmp_path, scenario)
