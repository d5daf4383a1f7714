"""Documents over HTTP: made, listed, retitled, put in the trash, taken out, deleted for good."""

from pathlib import Path

import pytest
from editor import open_editor, row_of
from http_node import START, Node, play

from handlers.access import Role
from handlers.audit_trail import DONE

HERE = "/collaboration/documents/lab"
AT = START.isoformat().replace("+00:00", "Z")


def test_a_document_is_made_and_found(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        made = await ada.post(HERE, json={"id": "plan", "title": "The Plan", "kind": "text"})
        assert made.status_code == 201
        assert made.json() == {
            "workspace_id": "lab",
            "id": "plan",
            "title": "The Plan",
            "kind": "text",
            "root": None,
            "number": 0,
            "size_bytes": 0,
            "created_by": "ada",
            "created_at": AT,
            "updated_by": "ada",
            "updated_at": AT,
            "trashed_by": None,
            "trashed_at": None,
        }
        assert (await ada.get(f"{HERE}/plan")).json() == made.json()
        assert (await ada.get(HERE)).json() == {"items": [made.json()], "next_cursor": None}

    play(tmp_path, scenario)


def test_names_may_hold_what_addresses_have_to_encode(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        for name, encoded in (
            ("Müller & Söhne?", "M%C3%BCller%20%26%20S%C3%B6hne%3F"),
            ("50% off #1", "50%25%20off%20%231"),
        ):
            assert (await ada.post(HERE, json={"id": name})).status_code == 201
            assert (await ada.get(f"{HERE}/{encoded}")).json()["id"] == name

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": "a/b"},
        {"id": "@x"},
        {"id": "a", "kind": "sheet"},
        {"id": "a", "title": ""},
        {"id": "a", "root": "content"},
        {"id": "a", "kind": "diagram", "root": "content"},
    ],
)
def test_a_bad_request_makes_nothing(tmp_path: Path, body: dict[str, str]) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        assert (await ada.post(HERE, json=body)).status_code == 400
        assert (await ada.get(HERE)).json()["items"] == []
        assert await node.audited() == []

    play(tmp_path, scenario)


