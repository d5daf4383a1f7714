"""What was added to the trail after detections were: ended sessions, scopes, the provider's codes, refused sockets."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from exporting_nodes import Setting, play_exporting
from http_node import SECRET, Node, play
from node_in_process import listening
from openid_nodes import World, openid_nodes
from openid_provider import ADA
from trail_alerts import looked
from websockets.asyncio.client import connect

from crdt.lib0 import write_var_string
from handlers.access import Role
from server.admission import UNAUTHORISED
from server.http import utc_now
from server.signing_in import open_session
from server.tokens import ServerIssuer

HOUR = timedelta(hours=1)
SPLUNK = {"type": "http", "url": "https://splunk.example.org:8088/services/collector/raw"}


def test_a_session_that_goes_on_being_used_after_it_was_ended_is_told_of(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        async with node.parts.database.write() as connection:
            issuer = ServerIssuer(SECRET, node.now)
            token = await open_session(connection, issuer, "ada", HOUR, node.now(), opened_by="test")
        thief = node.client(None, credential=token)
        assert (await thief.get("/me")).status_code == 200
        assert (await node.client("ada").delete("/me/sessions")).json() == {"ended": 1}
        for _ in range(3):
            assert (await thief.get("/me")).json()["code"] == "session_ended"
        (found,) = await looked(node.parts, node.now)
        assert (found.detection, found.entity) == ("TD-15", "ada")

    play(tmp_path, scenario)


def test_whoever_tries_what_a_key_is_not_for_is_told_of(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        body = {"name": "job", "scope": {"level": "read", "workspaces": ["lab"]}}
        made = (await node.client("ada").post("/api-keys", json=body)).json()
        thief = node.client(None, credential=made["secret"])
        for number in range(20):
            refused = await thief.put(f"/collaboration/documents/lab/d{number}/content", json={"text": "x"})
            assert refused.json()["code"] == "out_of_scope"
        (found,) = await looked(node.parts, node.now)
        assert (found.detection, found.entity) == ("TD-13", "ada")

    play(tmp_path, scenario)


def test_another_secret_for_the_key_of_another_is_more_rights(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada, admin = node.client("ada"), node.client("admin")
        own = (await ada.post("/api-keys", json={"name": "job"})).json()["key"]["id"]
        assert (await ada.post(f"/api-keys/{own}/rotate", json={})).status_code == 200
        assert await looked(node.parts, node.now) == []
        assert (await admin.post(f"/api-keys/{own}/rotate", json={})).status_code == 200
        (found,) = await looked(node.parts, node.now)
        assert found[:3] == ("TD-10", "admin", "admin gave ada more rights.")
        body = {"name": "job", "user_id": "ada", "scope": {"level": "manage"}}
        assert (await admin.post("/api-keys", json=body)).status_code == 201
        (found,) = await looked(node.parts, node.now)
        assert found.about == ["an API key of ada, to manage"]

    play(tmp_path, scenario)


def test_that_nothing_goes_to_the_siem_any_more_is_told_of(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        node = setting.node
        export = await setting.make(SPLUNK)
        await setting.change(export, name="Another name")
        assert await looked(node.parts, node.now) == []
        await setting.change(export, enabled=False)
        (found,) = await looked(node.parts, node.now)
        assert (found.detection, found.entity) == ("TD-18", "admin")
        # Renamed while it is stopped.
        await setting.change(export, name="A third name")
        assert (await node.client("admin").delete(f"/security/exports/{export['id']}")).status_code == 204
        (found,) = await looked(node.parts, node.now)
        assert "export 1 of the audit trail" in found.explanation

    play_exporting(sqlite_url, scenario, allowed=["0.0.0.0/0", "*"])


def test_codes_that_are_made_up_are_guesses(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        parts, browser = world.studios[0].parts, world.browser()
        for _ in range(19):
            assert (await browser.exchange("made up")).json()["code"] == "invalid_grant"
        # People lose cookies, and go back to where they came from.
        lost = world.browser()
        lost.address = "192.0.2.8"
        for _ in range(19):
            assert (await lost.client.get("https://studio.test/auth/callback")).status_code == 400
        assert await looked(parts, utc_now) == []
        await browser.exchange("made up")
        (found,) = await looked(parts, utc_now)
        assert (found.detection, found.entity) == ("TD-02", browser.address)

    _in_world(body, sqlite_url, tmp_path)


@pytest.mark.parametrize(("reason", "is_told"), [("code_refused", True), ("bad_signature", True), ("too_late", False)])
def test_what_the_provider_does_not_know_is_a_guess_and_being_slow_is_none(
    tmp_path: Path, reason: str, is_told: bool
) -> None:
    async def scenario(node: Node) -> None:
        for number in range(20):
            node.parts.audit.refused(
                actor=None,
                action="auth.callback",
                target="https://provider.test",
                code=reason,
                request_id=str(number),
                address="192.0.2.9",
            )
        found = await looked(node.parts, node.now)
        assert [each[:2] for each in found] == ([("TD-02", "192.0.2.9")] if is_told else [])

    play(tmp_path, scenario)


def test_whom_groups_make_an_administrator_is_told_of(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        parts = world.studios[0].parts
        await world.browser().sign_in()
        assert await looked(parts, utc_now) == []
        world.provider.account = {**ADA, "groups": ["chiefs"]}
        for _ in range(2):
            await world.browser().sign_in()
        (found,) = await looked(parts, utc_now)
        assert (found.detection, found.explanation) == ("TD-10", "server/openid gave ada more rights.")
        assert found.about == ["administrator of the server"]

    _in_world(body, sqlite_url, tmp_path, oidc_admin_groups=("chiefs",))


@pytest.mark.parametrize("is_hocuspocus", [True, False])
def test_guesses_over_sockets_are_told_of_with_where_they_came_from(tmp_path: Path, is_hocuspocus: bool) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, is_stock=False, trusted_proxies=("127.0.0.1/32",)) as (node, port):
            for number in range(20):
                assert await looked(node.studio.parts, utc_now) == []
                await _guess(f"ws://127.0.0.1:{port}", f"csk_{number}", is_hocuspocus)
            (found,) = await looked(node.studio.parts, utc_now)
            assert (found.detection, found.entity) == ("TD-02", "203.0.113.9")

    asyncio.run(scenario())


async def _guess(url: str, credential: str, is_hocuspocus: bool) -> None:
    path = "/ws" if is_hocuspocus else f"/yjs/default/notes?token={credential}"
    async with connect(url + path, additional_headers={"X-Forwarded-For": "203.0.113.9"}) as socket:
        if is_hocuspocus:
            await socket.send(write_var_string("default/notes") + b"\x02\x00" + write_var_string(credential))
            refusal = await socket.recv(decode=False)
            # Of the kind Auth, and there PermissionDenied.
            assert refusal.startswith(write_var_string("default/notes") + b"\x02\x01")
        else:
            await socket.wait_closed()
            assert socket.close_code == UNAUTHORISED


def _in_world(body: Any, url: str, folder: Path, **settings: Any) -> None:
    async def run() -> None:
        async with openid_nodes(url, folder, **settings) as world:
            await body(world)

    asyncio.run(run())
