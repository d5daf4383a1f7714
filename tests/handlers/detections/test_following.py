"""The server's own audit trail is followed: by real requests to alerts, once each, whoever does it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from gallows import Gallows, Killed
from http_node import START, Node, play, serving
from opened_alerts import told
from sqlalchemy import text

from handlers.access import Role
from handlers.detections import own_place
from handlers.detections.detecting import state_of
from handlers.detections.following import FIRST_ROWS, POSITION, follow
from server.tokens import ServerIssuer
from storage import audit, detections, documents, trail_positions

ADMINISTRATORS = own_place.NAME


async def look(node: Node) -> int:
    await node.parts.audit.flush()
    return await follow(node.parts, node.now)


async def alerts_of(node: Node, workspace_id: str = ADMINISTRATORS, user: str = "admin") -> list[dict[str, Any]]:
    answer = await node.client(user).get(f"/security/alerts?workspace_id={workspace_id}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return sorted(found, key=lambda each: str(each["name"]))


def names(alerts: list[dict[str, Any]]) -> list[str]:
    return [str(each["name"])[:5] for each in alerts]


async def guess(node: Node, times: int = 25) -> None:
    for number in range(times):
        answer = await node.client(None, credential=f"csk_guess{number}").get("/me")
        assert answer.status_code == 401


async def append(node: Node, action: str, target: str, *, actor: str = "ada", **details: Any) -> None:
    async with node.parts.database.write() as connection:
        await audit.append(
            connection, at=node.now(), actor=actor, action=action, target=target, outcome="done", details=details
        )


def test_guessing_is_told_to_those_who_administer_the_server(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await look(node)
        await guess(node)
        assert await look(node) > 0
        (alert,) = await alerts_of(node)
        assert names([alert]) == ["TD-02"]
        assert "127.0.0.1" not in json.dumps(alert)
        ((kind, data),) = await told(node.parts, f"{ADMINISTRATORS}/alerts.security")
        assert (kind, data["alert"]["id"]) == ("alert.fired", alert["id"])
        shown = (await node.client("admin").get(f"/security/alerts/{alert['id']}")).json()
        assert shown["entity"] == "127.0.0.1"
        assert "25 sign-ins from 127.0.0.1 failed" in shown["explanation"]
        behind = sum(each["count"] for each in shown["events"])
        assert behind == 25
        assert {each["id"].partition(":")[0] for each in shown["events"]} == {"audit"}
        # Nobody else knows of it.
        assert (await node.client("ada").get(f"/security/alerts/{alert['id']}")).status_code == 404
        assert (await node.client("ada").get(f"/security/alerts?workspace_id={ADMINISTRATORS}")).status_code == 404

    play(tmp_path, scenario)


def test_what_is_about_a_workspace_is_told_there(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER, bob=Role.VIEWER)
        await look(node)
        ada = node.client("ada")
        where = "/collaboration/workspaces/lab/members/bob"
        assert (await ada.put(where, json={"role": "editor"})).status_code == 200
        await look(node)
        assert await alerts_of(node, "lab", "ada") == []
        assert (await ada.put(where, json={"role": "admin"})).status_code == 200
        await look(node)
        (alert,) = await alerts_of(node, "lab", "ada")
        assert names([alert]) == ["TD-10"]
        shown = (await ada.get(f"/security/alerts/{alert['id']}")).json()
        assert shown["explanation"] == "ada gave bob more rights."
        assert shown["events"][0]["about"] == "admin of lab"

    play(tmp_path, scenario)


def test_names_that_strangers_make_up_hold_nothing_up(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await append(node, "data_sources.delete", "7", workspace_id="nowhere")
        await append(node, "collaboration.workspaces.delete", "\ufffd no name")
        await append(node, "backups.delete", "1/2", workspace_id=[1])
        assert await look(node) == 3
        assert names(await alerts_of(node)) == ["TD-19"]

    play(tmp_path, scenario)


def test_a_workspace_of_that_name_that_somebody_made_is_not_taken(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace(ADMINISTRATORS, eve=Role.OWNER)
        await guess(node)
        await look(node)
        assert await alerts_of(node, ADMINISTRATORS, "eve") == []
        assert names(await alerts_of(node, f"{ADMINISTRATORS}-2")) == ["TD-02"]

    play(tmp_path, scenario)


def test_who_hides_the_place_sees_it_again_with_the_next_event(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await guess(node)
        await look(node)
        where = f"/collaboration/workspaces/{ADMINISTRATORS}"
        assert (await node.client("admin").delete(where)).status_code == 204
        node.ticks += 10
        await guess(node, 1)
        await look(node)
        node.ticks += 10
        assert names(await alerts_of(node)) == ["TD-02"]

    play(tmp_path, scenario)


def test_an_old_installation_is_followed_from_its_newest_rows_on(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        async with node.parts.database.write() as connection:
            await connection.execute(text(_MANY_ROWS), {"last": FIRST_ROWS + 500})
        assert await look(node) == FIRST_ROWS
        assert await look(node) == 0

    play(tmp_path, scenario)


_MANY_ROWS = """
    WITH RECURSIVE numbers(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM numbers WHERE id < :last)
    INSERT INTO audit (id, at, actor, action, target, outcome, details, previous_hash, hash)
    SELECT id, 1, 'ada', 'things.make', '', 'done', '{}', '', id FROM numbers
