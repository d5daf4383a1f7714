"""What happens in a workspace is in its activity, and in its inboxes, with the transaction that did it."""

from typing import Any

from editor import open_editor
from http_node import Node, play

from handlers.access import Role
from handlers.collaboration.naming import ensure_document
from handlers.registry import Principal

DOCUMENTS = "/collaboration/documents/lab"
MEMBERS = "/collaboration/workspaces/lab/members"


async def activity(node: Node, after: int = 0) -> list[tuple[str, str, dict[str, Any]]]:
    items = (await node.client("admin").get("/feeds/lab/activity")).json()["items"][::-1]
    return [(item["type"], item["actor"], item["data"]) for item in items if item["offset"] > after]


def test_the_life_of_a_document(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.ADMIN)
        ada = node.client("ada")
        await ada.post(DOCUMENTS, json={"id": "plan", "title": "Plan", "kind": "text"})
        assert (await ada.post(DOCUMENTS, json={"id": "plan"})).status_code == 409
        await ada.patch(f"{DOCUMENTS}/plan", json={"title": "The Plan"})
        await ada.patch(f"{DOCUMENTS}/plan", json={"title": "The Plan"})
        await ada.delete(f"{DOCUMENTS}/plan")
        await ada.post(f"{DOCUMENTS}/plan/restore")
        assert (await ada.post(f"{DOCUMENTS}/plan/restore")).status_code == 409
        await ada.delete(f"{DOCUMENTS}/plan")
        await ada.delete(f"{DOCUMENTS}/plan", params={"permanent": "true"})
        plan = {"document_id": "plan", "title": "The Plan"}
        assert await activity(node) == [
            ("document.created", "ada", {"document_id": "plan", "title": "Plan", "kind": "text"}),
            ("document.renamed", "ada", {**plan, "before": "Plan"}),
            ("document.trashed", "ada", plan),
            ("document.restored", "ada", plan),
            ("document.trashed", "ada", plan),
            ("document.purged", "ada", plan),
        ]

    play(database_url, scenario)


def test_a_document_that_an_editor_makes(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        for _ in range(2):
            await ensure_document(node.parts, Principal("ada", False, "token"), "lab", "notes")
        made = {"document_id": "notes", "title": "notes", "kind": None}
        assert await activity(node) == [("document.created", "ada", made)]

    play(database_url, scenario)


def test_versions_that_people_name_and_restore(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        await ada.post(DOCUMENTS, json={"id": "plan", "kind": "text"})
        editor = await open_editor(node.parts, "ada", "plan")
        editor.type("one")
        await editor.saved()
        made = (await ada.post(f"{DOCUMENTS}/plan/versions", json={"name": "First"})).json()
        editor.type(" two")
        await editor.saved()
        await ada.patch(f"{DOCUMENTS}/plan/versions/{made['id']}", json={"name": "The first"})
        assert (await ada.post(f"{DOCUMENTS}/plan/versions/{made['id']}/restore")).status_code == 200
        version = {"document_id": "plan", "version_id": made["id"]}
        assert await activity(node, after=1) == [
            ("version.named", "ada", {**version, "name": "First"}),
            ("version.named", "ada", {**version, "name": "The first"}),
            ("version.restored", "ada", {**version, "name": "The first"}),
        ]

    play(database_url, scenario)


def test_members_and_the_workspace_itself(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        await node.make_user("bob")
        ada = node.client("ada")
        await ada.patch("/collaboration/workspaces/lab", json={"title": "The Lab"})
        await ada.post(MEMBERS, json={"user_id": "bob", "role": "viewer"})
        await ada.put(f"{MEMBERS}/bob", json={"role": "editor"})
        assert (await ada.delete(f"{MEMBERS}/ada")).status_code == 409
        await node.client("bob").delete(f"{MEMBERS}/bob")
        assert await activity(node) == [
            ("workspace.changed", "ada", {"title": "The Lab"}),
            ("member.added", "ada", {"user_id": "bob", "role": "viewer", "before": None}),
            ("member.role_changed", "ada", {"user_id": "bob", "role": "editor", "before": "viewer"}),
            ("member.removed", "bob", {"user_id": "bob", "role": None, "before": "editor"}),
        ]

    play(database_url, scenario)
