"""What people do about alerts, over HTTP: who may, what is answered a second time, and what is left of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from http_node import Node, play
from opened_alerts import LAB, new_alert, open_in, resolve_in, told

from handlers.access import Role
from storage.alerts import PENDING

HERE = "/performance/alerts"
FEED = f"{LAB}/alerts.performance"


def laboratory(place: Path | str, scenario: Any) -> None:
    async def run(node: Node) -> None:
        await node.make_workspace(LAB, ada=Role.EDITOR, bob=Role.EDITOR, vic=Role.VIEWER)
        await node.make_workspace("other", eve=Role.OWNER)
        await scenario(node)

    play(place, run)


def test_the_first_acknowledgement_counts_and_a_repeat_shows_it(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        (alert,) = await open_in(node.parts, new_alert(), at=node.clock)
        body = {"note": "I am on it", "expires_in": 600}
        first = await node.client("ada").post(f"{HERE}/{alert.id}/acknowledge", json=body)
        again = await node.client("bob").post(f"{HERE}/{alert.id}/acknowledge", json={})
        assert (first.status_code, again.status_code) == (200, 200)
        assert (first.json()["changed"], again.json()["changed"]) == (True, False)
        assert first.json()["alert"] == again.json()["alert"]
        shown = again.json()["alert"]
        assert (shown["state"], shown["acknowledged_by"], shown["version"]) == ("acknowledged", "ada", 2)
        assert (shown["acknowledged_note"], shown["acknowledged_until"]) == ("I am on it", "2026-03-01T09:10:00Z")
        [audited] = [row for row in await node.audited() if row.outcome == "done"]
        assert (audited.actor, audited.action, audited.target) == ("ada", "alerts.acknowledge", str(alert.id))
        events = await told(node.parts, FEED)
        assert [kind for kind, _ in events] == ["alert.fired", "alert.acknowledged"]
        assert events[1][1]["alert"] == shown
        history = (await node.client("vic").get(f"{HERE}/{alert.id}")).json()["history"]
        assert [(each["kind"], each["actor"], each["note"]) for each in history] == [
            ("alert.fired", None, None),
            ("alert.acknowledged", "ada", "I am on it"),
        ]

    laboratory(database_url, scenario)


def test_what_is_resolved_or_of_another_version_is_left_alone(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        cpu, disk, net = await open_in(
            node.parts, new_alert(), new_alert("disk"), new_alert("net", state=PENDING), at=node.clock
        )
        ada = node.client("ada")
        await resolve_in(node.parts, cpu.id, at=node.clock)
        resolved = await ada.post(f"{HERE}/{cpu.id}/acknowledge", json={})
        assert (resolved.status_code, resolved.json()["code"]) == (409, "alert_resolved")
        assert resolved.json()["details"]["alert"]["state"] == "resolved"
        changed = await ada.post(f"{HERE}/{disk.id}/acknowledge", json={"version": 7})
        assert (changed.status_code, changed.json()["code"]) == (412, "version_changed")
        assert changed.json()["message"].startswith("The alert is of version 1 by now, not 7")
        pending = await ada.post(f"{HERE}/{net.id}/acknowledge", json={})
        assert (pending.status_code, pending.json()["message"]) == (409, "The alert does not fire yet.")
        assert (await ada.post(f"{HERE}/{disk.id}/acknowledge", json={"version": 1})).json()["changed"]
        assert (await ada.post(f"{HERE}/999/acknowledge", json={})).status_code == 404

    laboratory(tmp_path, scenario)


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("acknowledge", {}),
        ("unacknowledge", {}),
        ("snooze", {"seconds": 60}),
        ("unsnooze", {}),
        ("assign", {"user_id": "ada"}),
        ("comments", {"text": "hm"}),
    ],
)
def test_a_viewer_may_look_and_a_stranger_learns_nothing(tmp_path: Path, action: str, body: dict[str, Any]) -> None:
    async def scenario(node: Node) -> None:
        (alert,) = await open_in(node.parts, new_alert(), at=node.clock)
        vic, eve = node.client("vic"), node.client("eve")
        assert (await vic.get(f"{HERE}/{alert.id}")).status_code == 200
        assert (await vic.post(f"{HERE}/{alert.id}/{action}", json=body)).status_code == 403
        there, nowhere = [(await eve.post(f"{HERE}/{each}/{action}", json=body)) for each in (alert.id, 999)]
        assert (there.status_code, nowhere.status_code) == (404, 404)
        assert there.json()["message"].replace(str(alert.id), "999") == nowhere.json()["message"]
        assert (await eve.get(f"{HERE}/{alert.id}")).status_code == 404
        assert (await eve.get(HERE, params={"workspace_id": LAB})).status_code == 404
        assert (await vic.get(f"{HERE}/{alert.id}")).json()["alert"]["version"] == 1

    laboratory(tmp_path, scenario)


def test_snoozed_assigned_commented_and_taken_back(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        (alert,) = await open_in(node.parts, new_alert(), at=node.clock)
        ada, here = node.client("ada"), f"{HERE}/{alert.id}"

        async def act(action: str, **body: Any) -> dict[str, Any]:
            answer = await ada.post(f"{here}/{action}", json=body)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

        assert (await act("snooze", seconds=60))["alert"]["snoozed_until"] == "2026-03-01T09:01:00Z"
        assert (await act("unsnooze"))["alert"]["snoozed_until"] is None
        assert not (await act("unsnooze"))["changed"]
        assert (await act("assign", user_id="bob"))["alert"]["assignee"] == "bob"
        assert not (await act("assign", user_id="bob"))["changed"]
        assert (await act("assign", user_id=None))["alert"]["assignee"] is None
        assert not (await act("unacknowledge"))["changed"]
        await act("acknowledge")
        taken_back = (await act("unacknowledge", note="not mine"))["alert"]
        assert (taken_back["state"], taken_back["acknowledged_by"]) == ("firing", None)
        refused = await ada.post(f"{here}/assign", json={"user_id": "eve"})
        assert (refused.status_code, refused.json()["code"]) == (400, "no_member")
        said = await ada.post(f"{here}/comments", json={"text": "It was the backup."})
        assert (said.status_code, said.json()["author"]) == (201, "ada")
        comments = (await node.client("vic").get(f"{here}/comments")).json()["items"]
        assert [each["text"] for each in comments] == ["It was the backup."]
        assert [kind.removeprefix("alert.") for kind, _ in await told(node.parts, FEED)] == [
            "fired",
            "snoozed",
            "unsnoozed",
            "assigned",
            "unassigned",
            "acknowledged",
            "unacknowledged",
            "commented",
        ]

    laboratory(database_url, scenario)


def test_many_at_once_tell_what_became_of_each(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        new = [new_alert(), new_alert("disk"), new_alert("net", state=PENDING), new_alert("gone")]
        firing, acknowledged, waits, over = await open_in(node.parts, *new, at=node.clock)
        (foreign,) = await open_in(node.parts, new_alert(workspace_id="other"), at=node.clock)
        await resolve_in(node.parts, over.id, at=node.clock)
        await node.client("bob").post(f"{HERE}/{acknowledged.id}/acknowledge", json={})
        ids = [firing.id, acknowledged.id, waits.id, over.id, foreign.id, firing.id]
        body = {"workspace_id": LAB, "alert_ids": ids, "note": "all mine"}
        answer = await node.client("ada").post(f"{HERE}/acknowledge", json=body)
        assert answer.status_code == 200
        items = answer.json()["items"]
        assert [each["outcome"] for each in items] == ["acknowledged", "unchanged", "pending", "resolved", "not_found"]
        assert items[1]["alert"]["acknowledged_by"] == "bob"
        assert items[4]["alert"] is None
        assert (await node.client("vic").post(f"{HERE}/acknowledge", json=body)).status_code == 403

    laboratory(database_url, scenario)


def test_alerts_are_found_and_counted(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        new = [new_alert(f"disk_{number}", severity="low", source_id=number) for number in range(3)]
        opened = await open_in(node.parts, *new, new_alert("CPU load", labels={"host": "db%1"}), at=node.clock)
        await resolve_in(node.parts, opened[0].id, at=node.clock)
        vic = node.client("vic")

        async def names(**parameters: Any) -> list[str]:
            answer = await vic.get(HERE, params={"workspace_id": LAB, **parameters})
            assert answer.status_code == 200, answer.text
            return [each["name"] for each in answer.json()["items"]]

        assert await names() == ["CPU load", "disk_2", "disk_1", "disk_0"]
        assert await names(state=["firing"], severity=["low", "critical"]) == ["disk_2", "disk_1"]
        assert await names(text="cpu") == ["CPU load"]
        assert await names(text="b%1") == ["CPU load"]
        assert await names(text="d_0") == []
        assert await names(data_source_id=0) == ["disk_0"]
        assert await names(assignee="ada") == []
        page = (await vic.get(HERE, params={"workspace_id": LAB, "limit": 3, "state": "firing"})).json()
        assert page["next_cursor"] is None
        counted = (await vic.get(f"{HERE}/counts", params={"workspace_id": LAB})).json()
        assert counted["counts"] == {"firing": {"high": 1, "low": 2}, "resolved": {"low": 1}}
        first = (await vic.get(HERE, params={"workspace_id": LAB, "limit": 3})).json()
        assert await names(limit=3, cursor=first["next_cursor"]) == ["disk_0"]

    laboratory(database_url, scenario)
