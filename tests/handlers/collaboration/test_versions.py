"""Versions over HTTP: named, renamed, deleted, restored under open editors."""

from pathlib import Path
from typing import Any

import pytest
from editor import open_editor, row_of
from http_node import Node, play
from pycrdt import Text

from crdt.room import RESTORE
from handlers.access import Role
from storage import update_log

HERE = "/collaboration/documents/lab/plan"
VERSIONS = f"{HERE}/versions"

RICH = {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Hello"}]}]}
RICHER = {"type": "doc", "content": [*RICH["content"], {"type": "heading", "attrs": {"level": 2}}]}


async def written(node: Node, kind: str | None, *contents: Any) -> Any:
    """A client of an editor of a document that held each of the contents in turn."""
    await node.make_workspace("lab", ada=Role.EDITOR, bob=Role.EDITOR, eve=Role.VIEWER)
    ada = node.client("ada")
    await ada.post("/collaboration/documents/lab", json={"id": "plan", **({"kind": kind} if kind else {})})
    for content in contents:
        form = "text" if isinstance(content, str) else "json"
        answer = await ada.put(f"{HERE}/content", json={form: content})
        assert answer.status_code == 200, answer.text
    return ada


def test_a_version_is_named_listed_renamed_and_deleted(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await written(node, "text", "a", "b")
        made = await ada.post(VERSIONS, json={"name": "First draft"})
        assert made.status_code == 201
        version = made.json()
        assert version == {
            "id": version["id"],
            "number": 2,
            "name": "First draft",
            "automatic": False,
            "created_by": "ada",
            "created_at": "2026-03-01T09:00:00Z",
        }
        earlier = (await node.client("bob").post(VERSIONS, json={"name": "Before", "at": 1})).json()
        assert (earlier["number"], earlier["created_by"]) == (1, "bob")
        assert (await ada.get(VERSIONS)).json()["items"] == [earlier, version]
        assert (await ada.get(f"{VERSIONS}/{version['id']}")).json() == version
        assert (await ada.get(f"{HERE}/content?at={earlier['id']}")).json()["text"] == "a"

        renamed = await ada.patch(f"{VERSIONS}/{version['id']}", json={"name": "Second draft"})
        assert renamed.json() == version | {"name": "Second draft"}
        assert (await ada.delete(f"{VERSIONS}/{version['id']}")).status_code == 204
        for request in (
            ada.get(f"{VERSIONS}/{version['id']}"),
            ada.patch(f"{VERSIONS}/{version['id']}", json={"name": "x"}),
            ada.delete(f"{VERSIONS}/{version['id']}"),
            ada.post(f"{VERSIONS}/{version['id']}/restore"),
            ada.get(f"{VERSIONS}/7"),
        ):
            answer = await request
            assert (answer.status_code, answer.json()["code"]) == (404, "no_such_version")
        actions = [row.action.rpartition("collaboration.")[2] for row in await node.audited()]
        assert actions[-4:] == ["versions.create", "versions.create", "versions.update", "versions.delete"]

    play(tmp_path, scenario)


def test_a_version_of_now_holds_what_was_typed_a_moment_ago(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await written(node, "text")
        editor = await open_editor(node.parts, "eve", "plan")
        editor.type("just now")
        version = (await ada.post(VERSIONS, json={"name": "x"})).json()
        assert (await ada.get(f"{HERE}/content?at={version['id']}")).json()["text"] == "just now"

    play(tmp_path, scenario)


def test_versions_of_other_documents_are_not_found(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await written(node, "text", "a")
        version = (await ada.post(VERSIONS, json={"name": "x"})).json()["id"]
        await ada.put("/collaboration/documents/lab/other/content", json={"text": "b"})
        other = f"/collaboration/documents/lab/other/versions/{version}"
        assert (await ada.get(other)).status_code == 404
        assert (await ada.post(f"{other}/restore")).status_code == 404

    play(tmp_path, scenario)


def test_readers_see_versions_and_change_none(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await written(node, "text", "a")
        version = (await ada.post(VERSIONS, json={"name": "x"})).json()["id"]
        eve = node.client("eve")
        assert (await eve.get(VERSIONS)).status_code == 200
        assert (await eve.post(VERSIONS, json={"name": "y"})).status_code == 403
        assert (await eve.post(f"{VERSIONS}/{version}/restore")).status_code == 403

    play(tmp_path, scenario)


def test_a_restore_is_an_edit_that_open_editors_see(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await written(node, "text", "one\ntwo\nthree\n")
        version = (await ada.post(VERSIONS, json={"name": "x"})).json()["id"]
        editor = await open_editor(node.parts, "eve", "plan")
        editor.edit(lambda doc: doc.get("content", type=Text).__delitem__(slice(4, 8)))
        editor.type("four\n")
        cursor = editor.doc.get("content", type=Text).sticky_index(6)
        restored = await node.client("bob").post(f"{VERSIONS}/{version}/restore")
        assert restored.status_code == 200
        answer = restored.json()
        assert answer["number"] == 4
        assert (answer["before"]["number"], answer["before"]["automatic"]) == (3, True)
        assert editor.text() == "one\ntwo\nthree\n"
        assert cursor.get_index() == len("one\ntwo\nth"), "it stays where it was in the text"
        assert editor.refused == []

        editor.type("and on")
        assert (await ada.get(f"{HERE}/content")).json()["text"] == "one\ntwo\nthree\nand on"
        before = (await ada.get(f"{HERE}/content?at={answer['before']['id']}")).json()["text"]
        assert before == "one\nthree\nfour\n"
        row = await row_of(node.parts, "lab", "plan")
        line = (await update_log.read(node.parts.database, row.id, 3, 1))[0]
        assert (line.author, line.origin) == ("bob", RESTORE)

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("text", "a 🎉 b", "completely different"),
        ("richtext", RICH, RICHER),
        ("map", {"a": {"b": [1, 2]}, "c": None}, {"a": 1}),
        (
            "diagram",
            {"meta": {}, "nodes": {"n": {"name": "N", "type": "scan"}}, "edges": {}, "notes": {}},
            {"meta": {"name": "x"}, "nodes": {}, "edges": {}, "notes": {}},
        ),
    ],
)
def test_every_kind_is_restored_and_back_again(tmp_path: Path, kind: str, old: Any, new: Any) -> None:
    async def scenario(node: Node) -> None:
        ada = await written(node, kind, old)
        version = (await ada.post(VERSIONS, json={"name": "x"})).json()["id"]
        await ada.put(f"{HERE}/content", json={"text" if kind == "text" else "json": new})

        async def content() -> Any:
            return (await ada.get(f"{HERE}/content?format=json")).json()["json"]

        replaced = await content()
        restored = (await ada.post(f"{VERSIONS}/{version}/restore")).json()
        assert await content() == old
        await ada.post(f"{VERSIONS}/{restored['before']['id']}/restore")
        assert await content() == replaced

    play(tmp_path, scenario)


def test_a_document_is_restored_to_nothing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await written(node, None)
        editor = await open_editor(node.parts, "eve", "plan")
        version = (await ada.post(VERSIONS, json={"name": "blank"})).json()
        assert version["number"] == 0
        nothing = await ada.post(f"{VERSIONS}/{version['id']}/restore")
        assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_to_restore")
        editor.type("a page", root="codemirror")
        restored = await ada.post(f"{VERSIONS}/{version['id']}/restore")
        assert restored.json()["before"]["number"] == 1
        assert editor.text("codemirror") == ""

    play(tmp_path, scenario)


def test_restoring_what_is_there_changes_nothing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await written(node, "text", "a")
        version = (await ada.post(VERSIONS, json={"name": "x"})).json()
        restored = (await ada.post(f"{VERSIONS}/{version['id']}/restore")).json()
        assert restored == {"number": 1, "before": version}
        assert len((await ada.get(VERSIONS)).json()["items"]) == 1

    play(tmp_path, scenario)


def test_an_automatic_version_that_gets_a_name_is_not_automatic_any_more(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await written(node, "text", "a")
        first = (await ada.post(VERSIONS, json={"name": "x"})).json()["id"]
        await ada.put(f"{HERE}/content", json={"text": "b"})
        before = (await ada.post(f"{VERSIONS}/{first}/restore")).json()["before"]

        async def ids(query: str) -> list[str]:
            return [item["id"] for item in (await ada.get(f"{VERSIONS}?{query}")).json()["items"]]

        assert await ids("automatic=true") == [before["id"]]
        assert await ids("automatic=false") == [first]
        named = (await ada.patch(f"{VERSIONS}/{before['id']}", json={"name": "keep"})).json()
        assert (named["name"], named["automatic"]) == ("keep", False)
        assert await ids("automatic=true") == []
        assert await ids("limit=1") == [before["id"]]

    play(tmp_path, scenario)


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "a\nb"}, {"name": "a" * 201}, {"name": "x", "at": 5}])
def test_a_bad_version_is_refused(tmp_path: Path, body: dict[str, Any]) -> None:
    async def scenario(node: Node) -> None:
        ada = await written(node, "text", "a")
        assert (await ada.post(VERSIONS, json=body)).status_code == 400
        assert (await ada.get(VERSIONS)).json()["items"] == []

    play(tmp_path, scenario)


def test_a_large_document_is_restored(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        text = "".join(f"line {index}\n" for index in range(10_000))
        ada = await written(node, "text", text)
        version = (await ada.post(VERSIONS, json={"name": "x"})).json()["id"]
        editor = await open_editor(node.parts, "eve", "plan")
        editor.edit(lambda doc: doc.get("content", type=Text).__delitem__(slice(10, 50_000)))
        assert (await ada.post(f"{VERSIONS}/{version}/restore")).status_code == 200
        assert editor.text() == text

    play(tmp_path, scenario)
