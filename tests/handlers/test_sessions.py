"""Sessions over HTTP: one sees one's own, ends them, and is out with them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import httpx
from http_node import SECRET, Node, serving

from server.signing_in import open_session
from server.tokens import ServerIssuer

HOUR = timedelta(hours=1)


def play(folder: Path, scenario: Callable[[Node], Awaitable[None]]) -> None:
    async def run() -> None:
        async with serving(folder) as node:
            await scenario(node)

    asyncio.run(run())


async def signed_in(node: Node, user: str, agent: str = "Mosaic") -> httpx.AsyncClient:
    async with node.parts.database.write() as connection:
        issuer = ServerIssuer(SECRET, node.now)
        token = await open_session(connection, issuer, user, HOUR, node.now(), opened_by="test")
    client = node.client(None, credential=token)
    client.headers["User-Agent"] = agent
    return client


async def listed(client: httpx.AsyncClient, path: str = "/me/sessions") -> list[dict[str, object]]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


def test_one_sees_where_one_is_signed_in(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        phone, desk = await signed_in(node, "ada", "phone"), await signed_in(node, "ada", "desk")
        await signed_in(node, "admin")
        await phone.get("/me")
        assert [(item["user_agent"], item["is_current"]) for item in await listed(desk)] == [
            ("desk", True),
            ("phone", False),
        ]
        [newest, _] = await listed(desk)
        assert (newest["address"], newest["opened_by"]) == ("127.0.0.1", "test")
        assert newest["last_seen_at"] == newest["created_at"] == "2026-03-01T09:00:00Z"
        first = (await desk.get("/me/sessions", params={"limit": 1})).json()
        rest = (await desk.get("/me/sessions", params={"cursor": first["next_cursor"]})).json()
        assert [item["user_agent"] for item in first["items"] + rest["items"]] == ["desk", "phone"]

    play(tmp_path, scenario)


def test_a_session_that_is_ended_is_out_at_once(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        phone, desk = await signed_in(node, "ada", "phone"), await signed_in(node, "ada", "desk")
        [_, lost] = await listed(desk)
        assert (await phone.get("/me")).status_code == 200
        assert (await desk.delete(f"/me/sessions/{lost['id']}")).status_code == 204
        refused = await phone.get("/me")
        assert (refused.status_code, refused.json()["code"]) == (401, "session_ended")
        assert len(await listed(desk)) == 1
        again = await desk.delete(f"/me/sessions/{lost['id']}")
        assert (again.status_code, again.json()["code"]) == (404, "unknown_session")
        [row] = [row for row in await node.audited() if row.action == "sessions.end" and row.outcome == "done"]
        assert (row.actor, row.target, row.details["user"]) == ("ada", str(lost["id"]), "ada")

    play(tmp_path, scenario)


def test_all_others_end_and_the_one_that_asks_goes_on(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        clients = [await signed_in(node, "ada") for _ in range(3)]
        others = await signed_in(node, "admin")
        assert (await clients[1].delete("/me/sessions")).json() == {"ended": 2}
        assert [(await client.get("/me")).status_code for client in (*clients, others)] == [401, 200, 401, 200]
        # A token of before there were sessions is of none, and goes on until it ends.
        assert (await node.client("ada").delete("/me/sessions")).json() == {"ended": 1}
        assert (await node.client("ada").get("/me")).status_code == 200

    play(tmp_path, scenario)


def test_nobody_ends_the_sessions_of_others_but_administrators(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada, admin = await signed_in(node, "ada"), await signed_in(node, "admin")
        [own] = await listed(ada)
        [theirs] = await listed(admin)
        assert (await ada.delete(f"/me/sessions/{theirs['id']}")).status_code == 404
        for method, path in (("GET", ""), ("DELETE", ""), ("DELETE", f"/{theirs['id']}")):
            assert (await ada.request(method, f"/users/admin/sessions{path}")).status_code == 403
        assert [item["id"] for item in await listed(admin, "/users/ada/sessions")] == [own["id"]]
        assert (await admin.delete(f"/users/ada/sessions/{theirs['id']}")).status_code == 404
        assert (await admin.delete(f"/users/ada/sessions/{own['id']}")).status_code == 204
        assert (await ada.get("/me")).status_code == 401
        await signed_in(node, "ada")
        assert (await admin.delete("/users/ada/sessions")).json() == {"ended": 1}

    play(tmp_path, scenario)


def test_a_key_or_ticket_learns_and_ends_nothing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await signed_in(node, "ada")
        [session] = await listed(ada)
        key = (await ada.post("/api-keys", json={"name": "job"})).json()["secret"]
        for credential in (key, (await ada.post("/tickets")).json()["ticket"]):
            client = node.client(None, credential=credential)
            # A ticket is good for one request.
            assert (await client.delete(f"/me/sessions/{session['id']}")).status_code == 403
        client = node.client(None, credential=key)
        assert [(await client.request(method, "/me/sessions")).status_code for method in ("GET", "DELETE")] == [403] * 2
        assert len(await listed(ada)) == 1

    play(tmp_path, scenario)
