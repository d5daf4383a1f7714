"""Blame over HTTP: who wrote which characters."""

from pathlib import Path
from typing import Any

from editor import open_editor, row_of
from http_node import Node, play
from pycrdt import Text

from handlers.access import Role
from storage import update_log

HERE = "/collaboration/documents/lab/plan"


async def make(node: Node, kind: str = "text") -> Any:
    await node.make_workspace("lab", ada=Role.EDITOR, bob=Role.EDITOR)
    ada = node.client("ada")
    await ada.post("/collaboration/documents/lab", json={"id": "plan", "kind": kind})
    return ada


def told(answer: dict[str, Any]) -> list[tuple[str | None, str]]:
    return [(span["author"], span["text"]) for span in answer["spans"]]


def test_every_character_has_its_author(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node)
        editor = await open_editor(node.parts, "eve", "plan")
        await ada.put(f"{HERE}/content", json={"text": "Hello world 🎉"})
        editor.edit(lambda doc: doc.get("content", type=Text).insert(6, "wide "))
        await editor.saved()
        await node.client("bob").patch(
            f"{HERE}/content", json={"splices": [{"position": 0, "delete": 1, "insert": "J"}]}
        )
        blame = (await ada.get(f"{HERE}/blame")).json()
        assert (blame["number"], blame["kind"], blame["root"]) == (3, "text", "content")
        assert told(blame) == [("bob", "J"), ("ada", "ello "), ("eve", "wide "), ("ada", "world 🎉")]
        assert [(span["start"], span["end"]) for span in blame["spans"]] == [(0, 1), (1, 6), (6, 11), (11, 18)]
        assert blame["spans"][2]["number"] == 2
        assert told((await ada.get(f"{HERE}/blame?at=1")).json()) == [("ada", "Hello world 🎉")]
        assert told((await ada.get(f"{HERE}/blame?at=0")).json()) == []

    play(tmp_path, scenario)


def test_neighbours_of_one_author_are_one_unless_asked_otherwise(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node)
        editor = await open_editor(node.parts, "eve", "plan")
        for letter in "abc":
            editor.type(letter)
        await editor.saved()
        assert told((await ada.get(f"{HERE}/blame")).json()) == [("eve", "abc")]
        single = (await ada.get(f"{HERE}/blame?grouped=false")).json()
        assert [(span["text"], span["number"]) for span in single["spans"]] == [("a", 1), ("b", 2), ("c", 3)]

    play(tmp_path, scenario)


def test_the_keys_of_a_diagram_have_theirs(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, "diagram")
        edit = {"op": "add", "path": "/nodes/n1", "value": {"type": "scan", "name": "Scan"}}
        await ada.patch(f"{HERE}/content", json={"edits": [edit]})
        rename = {"op": "replace", "path": "/nodes/n1/type", "value": "profile"}
        await node.client("bob").patch(f"{HERE}/content", json={"edits": [rename]})
        spans = (await ada.get(f"{HERE}/blame")).json()["spans"]
        assert {(span["path"], span["author"]) for span in spans} == {
            ("/nodes/n1/name", "ada"),
            ("/nodes/n1/type", "bob"),
        }

    play(tmp_path, scenario)


def test_what_it_is_may_have_to_be_told_from_the_log(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        await ada.post("/collaboration/documents/lab", json={"id": "plan"})
        assert (await ada.get(f"{HERE}/blame")).json() == {"number": 0, "kind": None, "root": None, "spans": []}
        editor = await open_editor(node.parts, "eve", "plan")
        editor.type("x", root="monaco")
        blame = (await ada.get(f"{HERE}/blame")).json()
        assert (blame["number"], blame["kind"], blame["root"], told(blame)) == (1, "text", "monaco", [("eve", "x")])

    play(tmp_path, scenario)


def test_a_long_log_is_read_in_a_worker(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node)
        first = await open_editor(node.parts, "eve", "plan")
        second = await open_editor(node.parts, "mel", "plan")
        for index in range(150):
            (first if index % 3 else second).type(f"{index} ")
        await second.saved()
        await first.saved()
        text = (await ada.get(f"{HERE}/content")).json()["text"]
        for index in range(150):
            first.type(f"{index} ")
        number = await first.saved()
        assert number == 300
        blame = (await ada.get(f"{HERE}/blame?at=150")).json()
        assert "".join(span["text"] for span in blame["spans"]) == text
        assert {author for author, _ in told(blame)} == {"eve", "mel"}
        for author, part in told(blame):
            assert all(int(word) % 3 == 0 for word in part.split()) == (author == "mel")

    play(tmp_path, scenario)


def test_where_the_log_was_trimmed_the_rest_is_nobodys(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node)
        await ada.put(f"{HERE}/content", json={"text": "old"})
        await ada.put(f"{HERE}/content", json={"text": "older"})
        row = await row_of(node.parts, "lab", "plan")
        state, number = await node.parts.rooms.state(row)
        await update_log.save_snapshot(node.parts.database, row.id, number, state)
        await update_log.trim(node.parts.database, row.id, 2)
        assert told((await ada.get(f"{HERE}/blame")).json()) == [(None, "older")]
        await ada.patch(f"{HERE}/content", json={"splices": [{"position": 5, "insert": " new"}]})
        assert told((await ada.get(f"{HERE}/blame")).json()) == [(None, "older"), ("ada", " new")]
        assert told((await ada.get(f"{HERE}/blame?at=2")).json()) == [(None, "older")]
        early = await ada.get(f"{HERE}/blame?at=1")
        assert (early.status_code, early.json()["code"]) == (404, "not_kept")
        assert (await ada.get(f"{HERE}/content?at=1")).json()["code"] == "not_kept"
        assert (await ada.get(f"{HERE}/content?at=2")).json()["text"] == "older"

    play(tmp_path, scenario)
