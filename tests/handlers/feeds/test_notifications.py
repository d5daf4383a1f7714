"""Everybody's own inbox over HTTP."""

from pathlib import Path
from typing import Any

import httpx
from http_node import Node, play

from handlers.access import Role
from handlers.feed_names import inbox_of

HERE = "/notifications"


async def notify(node: Node, user: str, *types: str) -> None:
    async with node.parts.feeds.writing() as (_, outbox):
        for type_ in types:
            outbox.add(inbox_of(user), type_, {})


async def inbox(client: httpx.AsyncClient, **parameters: Any) -> tuple[list[tuple[int, bool]], int]:
    answer = (await client.get(HERE, params=parameters)).json()
    return [(item["offset"], item["unread"]) for item in answer["items"]], answer["unread"]


def test_what_is_new_is_told_from_what_was_read(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        assert await inbox(ada) == ([], 0)
        await notify(node, "ada", *"abcd")
        assert await inbox(ada) == ([(4, True), (3, True), (2, True), (1, True)], 4)
        assert (await ada.post(f"{HERE}/read", json={"up_to": 2})).json() == {"unread": 2}
        assert (await ada.post(f"{HERE}/read", json={"offsets": [4, 4, 1, 77]})).json() == {"unread": 1}
        assert await inbox(ada) == ([(4, False), (3, True), (2, False), (1, False)], 1)
        await notify(node, "ada", "e")
        assert await inbox(ada, limit=2) == ([(5, True), (4, False)], 2)
        assert (await ada.post(f"{HERE}/read", json={"up_to": 9, "offsets": [3]})).json() == {"unread": 0}

    play(database_url, scenario)


def test_pages(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await notify(node, "ada", *"abc")
        ada = node.client("ada")
        first = (await ada.get(HERE, params={"limit": 2})).json()
        rest = (await ada.get(HERE, params={"limit": 2, "cursor": first["next_cursor"]})).json()
        assert [item["type"] for item in first["items"] + rest["items"]] == ["c", "b", "a"]
        assert (rest["next_cursor"], first["position"]["offset"]) == (None, 3)

    play(tmp_path, scenario)


def test_nobody_reads_anothers(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_user("bob")
        await notify(node, "ada", "a")
        bob = node.client("bob")
        assert await inbox(bob) == ([], 0)
        assert (await bob.post(f"{HERE}/read", json={"up_to": 1})).json() == {"unread": 0}
        assert await inbox(node.client("ada")) == ([(1, True)], 1)
        for address in ("/feeds/@ada/notifications", "/feeds/@ada", "/feeds/@ada%2Fnotifications"):
            assert (await node.client("admin").get(address)).status_code in (400, 404)

    play(tmp_path, scenario)


def test_to_have_read_nothing_is_a_mistake(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        refused = await node.client("ada").post(f"{HERE}/read", json={})
        assert (refused.status_code, refused.json()["details"]) == (400, {"parameter": "up_to"})

    play(tmp_path, scenario)


def test_members_are_told_what_they_are(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", admin=Role.OWNER)
        admin, ada = node.client("admin"), node.client("ada")
        members = "/collaboration/workspaces/lab/members"
        await admin.patch("/collaboration/workspaces/lab", json={"title": "The Lab"})
        await admin.post(members, json={"user_id": "ada", "role": "viewer"})
        await admin.put(f"{members}/ada", json={"role": "viewer"})
        await admin.put(f"{members}/ada", json={"role": "editor"})
        await admin.delete(f"{members}/ada")
        await admin.put(f"{members}/ada", json={"role": "viewer"})
        # What one does oneself is no news.
        await ada.delete(f"{members}/ada")
        told = [(item["type"], item["actor"], item["data"]) for item in (await ada.get(HERE)).json()["items"][::-1]]
        about = {"workspace_id": "lab", "title": "The Lab"}
        assert told == [
            ("membership.added", "admin", {**about, "role": "viewer", "before": None}),
            ("membership.role_changed", "admin", {**about, "role": "editor", "before": "viewer"}),
            ("membership.removed", "admin", {**about, "role": None, "before": "editor"}),
            ("membership.added", "admin", {**about, "role": "viewer", "before": None}),
        ]
        assert await inbox(admin) == ([], 0)

    play(database_url, scenario)
