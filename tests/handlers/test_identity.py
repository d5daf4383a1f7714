"""Users, keys and tickets: what each lets in, and what lets nobody in any more."""

from datetime import timedelta
from pathlib import Path

import pytest
from http_node import START, Node, play

from handlers.access import Change, Role
from handlers.credentials import fingerprint
from handlers.dispatch import execute
from handlers.identity import OPERATIONS
from handlers.parts import Limits
from handlers.registry import Context, Forbidden, Principal
from storage import tickets
from storage.tickets import Bearer

BY_NAME = {operation.name: operation for operation in OPERATIONS}


def test_people_learn_who_they_are(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        assert (await node.client("ada").get("/me")).json() == {
            "id": "ada",
            "display_name": "ada",
            "is_admin": False,
            "via": "token",
            "expires_at": "2026-03-01T10:00:00Z",
            "scope": None,
        }
        assert (await node.client("admin").get("/me")).json()["is_admin"] is True

    play(tmp_path, scenario)


def test_administrators_list_users(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_user("bob")
        admin = node.client("admin")
        first = (await admin.get("/users", params={"limit": 2})).json()
        rest = (await admin.get("/users", params={"limit": 2, "cursor": first["next_cursor"]})).json()
        assert [user["id"] for user in first["items"] + rest["items"]] == ["ada", "admin", "bob"]
        assert (await node.client("ada").get("/users")).status_code == 403

    play(tmp_path, scenario)


def test_a_deactivated_user_is_shut_out_at_once_and_let_in_again(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        ada, admin = node.client("ada"), node.client("admin")
        heard: list[Change] = []
        node.parts.access.on_change(heard.append)
        assert (await ada.get("/collaboration/workspaces/lab")).status_code == 200
        assert (await admin.post("/users/ada/deactivate")).json()["is_active"] is False
        shut_out = await ada.get("/collaboration/workspaces/lab")
        assert (shut_out.status_code, shut_out.json()["code"]) == (401, "deactivated")
        assert (await admin.post("/users/ada/activate")).json()["is_active"] is True
        assert (await ada.get("/collaboration/workspaces/lab")).status_code == 200
        assert heard == [Change(None, "ada")] * 2
        rows = [(row.actor, row.action, row.target) for row in await node.audited() if row.outcome == "done"]
        assert rows == [("admin", "users.deactivate", "ada"), ("admin", "users.activate", "ada")]

    play(tmp_path, scenario)


def test_nobody_deactivates_themselves_or_nobody(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        admin = node.client("admin")
        assert (await admin.post("/users/admin/deactivate")).json()["code"] == "yourself"
        assert (await admin.post("/users/ghost/deactivate")).json()["code"] == "unknown_user"
        assert (await node.client("ada").post("/users/admin/deactivate")).status_code == 403
        assert (await admin.get("/me")).status_code == 200

    play(tmp_path, scenario)


def test_a_key_acts_as_its_user_until_it_is_revoked(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        made = await ada.post("/api-keys", json={"name": "nightly job"})
        assert made.status_code == 201
        key, secret = made.json()["key"], made.json()["secret"]
        service = node.client(None, credential=secret)
        me = (await service.get("/me")).json()
        assert (me["id"], me["via"], me["expires_at"]) == ("ada", "api_key", None)
        assert (await ada.delete(f"/api-keys/{key['id']}")).status_code == 204
        assert (await service.get("/me")).status_code == 401

    play(tmp_path, scenario)


def test_the_secret_is_shown_once_and_kept_nowhere(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        made = (await ada.post("/api-keys", json={"name": "nightly job"})).json()
        listed = await ada.get("/api-keys")
        assert made["secret"] not in listed.text
        assert listed.json()["items"] == [made["key"]]
        assert made["secret"].startswith(made["key"]["prefix"])
        assert all(made["secret"] not in str(row) for row in await node.audited())
        secrets.append(made["secret"])

    secrets: list[str] = []
    play(tmp_path, scenario)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secrets[0].encode() not in kept
    assert fingerprint(secrets[0]) in kept


def test_a_key_ends(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        until = (START + timedelta(minutes=5)).isoformat()
        secret = (await ada.post("/api-keys", json={"name": "short", "expires_at": until})).json()["secret"]
        service = node.client(None, credential=secret)
        assert (await service.get("/me")).status_code == 200
        node.clock = START + timedelta(minutes=6)
        assert (await service.get("/me")).status_code == 401

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "x", "expires_at": "2026-03-01T08:00:00Z"}, {"name": "x", "expires_at": "soon"}]
)
def test_a_bad_key_is_not_made(tmp_path: Path, body: dict[str, str]) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        assert (await ada.post("/api-keys", json=body)).status_code == 400
        assert (await ada.get("/api-keys")).json()["items"] == []

    play(tmp_path, scenario)


def test_a_time_without_a_zone_is_no_time(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        body = {"name": "x", "expires_at": "2026-04-01T08:00:00"}
        refused = await node.client("ada").post("/api-keys", json=body)
        assert refused.json()["details"] == {"parameter": "expires_at"}

    play(tmp_path, scenario)


def test_only_administrators_make_and_see_others_keys(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada, admin = node.client("ada"), node.client("admin")
        body = {"name": "robot", "user_id": "robot"}
        assert (await ada.post("/api-keys", json=body)).status_code == 403
        made = (await admin.post("/api-keys", json=body)).json()
        robot = node.client(None, credential=made["secret"])
        assert (await robot.get("/me")).json()["id"] == "robot"
        assert (await ada.get("/api-keys", params={"user_id": "robot"})).status_code == 403
        assert (await admin.get("/api-keys", params={"user_id": "robot"})).json()["items"][0]["name"] == "robot"
        assert (await ada.delete(f"/api-keys/{made['key']['id']}")).status_code == 404
        assert (await robot.get("/me")).status_code == 200
        assert (await admin.delete(f"/api-keys/{made['key']['id']}")).status_code == 204

    play(tmp_path, scenario)


def test_a_key_makes_no_keys(tmp_path: Path) -> None:
    """A stolen key would outlive its revocation."""

    async def scenario(node: Node) -> None:
        secret = (await node.client("ada").post("/api-keys", json={"name": "job"})).json()["secret"]
        refused = await node.client(None, credential=secret).post("/api-keys", json={"name": "spare"})
        assert (refused.status_code, refused.json()["code"]) == (403, "wrong_credential")

    play(tmp_path, scenario)


def test_revoking_twice_is_revoking_once(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        key = (await ada.post("/api-keys", json={"name": "job"})).json()["key"]
        for _ in range(2):
            assert (await ada.delete(f"/api-keys/{key['id']}")).status_code == 204
        assert [row.action for row in await node.audited()] == ["api_keys.create", "api_keys.revoke"]
        assert (await ada.delete("/api-keys/99")).status_code == 404
        assert (await ada.delete("/api-keys/x")).status_code == 400

    play(tmp_path, scenario)


def test_a_user_has_so_many_valid_keys(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        ids = [(await ada.post("/api-keys", json={"name": "job"})).json()["key"]["id"] for _ in range(2)]
        full = await ada.post("/api-keys", json={"name": "job"})
        assert (full.status_code, full.json()["code"]) == (409, "too_many_keys")
        await ada.delete(f"/api-keys/{ids[0]}")
        assert (await ada.post("/api-keys", json={"name": "job"})).status_code == 201

    play(tmp_path, scenario, limits=Limits(api_keys_per_user=2))


def test_keys_are_listed_in_pages(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        for number in range(3):
            await ada.post("/api-keys", json={"name": f"key {number}"})
        first = (await ada.get("/api-keys", params={"limit": 2})).json()
        rest = (await ada.get("/api-keys", params={"cursor": first["next_cursor"]})).json()
        assert [key["name"] for key in first["items"] + rest["items"]] == ["key 0", "key 1", "key 2"]

    play(tmp_path, scenario)


def test_a_ticket_lets_in_once_and_only_for_a_while(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        made = [(await ada.post("/tickets")).json() for _ in range(2)]
        assert made[0]["expires_at"] == "2026-03-01T09:00:30Z"
        async with node.parts.database.write() as connection:
            used = [await tickets.consume(connection, fingerprint(made[0]["ticket"]), at=START) for _ in range(2)]
            late = START + timedelta(seconds=30)
            assert await tickets.consume(connection, fingerprint(made[1]["ticket"]), at=late) is None
        assert used == [Bearer("ada"), None]

    play(tmp_path, scenario)


def test_a_ticket_does_not_outlive_the_token_it_was_made_with(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        soon = START + timedelta(seconds=3)
        context = Context(Principal("ada", False, "token", soon), node.parts, "r", node.now)
        ticket = await execute(BY_NAME["tickets.create"], context, {})
        assert ticket.expires_at == soon

    play(tmp_path, scenario)


@pytest.mark.parametrize("name", ["tickets.create", "api_keys.create"])
def test_a_ticket_makes_no_credentials(tmp_path: Path, name: str) -> None:
    async def scenario(node: Node) -> None:
        parameters = {"name": "job"} if name == "api_keys.create" else {}
        with pytest.raises(Forbidden) as refused:
            await execute(BY_NAME[name], node.context("ada", via="ticket"), parameters)
        assert refused.value.code == "wrong_credential"

    play(tmp_path, scenario)


def test_tickets_nobody_came_with_are_forgotten(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = node.client("ada")
        await ada.post("/tickets")
        node.clock = START + timedelta(minutes=1)
        await ada.post("/tickets")
        async with node.parts.database.write() as connection:
            assert await tickets.purge_expired(connection, at=START + timedelta(days=1)) == 1

    play(tmp_path, scenario)
