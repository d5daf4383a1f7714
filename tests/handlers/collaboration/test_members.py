"""Members: the rules about owners, whoever asks and however many ask at once."""

import asyncio
from pathlib import Path

import httpx
import pytest
from http_node import START, Node, play

from handlers.access import Change, Role
from storage import members, users

HERE = "/collaboration/workspaces/lab/members"


async def roles_in(node: Node) -> dict[str, str]:
    async with node.parts.database.read() as connection:
        return {row.user_id: row.role for row in await members.list_of(connection, "lab", limit=100)}


async def set_role(client: httpx.AsyncClient, user: str, role: str) -> tuple[int, str | None]:
    answer = await client.put(f"{HERE}/{user}", json={"role": role})
    return answer.status_code, answer.json().get("code")


def test_an_administrator_adds_and_changes_members(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.ADMIN)
        await node.make_user("bob")
        ada = node.client("ada")
        added = await ada.post(HERE, json={"user_id": "bob", "role": "viewer"})
        assert added.status_code == 201
        assert added.json() == {
            "user_id": "bob",
            "role": "viewer",
            "added_by": "ada",
            "added_at": "2026-03-01T09:00:00Z",
        }
        again = await ada.post(HERE, json={"user_id": "bob", "role": "editor"})
        assert (again.status_code, again.json()["code"]) == (409, "already_member")
        assert await set_role(ada, "bob", "editor") == (200, None)
        assert await roles_in(node) == {"ada": "admin", "bob": "editor"}

    play(tmp_path, scenario)


def test_only_owners_make_change_or_remove_owners(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.ADMIN, bob=Role.EDITOR, eve=Role.OWNER, oda=Role.OWNER)
        before = await roles_in(node)
        ada = node.client("ada")
        assert await set_role(ada, "bob", "owner") == (403, "forbidden")
        assert await set_role(ada, "ada", "owner") == (403, "forbidden")
        assert await set_role(ada, "eve", "viewer") == (403, "forbidden")
        assert (await ada.delete(f"{HERE}/eve")).status_code == 403
        await node.make_user("new")
        assert (await ada.post(HERE, json={"user_id": "new", "role": "owner"})).status_code == 403
        assert await roles_in(node) == before
        assert await set_role(node.client("eve"), "bob", "owner") == (200, None)
        assert await set_role(node.client("admin"), "ada", "owner") == (200, None)

    play(tmp_path, scenario)


