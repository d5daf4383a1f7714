"""Content over HTTP: read in each form, replaced, edited, merged, as it was; beside open editors."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from editor import open_editor, row_of
from http_node import Node, play
from pycrdt import Array, Doc, Map, Text

from handlers.access import Role
from handlers.parts import Limits
from storage import update_log

HERE = "/collaboration/documents/lab"
OCTETS = {"Content-Type": "application/octet-stream"}

PARAGRAPH = {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Hello"}]}]}
DIAGRAM = {
    "edges": {},
    "meta": {"name": "Flow"},
    "nodes": {"n1": {"name": "Profile", "position": {"x": 1, "y": 2}, "type": "profile"}},
    "notes": {},
}


async def make(node: Node, name: str = "plan", kind: str | None = None) -> Any:
    """A client of an editor of the workspace, and the document."""
    await node.make_workspace("lab", ada=Role.EDITOR, bob=Role.EDITOR, eve=Role.VIEWER)
    ada = node.client("ada")
    assert (await ada.post(HERE, json={"id": name, **({"kind": kind} if kind else {})})).status_code == 201
    return ada


@pytest.mark.parametrize(
    ("kind", "form", "value"),
    [
        ("text", "text", "Grüße 🎉 e\u0301"),
        ("text", "json", "as JSON it is a string"),
        ("richtext", "json", PARAGRAPH),
        ("map", "json", {"a": {"b": [1, 2.5, None, True, "x"]}}),
        ("diagram", "json", DIAGRAM),
    ],
)
def test_what_is_put_is_read(tmp_path: Path, kind: str, form: str, value: Any) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind=kind)
        put = await ada.put(f"{HERE}/plan/content", json={form: value})
        assert (put.status_code, put.json()) == (200, {"number": 1})
        read = (await ada.get(f"{HERE}/plan/content?format={form}")).json()
        assert read == {"number": 1, "kind": kind, "root": read["root"], form: value}
        assert (await ada.get(f"{HERE}/plan")).json()["number"] == 1
        again = await ada.put(f"{HERE}/plan/content", json={form: value})
        assert again.json() == {"number": 1}, "nothing had to change"

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("value", "kind"), [({"text": "x"}, "text"), ({"json": {"a": 1}}, "map"), ({"json": PARAGRAPH}, "richtext")]
)
def test_a_put_makes_the_document_and_says_what_it_is(tmp_path: Path, value: Any, kind: str) -> None:
    async def scenario(node: Node) -> None:
        await make(node, "other")
        bob = node.client("bob")
        assert (await bob.put(f"{HERE}/fresh/content", json=value)).status_code == 200
        read = (await bob.get(f"{HERE}/fresh/content")).json()
        assert read["kind"] == kind
        assert (await bob.get(f"{HERE}/fresh")).json()["kind"] == kind, "it is remembered"
        assert (await node.client("eve").put(f"{HERE}/x/content", json=value)).status_code == 403
        assert (await bob.put(f"{HERE}/@x/content", json=value)).json()["code"] == "bad_document_name"

    play(tmp_path, scenario)


def test_an_empty_document_reads_empty(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node)
        nothing = {"number": 0, "kind": None, "root": None}
        assert (await ada.get(f"{HERE}/plan/content")).json() == nothing | {"text": ""}
        assert (await ada.get(f"{HERE}/plan/content?format=json")).json() == nothing | {"json": None}
        assert (await ada.get(f"{HERE}/plan/content?format=yjs")).content == b"\x00\x00"

    play(tmp_path, scenario)


@pytest.mark.parametrize("kind", [None, "text"])
def test_the_root_is_told_from_what_an_editor_writes(tmp_path: Path, kind: str | None) -> None:
    """CodeMirror's and others' examples use names of their own."""

    async def scenario(node: Node) -> None:
        ada = await make(node, kind=kind)
        editor = await open_editor(node.parts, "bob", "plan")
        editor.type("from an editor", root="codemirror")
        await editor.saved()
        read = (await ada.get(f"{HERE}/plan/content")).json()
        assert read == {"number": 1, "kind": "text", "root": "codemirror", "text": "from an editor"}
        known = (await ada.get(f"{HERE}/plan")).json()
        assert (known["kind"], known["root"]) == ("text", "codemirror")
        await ada.patch(f"{HERE}/plan/content", json={"splices": [{"position": 0, "insert": "> "}]})
        assert editor.text("codemirror") == "> from an editor"

    play(tmp_path, scenario)


def test_edits_over_http_and_in_an_editor_meet_in_one_room(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind="text")
        editor = await open_editor(node.parts, "bob", "plan")
        await ada.put(f"{HERE}/plan/content", json={"text": "The quick fox"})
        assert editor.text() == "The quick fox"
        editor.type(" jumps")
        patched = await ada.patch(f"{HERE}/plan/content", json={"splices": [{"position": 10, "insert": "brown "}]})
        assert editor.text() == "The quick brown fox jumps"
        assert patched.json()["number"] == await editor.saved() == 3
        row = await row_of(node.parts, "lab", "plan")
        rows = await update_log.read(node.parts.database, row.id, 0, 10)
        assert [(line.author, line.origin) for line in rows] == [("ada", 2), ("bob", 0), ("ada", 2)]

    play(tmp_path, scenario)


def test_a_put_leaves_alone_what_stays(tmp_path: Path) -> None:
    """Whoever has the cursor in a paragraph that did not change keeps it."""

    async def scenario(node: Node) -> None:
        ada = await make(node, kind="text")
        await ada.put(f"{HERE}/plan/content", json={"text": "one\ntwo\nthree\n"})
        editor = await open_editor(node.parts, "bob", "plan")
        text = editor.doc.get("content", type=Text)
        cursor = text.sticky_index(9)
        await ada.put(f"{HERE}/plan/content", json={"text": "zero\none\n2\nthree\n"})
        assert editor.text() == "zero\none\n2\nthree\n"
        assert cursor.get_index() == len("zero\none\n2\nt")

    play(tmp_path, scenario)


def test_positions_are_code_points(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind="text")
        await ada.put(f"{HERE}/plan/content", json={"text": "a👩‍👩‍👧ée\u0301z"})
        splices = [{"position": 1, "delete": 5, "insert": "🎉"}, {"position": 3, "delete": 2}]
        assert (await ada.patch(f"{HERE}/plan/content", json={"splices": splices})).status_code == 200
        assert (await ada.get(f"{HERE}/plan/content")).json()["text"] == "a🎉éz"

    play(tmp_path, scenario)


def test_json_is_edited_at_pointers(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind="diagram")
        await ada.put(f"{HERE}/plan/content", json={"json": DIAGRAM})
        editor = await open_editor(node.parts, "bob", "plan")
        edits = [
            {"op": "test", "path": "/nodes/n1/type", "value": "profile"},
            {"op": "replace", "path": "/nodes/n1/position", "value": {"x": 5, "y": 6}},
            {"op": "add", "path": "/nodes/n2", "value": {"type": "scan", "name": "Scan"}},
            {"op": "remove", "path": "/meta/name"},
            {"op": "add", "path": "/meta/settings", "value": None},
        ]
        assert (await ada.patch(f"{HERE}/plan/content", json={"edits": edits})).json() == {"number": 2}
        nodes = editor.doc.get("nodes", type=Map).to_py()
        assert nodes is not None
        assert nodes["n1"]["position"] == {"x": 5, "y": 6}
        assert nodes["n2"]["name"] == "Scan"
        assert (await ada.get(f"{HERE}/plan/content")).json()["json"]["meta"] == {"settings": None}

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("kind", "body", "status", "code"),
    [
        ("text", {"splices": [{"position": 6}]}, 400, "out_of_range"),
        ("text", {"splices": [{"position": 4, "delete": 2}]}, 400, "out_of_range"),
        ("text", {"splices": [{"position": 0, "insert": "x"}, {"position": 9}]}, 400, "out_of_range"),
        ("text", {"edits": [{"op": "add", "path": "/a", "value": 1}]}, 400, "wrong_kind"),
        ("map", {"splices": [{"position": 0, "insert": "x"}]}, 400, "wrong_kind"),
        ("map", {"edits": [{"op": "test", "path": "/a", "value": 2}]}, 409, "test_failed"),
        ("map", {"edits": [{"op": "remove", "path": "/b"}]}, 409, "not_found"),
        ("map", {"edits": [{"op": "add", "path": "a", "value": 1}]}, 400, "bad_pointer"),
        ("map", {"edits": [{"op": "add", "path": "/a"}]}, 400, "invalid_request"),
        ("map", {"edits": [{"op": "move", "path": "/a", "from": "/b"}]}, 400, "invalid_request"),
        ("text", {"splices": [{"position": -1}]}, 400, "invalid_request"),
        ("text", {"splices": [{"position": 0}] * 1001}, 400, "invalid_request"),
        ("text", {}, 400, "invalid_request"),
        ("text", {"splices": [], "edits": []}, 400, "invalid_request"),
    ],
)
def test_an_edit_that_cannot_be_made_changes_nothing(
    tmp_path: Path, kind: str, body: dict[str, Any], status: int, code: str
) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind=kind)
        await ada.put(f"{HERE}/plan/content", json={"text": "Hello"} if kind == "text" else {"json": {"a": 1}})
        before = (await ada.get(f"{HERE}/plan/content")).json()
        answer = await ada.patch(f"{HERE}/plan/content", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert (await ada.get(f"{HERE}/plan/content")).json() == before

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    "body", [{}, {"text": "a", "json": {}}, {"text": 1}, {"json": [1]}, {"json": "x"}, {"text": "x"}]
)
def test_a_put_is_one_thing_and_fits_the_kind(tmp_path: Path, body: dict[str, Any]) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind="map")
        answer = await ada.put(f"{HERE}/plan/content", json=body)
        assert answer.status_code == 400, answer.text
        assert (await ada.get(f"{HERE}/plan")).json()["number"] == 0

    play(tmp_path, scenario)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_edit_may_ask_for_the_number_it_was_made_for(tmp_path: Path, method: str) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind="text")
        body = {"text": "x"} if method == "PUT" else {"splices": [{"position": 0, "insert": "y"}]}
        assert (await ada.request(method, f"{HERE}/plan/content", json=body | {"if_number": 0})).status_code == 200
        late = await ada.request(method, f"{HERE}/plan/content", json=body | {"if_number": 0})
        assert (late.status_code, late.json()["code"], late.json()["details"]) == (
            409,
            "number_changed",
            {"number": 1},
        )

    play(tmp_path, scenario)


def test_of_many_that_ask_for_one_number_one_wins(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind="text")

        async def attempt(index: int) -> int:
            body = {"splices": [{"position": 0, "insert": str(index)}], "if_number": 0}
            answer = await ada.patch(f"{HERE}/plan/content", json=body)
            return int(answer.status_code)

        assert sorted(await asyncio.gather(*map(attempt, range(10)))) == [200] + [409] * 9
        assert len((await ada.get(f"{HERE}/plan/content")).json()["text"]) == 1

    play(tmp_path, scenario)


def test_an_edit_under_way_counts_for_the_number(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind="text")
        editor = await open_editor(node.parts, "bob", "plan")
        editor.type("not stored yet")
        late = await ada.put(f"{HERE}/plan/content", json={"text": "x", "if_number": 0})
        assert (late.status_code, late.json()["details"]["number"]) == (409, 1)

    play(tmp_path, scenario)


def test_a_yjs_update_is_merged(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind="text")
        await ada.put(f"{HERE}/plan/content", json={"text": "shared"})
        offline: Doc[Any] = Doc()
        offline.apply_update((await ada.get(f"{HERE}/plan/content?format=yjs")).content)
        offline.get("content", type=Text).insert(0, "un")
        await ada.patch(f"{HERE}/plan/content", json={"splices": [{"position": 6, "insert": "!"}]})
        update = offline.get_update()
        merged = await ada.put(f"{HERE}/plan/content", content=update, headers=OCTETS)
        assert (merged.status_code, merged.json()) == (200, {"number": 3})
        read = await ada.get(f"{HERE}/plan/content?format=yjs")
        assert read.headers["content-type"] == "application/octet-stream"
        offline.apply_update(read.content)
        assert str(offline.get("content", type=Text)) == "unshared!"
        assert (await ada.get(f"{HERE}/plan/content")).json()["text"] == "unshared!"

    play(tmp_path, scenario)


def test_bytes_that_are_no_update_are_refused(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node)
        for body in (b"hello", b"\xff" * 50, b"\x01\x01", b"\x05" * 20_000):
            answer = await ada.put(f"{HERE}/plan/content", content=body, headers=OCTETS)
            assert (answer.status_code, answer.json()["code"]) == (400, "malformed_update")
        assert (await ada.get(f"{HERE}/plan")).json()["number"] == 0

    play(tmp_path, scenario)


def test_a_large_update_is_merged_in_pieces(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node)
        doc: Doc[Any] = Doc()
        rows = doc.get("content", type=Map)
        for index in range(6000):
            rows[f"key {index}"] = index
        update = doc.get_update()
        assert len(update) > 100_000
        merged = await ada.put(f"{HERE}/plan/content", content=update, headers=OCTETS)
        assert merged.json()["number"] > 1
        read = (await ada.get(f"{HERE}/plan/content")).json()
        assert (read["kind"], len(read["json"]), read["json"]["key 5999"]) == ("map", 6000, 5999)

    play(tmp_path, scenario)


def test_a_large_document_is_read_and_edited_in_a_worker(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind="text")
        text = "".join(f"{index} bottles of beer\n" for index in range(8000))
        assert (await ada.put(f"{HERE}/plan/content", json={"text": text})).json() == {"number": 1}
        editor = await open_editor(node.parts, "bob", "plan")
        splices = [{"position": 0, "delete": 1, "insert": "No"}, {"position": len(text) + 1, "insert": "the end"}]
        patched = await ada.patch(f"{HERE}/plan/content", json={"splices": splices, "if_number": 1})
        assert patched.json() == {"number": 2}
        expected = f"No{text[1:]}the end"
        assert editor.text() == expected
        assert (await ada.get(f"{HERE}/plan/content")).json()["text"] == expected
        assert (await ada.get(f"{HERE}/plan/content?at=1")).json()["text"] == text
        late = await ada.patch(f"{HERE}/plan/content", json={"splices": splices, "if_number": 1})
        assert late.status_code == 409
        wrong = await ada.patch(f"{HERE}/plan/content", json={"splices": [{"position": 10**6, "insert": "x"}]})
        assert (wrong.status_code, wrong.json()["code"]) == (400, "out_of_range")

    play(tmp_path, scenario)


def test_it_is_read_as_it_was(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind="text")
        for text in ("one", "one two", "two"):
            await ada.put(f"{HERE}/plan/content", json={"text": text})
        row = await row_of(node.parts, "lab", "plan")
        times = [line.created_at for line in await update_log.read(node.parts.database, row.id, 0, 10)]

        async def at(point: object) -> tuple[int, str]:
            answer = (await ada.get(f"{HERE}/plan/content?at={quote(str(point))}")).json()
            return answer["number"], answer["text"]

        assert [await at(number) for number in range(4)] == [(0, ""), (1, "one"), (2, "one two"), (3, "two")]
        assert await at(times[1].isoformat()) == (2, "one two")
        assert await at((times[0] - timedelta(seconds=1)).isoformat()) == (0, "")
        assert await at("9999-12-31T23:59:59.999999Z") == (3, "two")
        yjs = (await ada.get(f"{HERE}/plan/content?at=2&format=yjs")).content
        doc: Doc[Any] = Doc()
        doc.apply_update(yjs)
        assert str(doc.get("content", type=Text)) == "one two"

    play(tmp_path, scenario)


@pytest.mark.parametrize("point", ["4", "yesterday", "2026-01-01", "2026-01-01T00:00:00", "-1", "v1x", "1.5", ""])
def test_a_point_that_is_none_is_refused_with_a_hint(tmp_path: Path, point: str) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind="text")
        await ada.put(f"{HERE}/plan/content", json={"text": "x"})
        answer = await ada.get(f"{HERE}/plan/content?at={point}")
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_point")
        assert ("number 1 now" if point == "4" else "2030-01-31T09:30:00Z") in answer.json()["message"]

    play(tmp_path, scenario)


def test_another_root_of_the_document_is_read_and_written(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind="richtext")
        await ada.put(f"{HERE}/plan/content", json={"json": PARAGRAPH})
        editor = await open_editor(node.parts, "bob", "plan")
        editor.type("A Title", root="title")
        await editor.saved()
        read = (await ada.get(f"{HERE}/plan/content?root=title&kind=text")).json()
        assert (read["text"], read["kind"], read["root"]) == ("A Title", "text", "title")
        assert (await ada.get(f"{HERE}/plan/content?format=text")).json()["text"].strip() == "Hello"
        assert (await ada.get(f"{HERE}/plan")).json()["kind"] == "richtext"

    play(tmp_path, scenario)


def test_what_only_an_engine_can_hold_is_still_json(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind="map")
        editor = await open_editor(node.parts, "bob", "plan")
        editor.edit(
            lambda doc: doc.get("content", type=Map).update(
                {"list": Array([1, Map({"deep": Text("er")})]), "bytes": b"\x01\x02", "big": 2**60}
            )
        )
        await editor.saved()
        assert (await ada.get(f"{HERE}/plan/content")).json()["json"]["list"] == [1, {"deep": "er"}]

    play(tmp_path, scenario)


def test_a_full_document_takes_nothing_more(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind="text")
        assert (await ada.put(f"{HERE}/plan/content", json={"text": "x" * 900})).status_code == 200
        for request in (
            ada.put(f"{HERE}/plan/content", json={"text": "y" * 900}),
            ada.put(f"{HERE}/plan/content", content=Doc().get_update() * 100, headers=OCTETS),
        ):
            answer = await request
            assert answer.status_code in (400, 413)
        assert (await ada.get(f"{HERE}/plan/content")).json()["text"] == "x" * 900
        full = await ada.put(f"{HERE}/plan/content", json={"text": "y" * 900})
        assert (full.status_code, full.json()["code"]) == (413, "document_full")

    play(tmp_path, scenario, limits=Limits(document_bytes=1000))


def test_writes_are_audited_with_their_numbers(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await make(node, kind="text")
        await ada.put(f"{HERE}/plan/content", json={"text": "x"})
        await ada.patch(f"{HERE}/plan/content", json={"splices": [{"position": 0, "insert": "y"}]})
        rows = (await node.audited())[1:]
        assert [(row.action, row.target, row.details["number"]) for row in rows] == [
            ("collaboration.content.put", "lab/plan", 1),
            ("collaboration.content.patch", "lab/plan", 2),
        ]

    play(tmp_path, scenario)
