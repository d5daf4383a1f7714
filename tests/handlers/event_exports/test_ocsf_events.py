"""What is sent is OCSF 1.3.0 by its published schema, and says what happened."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from exporting_nodes import Setting, play_exporting
from opened_alerts import new_alert
from published_schemas import faults_of_ocsf, faults_of_sarif
from receivers import receiving

from handlers.alert_transitions import acknowledge, move, open_alert, resolve
from handlers.event_exports import ocsf_events
from storage import workspaces
from storage.audit import NO_HASH, Entry
from storage.feeds import Event

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
FINDING: dict[str, Any] = {
    "finding_id": 1,
    "source_id": 7,
    "scan_id": None,
    "check_id": "PG-AUTH-001",
    "title": "Anybody may log in",
    "severity": "critical",
    "category": "authentication",
    "state": "open",
    "fingerprint": "abc",
}


def entry(action: str = "documents.create", outcome: str = "done", **details: Any) -> Entry:
    return Entry(7, AT, "ann", action, "default/one", outcome, details, NO_HASH, "a" * 64)


@pytest.mark.parametrize(
    ("row", "class_uid", "activity", "status"),
    [
        (entry(via="token", request_id="r-1"), 6003, 1, 1),
        (entry("members.remove"), 6003, 4, 1),
        (entry("detections.put_settings"), 6003, 3, 1),
        (entry("something.odd", details=[1]), 6003, 99, 1),
        (entry("documents.get", "refused", reason="forbidden", count=3, address="192.0.2.7"), 6003, 99, 2),
        (entry("documents.get", "refused", address="*"), 6003, 99, 2),
        (entry("sign_in", reason="token", count=1, address="2001:db8::1"), 3002, 1, 1),
        (entry("sign_in", "refused"), 3002, 1, 2),
    ],
)
def test_rows_of_the_trail(row: Entry, class_uid: int, activity: int, status: int) -> None:
    event = ocsf_events.of_audit(row)
    assert faults_of_ocsf(event) == []
    assert (event["class_uid"], event["activity_id"], event["status_id"]) == (class_uid, activity, status)
    assert event["type_uid"] == class_uid * 100 + activity
    assert event["metadata"]["sequence"] == 7
    assert event["time"] == AT.timestamp() * 1000


def test_where_they_asked_from() -> None:
    assert ocsf_events.of_audit(entry(address="192.0.2.7"))["src_endpoint"] == {"ip": "192.0.2.7"}
    assert ocsf_events.of_audit(entry())["src_endpoint"] == {"name": "unknown"}


@pytest.mark.parametrize(
    ("type_", "state", "activity", "compliance"),
    [
        ("finding.opened", "open", 1, 3),
        ("finding.accepted", "accepted_risk", 2, 3),
        ("finding.fixed", "resolved", 3, 1),
    ],
)
def test_findings(type_: str, state: str, activity: int, compliance: int) -> None:
    event = ocsf_events.of_finding("lab/security.findings", Event(3, type_, AT, "ann", {**FINDING, "state": state}))
    assert faults_of_ocsf(event) == []
    assert (event["class_uid"], event["activity_id"], event["compliance"]["status_id"]) == (2003, activity, compliance)
    assert event["severity_id"] == 5


def test_alerts_as_they_really_are(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        async with receiving() as receiver:
            parts, now = setting.node.parts, setting.node.now()
            async with parts.database.write() as connection:
                await workspaces.ensure(connection, "lab", created_by="admin", at=now)
            export = await setting.make({"type": "http", "url": receiver.url}, streams=["alerts"])
            async with parts.feeds.writing() as (connection, outbox):
                alert = await open_alert(connection, outbox, new_alert(workspace_id="lab", domain="security"), at=now)
                await move(connection, outbox, alert.id, acknowledge("ann", at=now), at=now, note="mine")
                await move(connection, outbox, alert.id, resolve("it was me", at=now), at=now)
            await setting.exporter().attend(export["id"])
            events = [json.loads(line) for line in receiver.received[0].body.splitlines()]
            assert [fault for event in events for fault in faults_of_ocsf(event)] == []
            shown = [(event["class_uid"], event["activity_id"], event["status_id"]) for event in events]
            assert shown == [(2004, 1, 1), (2004, 2, 2), (2004, 3, 4)]
            assert [event.get("comment") for event in events] == [None, "mine", "it was me"]

    play_exporting(sqlite_url, scenario)


def test_the_schemas_find_faults() -> None:
    event = ocsf_events.of_audit(entry())
    assert faults_of_ocsf(event | {"invented": 1}) != []
    assert faults_of_ocsf(event | {"severity_id": 42}) != []
    assert faults_of_ocsf({name: value for name, value in event.items() if name != "api"}) != []
    assert faults_of_sarif({"version": "2.1.0", "runs": [{}]}) != []
