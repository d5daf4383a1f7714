"""Integrations over HTTP: who may, what is refused, and what is never shown."""

from __future__ import annotations

from typing import Any

import pytest
from http_node import Node, play
from integration_nodes import HERE, LAB, Setting, play_sending

from handlers.access import Role
from handlers.integrations import registration
from storage import integrations

URL = "https://hooks.example.org/T0/secret-token?key=1"
WEBHOOK = {"workspace_id": LAB, "name": "Hook", "kind": "webhook", "url": URL}


def test_the_life_of_an_integration(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace(LAB, ada=Role.ADMIN)
        ada = node.client("ada")
        made = await ada.post(HERE, json=WEBHOOK)
        assert made.status_code == 201
        hook = made.json()
        assert hook.pop("secret").startswith("whsec_")
        expected = {
            "id": hook["id"],
            "workspace_id": LAB,
            "name": "Hook",
            "kind": "webhook",
            "address": "https://hooks.example.org/…",
            "recipients": [],
            "feeds": ["activity"],
            "events": ["*"],
            "owner": "ada",
            "enabled": True,
            "disabled_reason": None,
            "failing_since": None,
            "created_at": "2026-03-01T09:00:00Z",
            "updated_at": "2026-03-01T09:00:00Z",
        }
        assert hook == expected
        one = f"{HERE}/{hook['id']}"
        assert (await ada.get(one)).json() == {**expected, "secret": None}
        changes = {"name": "Other", "feeds": ["alerts.*"], "events": ["a", "b.*"], "enabled": False}
        changed = (await ada.patch(one, json=changes)).json()
        assert {name: changed[name] for name in changes} == changes
        assert [each["name"] for each in (await ada.get(HERE, params={"workspace_id": LAB})).json()["items"]] == [
            "Other"
        ]
        assert (await ada.delete(one)).status_code == 204
        assert (await ada.get(one)).status_code == 404
        assert (await ada.get(HERE, params={"workspace_id": LAB})).json()["items"] == []

    play(database_url, scenario)


def test_addresses_and_secrets_are_sealed_and_never_shown(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace(LAB, ada=Role.ADMIN)
        ada = node.client("ada")
        hook = (await ada.post(HERE, json=WEBHOOK)).json()
        async with node.parts.database.read() as connection:
            row = await integrations.get(connection, hook["id"])
        assert row is not None
        assert "secret-token" not in str(row)
        assert hook["secret"] not in str(row)
        answers = [
            (await ada.get(f"{HERE}/{hook['id']}")).text,
            (await ada.get(HERE, params={"workspace_id": LAB})).text,
            str([entry.details for entry in await node.audited()]),
        ]
        for answer in answers:
            assert "secret-token" not in answer
            assert hook["secret"] not in answer

    play(database_url, scenario)


def test_a_new_secret_is_shown_once_and_the_old_one_ends(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        one = f"{HERE}/{hook['id']}"
        rotated = (await setting.ada.patch(one, json={"rotate_secret": True})).json()
        assert rotated["secret"].startswith("whsec_")
        assert rotated["secret"] != hook["secret"]
        await setting.ada.post(f"{one}/test")
        moved = (await setting.ada.patch(one, json={"url": setting.receiver.url + "2"})).json()
        assert moved["secret"] is None
        await setting.ada.post(f"{one}/test")
        first, second = setting.receiver.received
        assert (first.path, second.path) == ("/hook", "/hook2")

    play_sending(sqlite_url, scenario)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": "x", "kind": "webhook"}, "url"),
    ({"name": "x", "kind": "slack"}, "url"),
    ({"name": "x", "kind": "email"}, "recipients"),
    ({"name": "x", "kind": "email", "url": URL, "recipients": ["a@b.example"]}, "url"),
    ({"name": "x", "kind": "webhook", "url": URL, "recipients": ["a@b.example"]}, "recipients"),
    ({"name": "x", "kind": "email", "recipients": []}, "recipients"),
    ({"name": "x", "kind": "email", "recipients": ["nobody"]}, "recipients[0]"),
    ({"name": "x", "kind": "email", "recipients": ["a@b.example\nBcc: c@d.example"]}, "recipients[0]"),
    ({"name": "x", "kind": "pigeon", "url": URL}, "kind"),
    ({"name": "", "kind": "webhook", "url": URL}, "name"),
    ({"name": "x", "kind": "webhook", "url": "http://hooks.example.org/"}, "url"),
    ({"name": "x", "kind": "webhook", "url": "https://10.0.0.1/"}, "url"),
    ({"name": "x", "kind": "webhook", "url": "https://[::ffff:127.0.0.1]/"}, "url"),
    ({"name": "x", "kind": "webhook", "url": "https://u:p@hooks.example.org/"}, "url"),
    ({"name": "x", "kind": "webhook", "url": URL, "feeds": ["Activity"]}, "feeds[0]"),
    ({"name": "x", "kind": "webhook", "url": URL, "feeds": []}, "feeds"),
    ({"name": "x", "kind": "webhook", "url": URL, "events": ["a b"]}, "events[0]"),
]


@pytest.mark.parametrize(("body", "parameter"), BAD)
def test_bad_requests_say_what_is_wrong(sqlite_url: str, body: dict[str, Any], parameter: str) -> None:
    async def scenario(setting: Setting) -> None:
        refused = await setting.ada.post(HERE, json={"workspace_id": LAB, **body})
        assert (refused.status_code, refused.json()["details"]["parameter"]) == (400, parameter), refused.text
        assert (await setting.ada.get(HERE, params={"workspace_id": LAB})).json()["items"] == []

    play_sending(sqlite_url, scenario)


def test_changes_fit_the_kind(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        people = await setting.make(kind="email", url=None, recipients=["bob@x.example"])
        for one, changes in (
            (hook, {"recipients": ["a@b.example"]}),
            (hook, {"url": "https://10.0.0.1/"}),
            (people, {"url": URL}),
            (people, {"rotate_secret": True}),
        ):
            refused = await setting.ada.patch(f"{HERE}/{one['id']}", json=changes)
            assert refused.status_code == 400, changes
        changed = await setting.ada.patch(f"{HERE}/{people['id']}", json={"recipients": ["eve@x.example"]})
        assert changed.json()["recipients"] == ["eve@x.example"]

    play_sending(sqlite_url, scenario)


def test_without_a_mail_server_there_is_no_mail(sqlite_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace(LAB, ada=Role.ADMIN)
        body = {"workspace_id": LAB, "name": "x", "kind": "email", "recipients": ["bob@x.example"]}
        refused = await node.client("ada").post(HERE, json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "no_mail_server")

    play(sqlite_url, scenario)


def test_only_administrators_of_the_workspace(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        node = setting.node
        await node.make_user("eve")
        one = f"{HERE}/{hook['id']}"
        calls = [
            ("GET", f"{HERE}?workspace_id={LAB}", None),
            ("POST", HERE, WEBHOOK),
            ("GET", one, None),
            ("PATCH", one, {"name": "x"}),
            ("DELETE", one, None),
            ("GET", f"{one}/deliveries", None),
            ("POST", f"{one}/deliveries/1/replay", None),
            ("POST", f"{one}/test", None),
        ]
        for method, address, body in calls:
            editor = await node.client("bob").request(method, address, json=body)
            stranger = await node.client("eve").request(method, address, json=body)
            assert (editor.status_code, stranger.status_code) == (403, 404), (method, address)
            nowhere = address.replace(str(hook["id"]), "77").replace(LAB, "gap")
            if body is not WEBHOOK:
                assert (await node.client("eve").request(method, nowhere, json=body)).status_code == 404
        assert setting.receiver.received == []
        assert (await node.client("admin").get(one)).status_code == 200

    play_sending(sqlite_url, scenario)


def test_there_are_not_too_many(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "MAX_IN_WORKSPACE", 2)

    async def scenario(setting: Setting) -> None:
        await setting.make()
        await setting.make()
        refused = await setting.ada.post(HERE, json=WEBHOOK)
        assert (refused.status_code, refused.json()["code"]) == (409, "too_many_integrations")

    play_sending(sqlite_url, scenario)


def test_the_list_is_paged(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        ids = [(await setting.make())["id"] for _ in range(3)]
        seen: list[int] = []
        parameters: dict[str, Any] = {"workspace_id": LAB, "limit": 2}
        for _ in range(2):
            page = (await setting.ada.get(HERE, params=parameters)).json()
            seen += [each["id"] for each in page["items"]]
            parameters["cursor"] = page["next_cursor"]
        assert (seen, parameters["cursor"]) == (ids, None)

    play_sending(sqlite_url, scenario)


def test_feeds_that_are_added_begin_with_their_next_event(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make(feeds=["activity"])
        await setting.publish("kept")
        await setting.publish("old", feed="news")
        await setting.ada.patch(f"{HERE}/{hook['id']}", json={"feeds": ["*"]})
        await setting.publish("new", feed="news")
        await setting.deliverer().attend(hook["id"])
        assert setting.sent == ["kept", "new"]

    play_sending(database_url, scenario)


def test_every_change_is_audited(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        one = f"{HERE}/{hook['id']}"
        await setting.ada.patch(one, json={"url": setting.receiver.url + "2", "name": "x"})
        await setting.ada.post(f"{one}/test")
        await setting.ada.delete(one)
        rows = [row for row in await setting.node.audited() if row.action.startswith("integrations.")]
        assert [row.action.partition(".")[2] for row in rows] == ["create", "update", "test", "delete"]
        assert all(row.target == str(hook["id"]) for row in rows)
        assert rows[1].details["changed"] == ["address", "name"]

    play_sending(sqlite_url, scenario)
