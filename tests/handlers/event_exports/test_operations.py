"""Who says where events are sent, and what they are told of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from exporting_nodes import HERE, Setting, play_exporting, target_of
from receivers import Reply, receiving
from sqlalchemy import text
from syslog_receiver import SyslogReceiver

from handlers.event_exports.exporting import MAX_EXPORTS
from tests.storage.bus.encryption import make_certificate

SPLUNK = {"type": "splunk", "url": "https://siem.example.org:8088/services/collector/event", "token": "a-secret-token"}


def test_only_administrators_of_the_server(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        export = await setting.make(SPLUNK)
        ada = setting.node.client("ada")
        one = f"{HERE}/{export['id']}"
        answers = [
            await ada.get(HERE),
            await ada.get(one),
            await ada.post(HERE, json={"name": "mine", "target": SPLUNK}),
            await ada.patch(one, json={"enabled": False}),
            await ada.delete(one),
        ]
        assert [answer.status_code for answer in answers] == [403] * 5

    play_exporting(sqlite_url, scenario)


def test_what_it_is_told_is_sealed_and_never_shown(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        export = await setting.make(SPLUNK, streams=["alerts", "audit", "findings"])
        admin = setting.node.client("admin")
        assert export["address"] == "https://siem.example.org:8088/…"
        assert (export["kind"], export["shows_credentials"]) == ("splunk", True)
        assert export["streams"] == ["alerts", "audit", "findings"]
        page = (await admin.get(HERE)).json()
        assert page["items"] == [await setting.shown(export)]
        async with setting.node.parts.database.read() as connection:
            row = (await connection.execute(text("SELECT target, credentials FROM event_exports"))).one()
        trail = [(entry.action, entry.details) for entry in await setting.node.audited()]
        assert trail[-1][0] == "security.exports.create"
        for shown in (json.dumps(page), row.target, str(bytes(row.credentials)), str(trail)):
            assert "a-secret-token" not in shown
            assert "services/collector" not in shown

    play_exporting(database_url, scenario)


def test_changing_and_deleting(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        export = await setting.make(SPLUNK)
        changed = await setting.change(
            export, name="Other", enabled=False, target={"type": "http", "url": "https://logs.example.org/"}
        )
        assert (changed["name"], changed["enabled"], changed["kind"]) == ("Other", False, "http")
        assert (changed["address"], changed["shows_credentials"]) == ("https://logs.example.org/", False)
        admin = setting.node.client("admin")
        one = f"{HERE}/{export['id']}"
        assert (await admin.delete(one)).status_code == 204
        assert [(await admin.get(one)).status_code, (await admin.delete(one)).status_code] == [404, 404]
        assert (await admin.patch(one, json={"enabled": True})).status_code == 404
        actions = [entry.action for entry in await setting.node.audited()]
        assert actions[-2:] == ["security.exports.update", "security.exports.delete"]

    play_exporting(database_url, scenario)


def test_there_are_so_many_at_most(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        for _ in range(MAX_EXPORTS):
            await setting.make(SPLUNK)
        answer = await setting.node.client("admin").post(HERE, json={"name": "more", "target": SPLUNK})
        assert (answer.status_code, answer.json()["code"]) == (409, "too_many_exports")

    play_exporting(sqlite_url, scenario)


PRIVATE = "10.1.2.3"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ({"type": "syslog", "host": "logs.example.org", "transport": "udp"}, "'tls'"),
        ({"type": "syslog", "host": "logs.example.org", "transport": "tcp"}, "target.host: It is not encrypted"),
        ({"type": "syslog", "host": PRIVATE}, "target.host: 10.1.2.3 is 10.1.2.3, which is not a public address"),
        ({"type": "syslog", "host": "a.example", "ca_certificate": "no"}, "target.ca_certificate holds no certificate"),
        ({"type": "syslog", "host": "a.example", "client_key": "x"}, "client_key belong together"),
        (
            {"type": "syslog", "host": "a.example", "client_key": "x", "client_certificate": "x"},
            "target.client_key is not the key of target.client_certificate",
        ),
        ({"type": "syslog", "host": "a b"}, "host"),
        ({"type": "http", "url": "http://logs.example.org/"}, "target.url: It is not encrypted"),
        ({"type": "http", "url": "https://127.0.0.1/"}, "which is not a public address"),
        ({"type": "splunk", "url": "https://logs.example.org/"}, "token"),
        ({"type": "http", "url": "https://logs.example.org/", "token": "a\nb"}, "token"),
    ],
)
def test_what_cannot_be_is_said_at_once(sqlite_url: str, target: dict[str, Any], says: str) -> None:
    async def scenario(setting: Setting) -> None:
        answer = await setting.node.client("admin").post(HERE, json={"name": "SIEM", "target": target})
        assert answer.status_code == 400
        assert says in answer.json()["detail"]
        assert (await setting.node.client("admin").get(HERE)).json()["items"] == []

    play_exporting(sqlite_url, scenario, allowed=())


def test_a_collector_gets_its_envelope(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        async with receiving() as receiver:
            export = await setting.make({**SPLUNK, "url": receiver.url})
            await setting.write(1)
            assert await setting.exporter().attend(export["id"]) == 1
            [request] = receiver.received
            assert request.headers["authorization"] == "Splunk a-secret-token"
            first, second = [json.loads(line) for line in request.body.splitlines()]
            assert first["time"] == setting.node.now().timestamp()
            assert first["sourcetype"] == "ocsf"
            assert second["fields"] == {
                "stream": "audit",
                "number": 2,
                "mark": second["event"]["unmapped"]["hash"],
            }
            assert second["event"]["unmapped"]["previous_hash"] == first["fields"]["mark"]

    play_exporting(sqlite_url, scenario)


def test_what_a_receiver_answers_is_told(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        async with receiving() as receiver:
            receiver.replies = [Reply(403, b'{"text":"Invalid token",\n"code":4}')]
            export = await setting.make({**SPLUNK, "url": receiver.url})
            await setting.exporter().attend(export["id"])
            shown = await setting.shown(export)
            assert shown["last_error"] == 'The answer was 403: {"text":"Invalid token", "code":4}'

    play_exporting(sqlite_url, scenario)


@pytest.fixture
def strict_receiver(tmp_path: Path) -> Iterator[SyslogReceiver]:
    """It takes only who shows the certificate in `client`."""
    (tmp_path / "client").mkdir()
    client, _ = make_certificate(tmp_path / "client")
    made = SyslogReceiver(tmp_path, *make_certificate(tmp_path), client)
    made.start()
    yield made
    made.kill()


def test_who_has_to_show_a_certificate_does(sqlite_url: str, strict_receiver: SyslogReceiver) -> None:
    async def scenario(setting: Setting) -> None:
        target = target_of(strict_receiver)
        export = await setting.make(target)
        assert await setting.exporter().attend(export["id"]) == 0
        assert "did not take everything" in (await setting.shown(export))["last_error"]
        folder = strict_receiver.file.parent / "client"
        ours = {
            "client_certificate": (folder / "certificate.pem").read_text(),
            "client_key": (folder / "key.pem").read_text(),
        }
        await setting.change(export, target=target | ours)
        assert await setting.exporter().attend(export["id"]) == 1
        assert [message.number for message in strict_receiver.messages()] == [1, 2]

    play_exporting(sqlite_url, scenario)


@pytest.mark.parametrize("wrong", [{"ca_certificate": None}, {"host": "other.example"}])
def test_a_receiver_that_is_not_who_it_should_be_gets_nothing(
    sqlite_url: str, strict_receiver: SyslogReceiver, wrong: dict[str, Any]
) -> None:
    async def scenario(setting: Setting) -> None:
        export = await setting.make(target_of(strict_receiver, **wrong))
        assert await setting.exporter().attend(export["id"]) == 0
        assert "has a certificate that does not hold" in (await setting.shown(export))["last_error"]
        assert strict_receiver.messages() == []

    play_exporting(sqlite_url, scenario, allowed=("127.0.0.1", "localhost"))