def test_a_name_is_taken_once_and_the_refusal_says_by_what(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        await node.make_workspace("gym", ada=Role.EDITOR)
        ada = node.client("ada")
        await ada.post(HERE, json={"id": "plan"})
        again = await ada.post(HERE, json={"id": "plan"})
        assert (again.status_code, again.json()["code"]) == (409, "document_exists")
        assert (await ada.post("/collaboration/documents/gym", json={"id": "plan"})).status_code == 201
        await ada.delete(f"{HERE}/plan")
        hidden = await ada.post(HERE, json={"id": "plan"})
        assert (hidden.status_code, hidden.json()["code"]) == (409, "in_trash")

    play(tmp_path, scenario)


def test_lists_are_by_name_or_by_the_latest_edit_and_can_be_narrowed(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        for name, kind in (("b", "text"), ("a", "diagram"), ("ab", "text")):
            await ada.post(HERE, json={"id": name, "kind": kind})
        editor = await open_editor(node.parts, "ada", "a")
        editor.type("x")
        await editor.saved()

        async def names(query: str) -> list[str]:
            answer = await ada.get(f"{HERE}?{query}")
            return [item["id"] for item in answer.json()["items"]]

        assert await names("") == ["a", "ab", "b"]
        assert await names("prefix=a") == ["a", "ab"]
        assert await names("kind=text") == ["ab", "b"]
        assert (await names("order=recent"))[0] == "a"
        assert (await ada.get(f"{HERE}?order=recent&prefix=a")).status_code == 400

    play(tmp_path, scenario)


@pytest.mark.parametrize("order", ["name", "recent"])
def test_pages_hold_everything_once(tmp_path: Path, order: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        for number in range(7):
            await ada.post(HERE, json={"id": f"d{number}"})
        seen: list[str] = []
        parameters = {"order": order, "limit": "3"}
        while len(seen) < 20:
            page = (await ada.get(HERE, params=parameters)).json()
            assert len(page["items"]) <= 3
            seen += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            parameters["cursor"] = page["next_cursor"]
        assert sorted(seen) == [f"d{number}" for number in range(7)]

    play(tmp_path, scenario)


def test_a_title_is_changed(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        await ada.post(HERE, json={"id": "plan"})
        changed = await ada.patch(f"{HERE}/plan", json={"title": "Another"})
        assert (changed.status_code, changed.json()["title"]) == (200, "Another")
        assert (await ada.get(f"{HERE}/plan")).json()["title"] == "Another"
        assert (await ada.patch(f"{HERE}/nope", json={"title": "x"})).json()["code"] == "no_such_document"

    play(tmp_path, scenario)


def test_the_trash_parts_editors_keeps_everything_and_gives_it_back(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        await ada.post(HERE, json={"id": "plan", "kind": "text"})
        editor = await open_editor(node.parts, "ada", "plan")
        editor.type("unsaved words")
        trashed = await ada.delete(f"{HERE}/plan")
        assert (trashed.status_code, trashed.json()["trashed_by"]) == (200, "ada")
        assert len(editor.refused) == 1
        assert "trash" in editor.refused[0]

        assert (await ada.get(HERE)).json()["items"] == []
        assert [item["id"] for item in (await ada.get(f"{HERE}?trashed=true")).json()["items"]] == ["plan"]
        assert (await ada.get(f"{HERE}/plan")).json()["trashed_at"] == AT
        for request in (
            ada.get(f"{HERE}/plan/content"),
            ada.put(f"{HERE}/plan/content", json={"text": "x"}),
            ada.get(f"{HERE}/plan/history"),
            ada.get(f"{HERE}/plan/versions"),
            ada.patch(f"{HERE}/plan", json={"title": "x"}),
            ada.delete(f"{HERE}/plan"),
        ):
            answer = await request
            assert (answer.status_code, answer.json()["code"]) == (404, "in_trash")

        back = await ada.post(f"{HERE}/plan/restore")
        assert (back.status_code, back.json()["trashed_at"]) == (200, None)
        assert (await ada.get(f"{HERE}/plan/content")).json()["text"] == "unsaved words"
        assert (await ada.post(f"{HERE}/plan/restore")).json()["code"] == "not_in_trash"

    play(tmp_path, scenario)


def test_deleting_for_good_is_for_admins_and_for_what_is_in_the_trash(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR, bob=Role.ADMIN)
        ada, bob = node.client("ada"), node.client("bob")
        await ada.put(f"{HERE}/plan/content", json={"text": "secret"})
        row = await row_of(node.parts, "lab", "plan")
        forbidden = await ada.delete(f"{HERE}/plan?permanent=true")
        assert (forbidden.status_code, forbidden.json()["details"]["needed"]) == (403, "admin")
        early = await bob.delete(f"{HERE}/plan?permanent=true")
        assert (early.status_code, early.json()["code"]) == (409, "not_in_trash")

        await ada.delete(f"{HERE}/plan")
        gone = await bob.delete(f"{HERE}/plan?permanent=true")
        assert (gone.status_code, gone.content) == (204, b"")
        assert (await bob.get(f"{HERE}/plan")).json()["code"] == "no_such_document"
        assert (await ada.put(f"{HERE}/plan/content", json={"text": "new"})).status_code == 200
        assert (await row_of(node.parts, "lab", "plan")).id != row.id
        assert (await ada.get(f"{HERE}/plan/content")).json()["text"] == "new"

    play(tmp_path, scenario)


def test_every_change_is_in_the_audit(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.ADMIN)
        ada = node.client("ada")
        await ada.post(HERE, json={"id": "plan"})
        await ada.patch(f"{HERE}/plan", json={"title": "x"})
        await ada.delete(f"{HERE}/plan")
        await ada.post(f"{HERE}/plan/restore")
        await ada.delete(f"{HERE}/plan")
        await ada.delete(f"{HERE}/plan?permanent=true")
        rows = [row for row in await node.audited() if row.outcome == DONE]
        assert [row.action.rpartition(".")[2] for row in rows] == [
            "create", "update", "delete", "restore", "delete", "delete",
        ]  # fmt: skip
        assert {row.target for row in rows} == {"lab/plan"}

    play(tmp_path, scenario)