"""


def test_a_trail_that_was_cut_is_told_of(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await append(node, "things.make", "one")
        await look(node)
        async with node.parts.database.write() as connection:
            await connection.execute(text("DROP TRIGGER audit_no_update"))
            await connection.execute(text("UPDATE audit SET hash = 'another'"))
        await append(node, "things.make", "two")
        await look(node)
        (alert,) = await alerts_of(node)
        assert names([alert]) == ["TD-18"]
        shown = (await node.client("admin").get(f"/security/alerts/{alert['id']}")).json()
        assert "the audit trail, whose row 1 is gone or changed" in shown["explanation"]
        # It is followed from there on.
        await guess(node)
        await look(node)
        assert names(await alerts_of(node)) == ["TD-02", "TD-18"]

    play(tmp_path, scenario)


async def live(node: Node, step: Callable[[], Awaitable[None]]) -> None:
    """A day in which some attack, with a look at the trail after each thing that happens."""
    for number in range(3):
        await append(node, "api_keys.create", str(number), actor="eve", user=f"victim{number}")
        await step()
        for each in range(4):
            await append(node, "data_sources.delete", str(each), actor="mallory", workspace_id="lab")
        await step()
        await append(node, "collaboration.members.put", "lab/eve", actor="ada", role="owner", before="editor")
        await append(node, "sign_in", "bob", actor="bob", reason="token", address="203.0.113.7")
        await step()
        node.clock += timedelta(minutes=50)


async def outcome(node: Node) -> list[Any]:
    """The alerts with what is behind them, what was told of them, and what is remembered."""
    found: list[Any] = []
    for workspace_id in ("lab", ADMINISTRATORS):
        for alert in await alerts_of(node, workspace_id):
            one = (await node.client("admin").get(f"/security/alerts/{alert['id']}")).json()
            found.append((one, workspace_id))
        found += await told(node.parts, f"{workspace_id}/alerts.security")
    async with node.parts.database.read() as connection:
        streams = await detections.get_many(connection, ["workspace:lab", detections.SERVER])
    return found + sorted((each.scope, each.state) for each in streams.values())


def test_killed_between_any_two_statements_it_leaves_what_it_would_have_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lived(folder: Path, gallows: Gallows | None) -> list[Any]:
        async with serving(folder) as node:
            await node.make_workspace("lab", ada=Role.OWNER)

            async def step() -> None:
                for last in range(1000) if gallows else ():
                    assert gallows is not None
                    gallows.left = last
                    try:
                        await follow(node.parts, node.now)
                        break
                    except Killed:
                        continue
                    finally:
                        gallows.left = None
                await follow(node.parts, node.now)

            await live(node, step)
            return await outcome(node)

    folders = tmp_path / "unkilled", tmp_path / "killed"
    for folder in folders:
        folder.mkdir()
    unkilled = asyncio.run(lived(folders[0], None))
    gallows = Gallows(monkeypatch)
    killed = asyncio.run(lived(folders[1], gallows))
    assert gallows.kills > 200
    # Three alerts, that each of them fired, and two streams.
    assert len(unkilled) == 8
    assert killed == unkilled


def test_several_nodes_at_once_look_at_each_row_once(tmp_path: Path, database_url: str) -> None:
    """Rows are written all the while, by all of them."""

    async def scenario() -> None:
        async with serving(database_url, folder=tmp_path) as one, serving(database_url, folder=tmp_path) as other:
            nodes = (one, other)

            async def work(node: Node) -> int:
                total = 0
                for _ in range(20):
                    await append(node, "sign_in", "bob", actor="bob", reason="token")
                    total += await follow(node.parts, node.now)
                return total

            looked_at = sum(await asyncio.gather(*map(work, nodes)))
            looked_at += await follow(one.parts, one.now)
            async with one.parts.database.read() as connection:
                newest = await audit.head(connection)
                position = await trail_positions.get(connection, POSITION)
                stream = (await detections.get_many(connection, [detections.SERVER]))[detections.SERVER]
            assert newest is not None
            assert (position, looked_at) == (newest, newest.id)
            assert state_of(stream).kinds == {"authn_login_success": 40}

    asyncio.run(scenario())


def test_what_is_at_work_over_the_trail_and_why_the_rest_is_not(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.ADMIN, bob=Role.EDITOR)
        await guess(node, 3)
        await append(node, "backups.delete", "1/2", workspace_id="lab")
        await look(node)
        trail = "/security/detections/trail?workspace_id="
        shown = (await node.client("admin").get(f"{trail}{ADMINISTRATORS}")).json()
        states = {each["id"]: (each["state"], each["reason"]) for each in shown["detections"]}
        assert (shown["data_source_id"], shown["looked_at"], shown["late"]) == (None, 1, 0)
        assert states["TD-02"] == ("live", None)
        assert states["TD-06"][1] == "The audit trail has addresses, and does not say where on earth they are."
        assert states["TD-16"] == ("no_events", "The audit trail holds nothing that people enter.")
        assert all(reason for state, reason in states.values() if state != "live")
        of_lab = (await node.client("bob").get(f"{trail}lab")).json()
        states = {each["id"]: (each["state"], each["reason"]) for each in of_lab["detections"]}
        assert states["TD-19"] == ("live", None)
        assert "those who administer the server are told" in states["TD-02"][1]

    play(tmp_path, scenario)


def test_who_manages_the_place_sets_thresholds_and_turning_off_is_told_of(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.ADMIN, bob=Role.EDITOR)
        await guess(node, 3)
        await look(node)
        admin, where = node.client("admin"), "/security/detections/trail/settings"
        assert (await node.client("bob").get(f"{where}?workspace_id=lab")).status_code == 403
        settings = (await admin.get(f"{where}?workspace_id={ADMINISTRATORS}")).json()
        assert settings["export_rows"] == 10_000
        body = {"workspace_id": ADMINISTRATORS, "settings": {"brute_force_of_one_origin": 5}}
        assert (await node.client("ada").put(where, json=body)).status_code == 404
        assert (await admin.put(where, json=body)).status_code == 200
        await guess(node, 2)
        await look(node)
        assert names(await alerts_of(node)) == ["TD-02"]
        ada = node.client("ada")
        refused = await ada.put(where, json={"workspace_id": "lab", "settings": {"disabled": ["TD-18"]}})
        assert refused.status_code == 400
        assert "is always at work" in refused.text
        for disabled in (["TD-10"], ["TD-10", "TD-19"], ["TD-10", "TD-19"]):
            body = {"workspace_id": "lab", "settings": {"disabled": disabled}}
            assert (await ada.put(where, json=body)).status_code == 200
        await look(node)
        (alert,) = await alerts_of(node, "lab", "ada")
        shown = (await ada.get(f"/security/alerts/{alert['id']}")).json()
        assert alert["value"] == 1
        assert shown["explanation"] == "ada turned off or loosened what watches: detections TD-19."
        assert shown["alert"]["evidence"]["hits"] == 2

    play(tmp_path, scenario)


def test_whoever_asks_for_what_is_not_there_is_told_of(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        await node.make_user("eve")
        await look(node)
        for number in range(19):
            await node.client("eve").get(f"/collaboration/documents/w{number}/plan")
        await look(node)
        assert await alerts_of(node) == []
        for number in range(30):
            await node.client("ada").get(f"/collaboration/documents/w{number}/plan")
        await look(node)
        (alert,) = await alerts_of(node)
        shown = (await node.client("admin").get(f"/security/alerts/{alert['id']}")).json()
        assert (names([alert]), shown["entity"]) == (["TD-13"], "ada")

    play(tmp_path, scenario)


def test_a_large_export_is_told_of_in_its_workspace(tmp_path: Path) -> None:
    """Of somebody who ordinarily reads a few hundred things a day."""

    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER, bob=Role.EDITOR)
        for day in range(8):
            node.clock = START + timedelta(days=day)
            await append(node, "read", "lab", actor="bob", workspace_id="lab", things=200 + 10 * day)
        await look(node)
        async with node.parts.database.write() as connection:
            for number in range(100):
                await documents.create(connection, "lab", f"d{number}", created_by="ada", at=node.now())
        bob = node.client("bob")
        for _ in range(110):
            assert (await bob.get("/collaboration/documents/lab?limit=100")).status_code == 200
        await look(node)
        (alert,) = await alerts_of(node, "lab", "ada")
        shown = (await node.client("ada").get(f"/security/alerts/{alert['id']}")).json()
        assert (names([alert]), shown["entity"], alert["severity"]) == (["TD-11"], "bob", "high")
        assert "are much for this account" in shown["explanation"]

    play(tmp_path, scenario)


def test_a_key_that_goes_on_being_used_after_it_was_revoked_is_told_of(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        made = (await node.client("ada").post("/api-keys", json={"name": "Robot"})).json()
        thief = node.client(None, credential=made["secret"])
        assert (await thief.get("/me")).status_code == 200
        assert (await node.client("ada").delete(f"/api-keys/{made['key']['id']}")).status_code == 204
        for _ in range(3):
            refused = await thief.get("/me")
            assert (refused.status_code, refused.json()["code"]) == (401, "invalid_token")
        # Callers are not told the one from the other.
        unknown = await node.client(None, credential="csk_unknown").get("/me")
        assert unknown.json()["message"] == refused.json()["message"]
        await look(node)
        (alert,) = await alerts_of(node)
        shown = (await node.client("admin").get(f"/security/alerts/{alert['id']}")).json()
        assert (names([alert]), shown["entity"]) == (["TD-15"], "ada")

    play(tmp_path, scenario)


def test_a_page_that_is_left_open_guesses_nothing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        page = node.client("ada")
        node.clock += timedelta(hours=2)
        for _ in range(40):
            assert (await page.get("/me")).status_code == 401
            assert (await node.client(None).get("/me")).status_code == 401
        await look(node)
        reasons = {row.details["reason"]: row.details.get("account") for row in await node.audited()}
        assert reasons == {"token_expired": "ada", "not_authenticated": None}
        async with node.parts.database.read() as connection:
            assert await detections.get_many(connection, [detections.SERVER]) == {}

    play(tmp_path, scenario)


def test_forged_tokens_are_tries_as_whom_they_name(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        forger = ServerIssuer("another secret, long enough to sign with", node.now)
        for number in range(12):
            forged = forger.issue(f"user{number}", timedelta(hours=1))
            assert (await node.client(None, credential=forged).get("/me")).status_code == 401
            forged = forger.issue("admin", timedelta(hours=1))
            assert (await node.client(None, credential=forged).get("/me")).status_code == 401
            # Slowly enough that each is a row.
            await look(node)
            node.clock += timedelta(seconds=20)
        assert names(await alerts_of(node)) == ["TD-01", "TD-02", "TD-04"]

    play(tmp_path, scenario)
