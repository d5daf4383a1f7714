"""Workspaces over HTTP: who sees, makes, renames and deletes them, and what the audit says of it."""

from pathlib import Path

import pytest
from http_node import Node, play

from handlers.access import Change, Role

HERE = "/collaboration/workspaces"


def test_whoever_makes_a_workspace_owns_it(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        made = await ada.post(HERE, json={"id": "lab", "title": "The Lab"})
        assert made.status_code == 201
        expected = {
            "id": "lab",
            "title": "The Lab",
            "role": "owner",
            "created_by": "ada",
            "created_at": "2026-03-01T09:00:00Z",
        }
        assert made.json() == expected
        assert (await ada.get(f"{HERE}/lab")).json() == expected
        members = (await ada.get(f"{HERE}/lab/members")).json()["items"]
        assert [(member["user_id"], member["role"]) for member in members] == [("ada", "owner")]

    play(tmp_path, scenario)


def test_it_can_be_used_at_once_by_whoever_was_refused_before(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        assert (await ada.get(f"{HERE}/lab")).status_code == 404
        await ada.post(HERE, json={"id": "lab"})
        assert (await ada.get(f"{HERE}/lab")).status_code == 200

    play(tmp_path, scenario)


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        await ada.post(HERE, json={"id": "lab"})
        again = await ada.post(HERE, json={"id": "lab"})
        assert (again.status_code, again.json()["code"]) == (409, "workspace_exists")
        await ada.delete(f"{HERE}/lab")
        assert (await ada.post(HERE, json={"id": "lab"})).status_code == 409

    play(tmp_path, scenario)


@pytest.mark.parametrize("body", [{}, {"id": "A b"}, {"id": "lab", "title": ""}, {"id": "lab", "owner": "ada"}, [], 1])
def test_a_bad_request_makes_nothing(tmp_path: Path, body: object) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        assert (await ada.post(HERE, json=body)).status_code == 400
        assert (await ada.get(HERE)).json()["items"] == []
        assert await node.audited() == []

    play(tmp_path, scenario)


def test_people_see_their_own_and_administrators_all(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        for number in range(5):
            roles = {"ada": Role.VIEWER} if number % 2 else {}
            await node.make_workspace(f"w{number}", **roles)

        async def listed(user: str) -> list[tuple[str, str]]:
            items = (await node.client(user).get(HERE)).json()["items"]
            return [(item["id"], item["role"]) for item in items]

        assert await listed("ada") == [("w1", "viewer"), ("w3", "viewer")]
        assert await listed("admin") == [(f"w{number}", "owner") for number in range(5)]

    play(tmp_path, scenario)


@pytest.mark.parametrize("user", ["ada", "admin"])
def test_the_list_is_paged(tmp_path: Path, user: str) -> None:
    async def scenario(node: Node) -> None:
        for number in range(5):
            await node.make_workspace(f"w{number}", ada=Role.VIEWER)
        client, seen, cursor = node.client(user), [], None
        for _ in range(3):
            page = (await client.get(HERE, params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
        assert seen == ["w0", "w1", "w2", "w3", "w4"]
        assert cursor is None

    play(tmp_path, scenario)


def test_only_administrators_of_it_rename_and_only_owners_delete(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.ADMIN, bob=Role.EDITOR, eve=Role.OWNER)
        ada, bob, eve = node.client("ada"), node.client("bob"), node.client("eve")
        assert (await bob.patch(f"{HERE}/lab", json={"title": "B"})).status_code == 403
        renamed = await ada.patch(f"{HERE}/lab", json={"title": "A"})
        assert (renamed.json()["title"], renamed.json()["role"]) == ("A", "admin")
        refused = await ada.delete(f"{HERE}/lab")
        assert (refused.status_code, refused.json()["details"]) == (403, {"role": "admin", "needed": "owner"})
        assert (await eve.delete(f"{HERE}/lab")).status_code == 204

    play(tmp_path, scenario)


def test_a_deleted_workspace_is_hidden_from_all_and_listeners_hear_of_it(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        heard: list[Change] = []
        node.parts.access.on_change(heard.append)
        ada, admin = node.client("ada"), node.client("admin")
        assert (await ada.delete(f"{HERE}/lab")).status_code == 204
        assert heard == [Change("lab", None)]
        for client in (ada, admin):
            assert (await client.get(f"{HERE}/lab")).status_code == 404
            assert (await client.delete(f"{HERE}/lab")).status_code == 404
            assert (await client.get(f"{HERE}/lab/members")).status_code == 404
            assert (await client.get(HERE)).json()["items"] == []

    play(tmp_path, scenario)


def test_strangers_cannot_tell_a_workspace_from_none(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", bob=Role.OWNER)
        ada = node.client("ada")
        for method, body in (("GET", None), ("PATCH", {"title": "x"}), ("DELETE", None)):
            there = (await ada.request(method, f"{HERE}/lab", json=body)).json()
            nowhere = (await ada.request(method, f"{HERE}/gap", json=body)).json()
            for answer, name in ((there, "lab"), (nowhere, "gap")):
                answer.pop("request_id")
                answer["message"] = answer["detail"] = answer["message"].replace(name, "?")
            assert there == nowhere
            assert there["status"] == 404

    play(tmp_path, scenario)


def test_every_change_and_nothing_else_is_audited(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        await ada.post(HERE, json={"id": "lab"})
        await ada.get(HERE)
        await ada.post(HERE, json={"id": "lab"})
        await ada.patch(f"{HERE}/lab", json={"title": "The Lab"}, headers={"X-Request-Id": "mine-7"})
        await node.client(None).delete(f"{HERE}/lab")
        await ada.delete(f"{HERE}/lab")
        rows = [(row.actor, row.action, row.target, row.outcome) for row in await node.audited()]
        what = "collaboration.workspaces"
        assert sorted(rows) == [
            ("ada", f"{what}.create", "lab", "done"),
            ("ada", f"{what}.delete", "lab", "done"),
            ("ada", f"{what}.update", "lab", "done"),
            ("anonymous", f"{what}.delete", "lab", "refused"),
        ]
        [update] = [row for row in await node.audited() if row.action.endswith("update")]
        assert update.details == {"via": "token", "request_id": "mine-7", "title": "The Lab"}

    play(tmp_path, scenario)
