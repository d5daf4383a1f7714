"""From events that are pushed to alerts that people see, and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from http_node import Node, play
from opened_alerts import told
from pushing import Shop, shop

from analysis.detections import injection
from handlers.detections.keeping import look
from storage import detections


def failures(start: datetime, number: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": f"f{each}",
            "at": (start + timedelta(seconds=each)).isoformat(),
            "kind": "authn_login_fail",
            "actor": "root",
            "address": "203.0.113.9",
            **more,
        }
        for each in range(number)
    ]


async def push(there: Shop, events: list[dict[str, Any]]) -> dict[str, Any]:
    answer = await there.pusher.post(f"/security/events/{there.source_id}", json={"events": events})
    assert answer.status_code == 200, answer.text
    taken: dict[str, Any] = answer.json()
    return taken


async def rest(there: Shop) -> None:
    there.node.clock += timedelta(minutes=3)
    assert await look(there.node.parts, there.node.now) == 1


def test_guessed_passwords_become_an_alert_with_what_is_behind_it(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        taken = await push(there, failures(node.now(), 12))
        assert (taken["taken"], taken["late"]) == (12, 0)
        assert (await there.ada.get("/security/alerts?workspace_id=lab")).json()["items"] == []
        await rest(there)
        (alert,) = (await there.ada.get("/security/alerts?workspace_id=lab")).json()["items"]
        assert alert["name"].startswith("TD-01")
        assert (alert["severity"], alert["state"], alert["value"]) == ("medium", "firing", 12.0)
        assert "root" not in json.dumps(alert)
        one = f"/security/alerts/{alert['id']}"
        seen = (await there.ada.get(one)).json()
        assert seen["entity"] == "root"
        assert [each["id"] for each in seen["events"]] == [f"f{each}" for each in range(12)]
        hidden = (await node.client("bob").get(one)).json()
        assert hidden["alert"]["id"] == alert["id"]
        assert (hidden["entity"], hidden["events"], hidden["trigger"], hidden["explanation"]) == (None,) * 4
        ((kind, data),) = await told(node.parts, "lab/alerts.security")
        assert (kind, data["alert"]["id"]) == ("alert.fired", alert["id"])

    play(tmp_path, scenario)


def test_people_acknowledge_and_resolve(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        await push(there, failures(node.now(), 12))
        await rest(there)
        (alert,) = (await there.ada.get("/security/alerts?workspace_id=lab")).json()["items"]
        one = f"/security/alerts/{alert['id']}"
        assert (await node.client("eve").post(f"{one}/acknowledge", json={})).status_code == 403
        acknowledged = await node.client("bob").post(f"{one}/acknowledge", json={"note": "Mine"})
        assert acknowledged.json()["state"] == "acknowledged"
        # More of it is the same alert.
        await push(there, failures(node.now(), 3, actor="root"))
        resolved = await node.client("bob").post(f"{one}/resolve", json={"reason": "A test"})
        assert resolved.json()["state"] == "resolved"
        assert (await node.client("bob").post(f"{one}/acknowledge", json={})).status_code == 409
        assert (await node.client("ada").get("/performance/alerts?workspace_id=lab")).json()["items"] == []
        actions = [row.action for row in await node.audited()]
        assert {"security_alerts.acknowledge", "security_alerts.resolve"} <= set(actions)

    play(tmp_path, scenario)


def test_more_of_the_same_is_one_alert_and_what_comes_again_counts_once(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        start = node.now()
        events = failures(start, 30)
        await push(there, events[:15])
        await push(there, events[10:])
        await rest(there)
        assert (await push(there, events))["late"] == 30
        alerts = (await there.ada.get("/security/alerts?workspace_id=lab")).json()["items"]
        assert sorted(each["name"][:5] for each in alerts) == ["TD-01", "TD-02"]
        assert {each["value"] for each in alerts} == {30.0}
        streams = (await there.ada.get("/security/detections?workspace_id=lab")).json()["items"]
        assert streams[0]["looked_at"] == 30

    play(tmp_path, scenario)


def test_an_event_of_times_to_come_makes_no_later_one_late(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        next_year = failures(node.now() + timedelta(days=365), 1)[0] | {"id": "next year"}
        taken = await push(there, [next_year, *failures(node.now(), 12)])
        assert (taken["taken"], taken["late"], taken["ahead"]) == (12, 0, 1)
        assert "ahead of the server's clock" in taken["message"]
        assert (await push(there, [next_year]))["ahead"] == 1
        await rest(there)
        (alert,) = (await there.ada.get("/security/alerts?workspace_id=lab")).json()["items"]
        assert alert["name"].startswith("TD-01")

    play(tmp_path, scenario)


def test_what_is_at_work_and_why_the_rest_is_not(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        await push(there, failures(node.now(), 2))
        await rest(there)
        settings = f"/security/detections/{there.source_id}/settings"
        assert (await node.client("bob").put(settings, json={"settings": {}})).status_code == 403
        bad = await there.ada.put(settings, json={"settings": {"egress_networks": ["office"]}})
        assert bad.status_code == 400
        assert "192.0.2.0/24" in bad.text
        put = await there.ada.put(settings, json={"settings": {"disabled": ["TD-02"]}})
        assert put.status_code == 200, put.text
        assert (await there.ada.get(settings)).json()["disabled"] == ["TD-02"]
        first, second = (await node.client("eve").get("/security/detections?workspace_id=lab")).json()["items"]
        states = {each["id"]: each["state"] for each in first["detections"]}
        assert len(states) == 20
        assert (states["TD-01"], states["TD-02"], states["TD-11"]) == ("live", "off", "no_events")
        assert all(each["reason"] for each in first["detections"] if each["state"] != "live")
        assert second["live"] == 0

    play(tmp_path, scenario)


def test_lines_of_logs(tmp_path: Any) -> None:
    """PostgreSQL's jsonlog and csvlog, and MariaDB's server_audit."""

    async def scenario(node: Node) -> None:
        there = await shop(node)
        address = f"/security/events/{there.source_id}"
        lines = [
            {
                "timestamp": f"2026-03-01 09:00:{each:02d}.123 UTC",
                "session_id": "65e.1",
                "line_num": each + 1,
                "error_severity": "FATAL",
                "state_code": "28P01",
                "remote_host": "203.0.113.9",
                "message": 'password authentication failed for user "root"',
            }
            for each in range(12)
        ]
        lines.append({**lines[0], "line_num": 99, "state_code": "00000", "message": "checkpoint starting: time"})
        body = "\n".join(map(json.dumps, lines))
        answer = await there.pusher.post(address, content=body, headers={"content-type": "application/x-ndjson"})
        assert (answer.json()["taken"], answer.json()["ignored"]) == (12, 1)
        row = '2026-03-01 09:00:30.5 UTC,"root","shop",7,"203.0.113.9:5","65e.2",1,"x",,,0,LOG,00000,'
        row += '"AUDIT: SESSION,1,1,ROLE,GRANT,,,""GRANT admin TO root"",<none>",,,,,,,,,"psql"\n'
        answer = await there.pusher.post(address, content=row, headers={"content-type": "text/csv"})
        assert answer.json()["taken"] == 1, answer.text
        line = "20260301 09:00:40,db1,ann,203.0.113.9,8,0,FAILED_CONNECT,,,1045\n"
        answer = await there.pusher.post(address, content=line, headers={"content-type": "text/plain"})
        assert answer.json()["taken"] == 1, answer.text
        deep = await there.pusher.post(address, content="[" * 9_999, headers={"content-type": "application/x-ndjson"})
        assert (deep.status_code, deep.json()["code"]) == (400, "bad_events")
        bad = await there.pusher.post(address, content="1,2,3", headers={"content-type": "text/csv"})
        assert bad.status_code == 400
        assert "Record 1" in bad.text
        await rest(there)
        alerts = (await there.ada.get("/security/alerts?workspace_id=lab")).json()["items"]
        assert {each["name"][:5]: each["severity"] for each in alerts} == {"TD-01": "medium", "TD-10": "high"}

    play(tmp_path, scenario)


def test_keys_of_other_sources_push_nothing(tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        events = {"events": failures(node.now(), 1)}
        assert (await there.pusher.post(f"/security/events/{there.other_id}", json=events)).status_code == 403
        assert (await node.client("eve").post(f"/security/events/{there.source_id}", json=events)).status_code == 403
        assert (await node.client(None).post(f"/security/events/{there.source_id}", json=events)).status_code == 401
        assert (await node.client("bob").post(f"/security/events/{there.source_id}", json=events)).status_code == 200

    play(tmp_path, scenario)


def test_inputs_are_parsed_before_anything_is_locked(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def noted(name: str, what: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            order.append(name)
            return what(*given, **more)

        return call

    monkeypatch.setattr(injection, "look_at_inputs", noted("parsed", injection.look_at_inputs))
    monkeypatch.setattr(detections, "ensure", noted("locked", detections.ensure))

    async def scenario(node: Node) -> None:
        there = await shop(node)
        await push(there, failures(node.now(), 1, kind="input_validation_fail", input="x' OR 1=1 --"))
        assert order == ["parsed", "locked"]

    play(tmp_path, scenario)