def test_the_last_owner_stays(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", eve=Role.OWNER, ada=Role.ADMIN)
        eve, admin = node.client("eve"), node.client("admin")
        assert await set_role(eve, "eve", "admin") == (409, "last_owner")
        left = await eve.delete(f"{HERE}/eve")
        assert (left.status_code, left.json()["code"]) == (409, "last_owner")
        assert await set_role(admin, "eve", "viewer") == (409, "last_owner")
        assert await set_role(eve, "eve", "owner") == (200, None)
        assert await set_role(eve, "ada", "owner") == (200, None)
        assert (await eve.delete(f"{HERE}/eve")).status_code == 204
        assert await roles_in(node) == {"ada": "owner"}

    play(tmp_path, scenario)


def test_owners_who_leave_at_once_do_not_all_leave(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        owners = ("eve", "oda", "uma", "ida")
        await node.make_workspace("lab", **dict.fromkeys(owners, Role.OWNER))
        leaving = (node.client(user).delete(f"{HERE}/{user}") for user in owners)
        answers = await asyncio.gather(*leaving)
        assert sorted(answer.status_code for answer in answers) == [204, 204, 204, 409]
        assert list((await roles_in(node)).values()) == ["owner"]
        assert (await node.client("admin").get("/audit/verification")).json()["intact"] is True

    play(database_url, scenario)


def test_anybody_may_leave_and_nobody_else_be_sent_away(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.VIEWER, bob=Role.EDITOR, eve=Role.OWNER)
        ada = node.client("ada")
        assert (await ada.delete(f"{HERE}/bob")).status_code == 403
        assert (await ada.delete(f"{HERE}/ada")).status_code == 204
        assert (await ada.get(HERE)).status_code == 404
        assert (await ada.delete(f"{HERE}/ada")).status_code == 404
        gone = await node.client("eve").delete(f"{HERE}/ada")
        assert (gone.status_code, gone.json()["code"]) == (404, "not_a_member")

    play(tmp_path, scenario)


def test_a_demotion_counts_from_the_next_request_on(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.ADMIN, eve=Role.OWNER)
        await node.make_user("bob")
        heard: list[Change] = []
        node.parts.access.on_change(heard.append)
        ada = node.client("ada")
        assert await set_role(ada, "bob", "viewer") == (200, None)
        assert await set_role(node.client("eve"), "ada", "editor") == (200, None)
        assert await set_role(ada, "bob", "editor") == (403, "forbidden")
        assert heard == [Change("lab", "bob"), Change("lab", "ada")]

    play(tmp_path, scenario)


def test_a_role_lost_elsewhere_does_not_help_within_the_transaction(tmp_path: Path) -> None:
    """The cache may still say "administrator"; the change itself asks the database."""

    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.ADMIN, bob=Role.EDITOR)
        assert await node.parts.access.role_of("ada", "lab") is Role.ADMIN
        async with node.parts.database.write() as connection:  # as another node would
            await members.put(connection, "lab", "ada", Role.VIEWER, added_by="x", at=START)
        assert await set_role(node.client("ada"), "bob", "viewer") == (403, "forbidden")

    play(tmp_path, scenario)


def test_an_unknown_user_is_not_made_by_a_slip_of_the_pen(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        assert await set_role(node.client("ada"), "bbo", "viewer") == (404, "unknown_user")
        async with node.parts.database.read() as connection:
            assert await users.get(connection, "bbo") is None

    play(tmp_path, scenario)


@pytest.mark.parametrize("role", ["boss", "", "OWNER", None, 5])
def test_a_role_is_one_of_five(tmp_path: Path, role: object) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        answer = await node.client("ada").put(f"{HERE}/admin", json={"role": role})
        assert answer.status_code == 400
        assert answer.json()["details"]["parameter"] == "role"

    play(tmp_path, scenario)


def test_a_name_with_odd_letters_can_be_addressed(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        await node.make_user("Zoë #1 & co?")
        ada = node.client("ada")
        address = f"{HERE}/Zo%C3%AB%20%231%20%26%20co%3F"
        assert (await ada.put(address, json={"role": "editor"})).json()["user_id"] == "Zoë #1 & co?"
        assert (await ada.delete(address)).status_code == 204

    play(tmp_path, scenario)


def test_members_are_listed_in_pages_for_members_only(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", **{f"u{number}": Role.VIEWER for number in range(5)})
        client, seen, cursor = node.client("u3"), [], None
        for _ in range(3):
            page = (await client.get(HERE, params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
            seen += [item["user_id"] for item in page["items"]]
            cursor = page["next_cursor"]
        assert (seen, cursor) == ([f"u{number}" for number in range(5)], None)
        assert (await node.client("ada").get(HERE)).status_code == 404

    play(tmp_path, scenario)


def test_every_change_is_audited_with_what_was_before(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        await node.make_user("bob")
        ada = node.client("ada")
        await ada.post(HERE, json={"user_id": "bob", "role": "viewer"})
        await set_role(ada, "bob", "editor")
        await ada.delete(f"{HERE}/bob")
        rows = [
            (row.action.rpartition(".")[2], row.target, row.details.get("before"), row.details.get("role"))
            for row in await node.audited()
        ]
        assert rows == [
            ("add", "lab/bob", None, "viewer"),
            ("put", "lab/bob", "viewer", "editor"),
            ("remove", "lab/bob", "editor", None),
        ]

    play(tmp_path, scenario)
