"""What is in the trail arrives: in order, at least once, by one node at a time, whatever happens in between."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from exporting_nodes import Setting, play_exporting, target_of
from receivers import Receiver, Reply, receiving
from sqlalchemy import text
from syslog_receiver import Message, SyslogReceiver, first_unproven, missing_of
from waiting import wait_until

from handlers.event_exports import exporting
from handlers.event_exports.exporting import LEASE
from handlers.feed_names import feed_of
from storage import event_exports, leases, workspaces
from tests.storage.bus.encryption import make_certificate


@pytest.fixture(params=["tls", "tcp"])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SyslogReceiver]:
    certificates = make_certificate(tmp_path) if request.param == "tls" else ()
    made = SyslogReceiver(tmp_path, *certificates)
    made.start()
    yield made
    made.kill()


def http(receiver: Receiver, **values: Any) -> dict[str, Any]:
    return {"type": "http", "url": receiver.url, **values}


def test_the_trail_arrives_whole_and_can_be_proven(database_url: str, receiver: SyslogReceiver) -> None:
    async def scenario(setting: Setting) -> None:
        await setting.write(3)
        export = await setting.make(target_of(receiver), start="beginning")
        await setting.write(1, action="documents.delete", outcome="refused", details={"reason": "forbidden"})
        assert await setting.exporter().attend(export["id"]) == 1
        messages = receiver.messages()
        assert [message.number for message in messages] == [1, 2, 3, 4, 5]
        assert first_unproven(messages) is None
        assert [message.event["api"]["operation"] for message in messages][3:] == [
            "security.exports.create",
            "documents.delete",
        ]
        assert [message.priority for message in messages] == [13 * 8 + 6] * 4 + [13 * 8 + 5]
        shown = await setting.shown(export)
        assert (shown["sent"], shown["behind"], shown["last_error"]) == (5, 0, None)
        assert shown["positions"] == [{"stream": "audit", "number": 5, "behind": 0}]

    play_exporting(database_url, scenario)


async def until(count: int, receiver: SyslogReceiver) -> None:
    """Returns once so many messages are there."""

    def there() -> int:
        return receiver.file.read_bytes().count(b"\n") if receiver.file.exists() else 0

    await asyncio.to_thread(wait_until, lambda: there() >= count, 20, lambda: f"{there()} came")


def test_a_receiver_that_is_killed_misses_nothing(
    sqlite_url: str, receiver: SyslogReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "ITEMS_AT_ONCE", 200)

    async def scenario(setting: Setting) -> None:
        await setting.write(399, details={"about": "x" * 6000})
        export = await setting.make(target_of(receiver), start="beginning")
        sending = asyncio.ensure_future(setting.exporter().attend(export["id"]))
        await until(150, receiver)
        receiver.kill()
        await sending
        before = whole_of(receiver)
        assert 150 <= len(before) < 400
        shown = await setting.shown(export)
        assert shown["sent"] <= len(before)
        assert "did not take everything" in shown["last_error"]
        assert shown["failing_since"] is not None
        receiver.start()
        setting.pass_time(seconds=2)
        while (await setting.shown(export))["behind"]:
            assert await setting.exporter().attend(export["id"]) > 0
        messages = receiver.messages()
        assert missing_of(messages, 1, 400) == []
        assert first_unproven(messages) is None
        assert only_at_the_seam([message.number for message in messages], len(before))
        assert (await setting.shown(export))["failing_since"] is None

    play_exporting(sqlite_url, scenario)


def whole_of(receiver: SyslogReceiver) -> list[Message]:
    """What came, once the half line that the dead wrote last is cut off, as who repairs a file would."""
    written = receiver.file.read_bytes()
    receiver.file.write_bytes(written[: written.rfind(b"\n") + 1])
    return receiver.messages()


def only_at_the_seam(numbers: list[int], seam: int) -> bool:
    """Whether it goes on by one each, but where it was interrupted."""
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    return all(step == 1 for at, step in enumerate(steps, 1) if at != seam)


def test_a_receiver_that_is_away_is_waited_for(sqlite_url: str, receiver: SyslogReceiver) -> None:
    receiver.kill()

    async def scenario(setting: Setting) -> None:
        export = await setting.make(target_of(receiver))
        exporter = setting.exporter()
        pauses = []
        for _ in range(11):
            assert await exporter.attend(export["id"]) == 0
            shown = await setting.shown(export)
            waits = datetime.fromisoformat(shown["next_attempt_at"]) - setting.node.now()
            pauses.append(waits.total_seconds())
            assert await exporter.attend(export["id"]) == 0
            setting.node.clock += waits
        assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
        assert shown["behind"] == 1
        assert shown["last_error"].startswith(
            f"The receiver {target_of(receiver)['host']}:{receiver.port} did not take everything"
        )
        receiver.start()
        assert await exporter.attend(export["id"]) == 1
        assert [message.number for message in receiver.messages()] == [1]

    play_exporting(sqlite_url, scenario)


def test_it_is_tried_at_once_when_somebody_changed_it(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        async with receiving() as receiver:
            receiver.replies = [Reply(503, b"later")]
            export = await setting.make(http(receiver))
            exporter = setting.exporter()
            assert await exporter.attend(export["id"]) == 0
            assert (await setting.shown(export))["last_error"] == "The answer was 503: later"
            await setting.change(export, target=http(receiver, token="abc"))
            assert await exporter.attend(export["id"]) == 1
            assert receiver.received[-1].headers["authorization"] == "Bearer abc"
            await setting.change(export, enabled=False)
            assert await exporter.attend(export["id"]) == 0
            await setting.change(export, enabled=True)
            assert await exporter.attend(export["id"]) == 1

    play_exporting(sqlite_url, scenario)


def test_one_node_at_a_time_and_another_when_it_dies(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        async with receiving() as receiver:
            receiver.replies = [Reply(hangs=True)]
            arrived = asyncio.Event()

            async def note(_: object) -> None:
                arrived.set()

            receiver.on_request = note
            export = await setting.make(http(receiver))
            dying = asyncio.ensure_future(setting.exporter("node-a").attend(export["id"]))
            await arrived.wait()
            assert (await setting.shown(export))["node"] == "node-a"
            assert await setting.exporter("node-b").attend(export["id"]) == 0
            # It dies without a word: its lease ends by itself, and what it is told then is not stored.
            setting.pass_time(seconds=LEASE.total_seconds() + 1)
            assert await setting.exporter("node-b").attend(export["id"]) == 1
            dying.cancel()
            await asyncio.wait([dying])
            assert [numbers_of(request.body) for request in receiver.received] == [[1], [1]]
            assert (await setting.shown(export))["sent"] == 1

    play_exporting(database_url, scenario)


def test_who_lost_the_lease_while_it_sent_stores_nothing(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        async with receiving() as receiver:
            export = await setting.make(http(receiver))
            name = exporting.lease_name(export["id"])

            async def taken(_: object) -> None:
                setting.pass_time(seconds=LEASE.total_seconds() + 1)
                async with setting.node.parts.database.write() as connection:
                    now = setting.node.now()
                    assert await leases.take(connection, name, "node-b", at=now, until=now + LEASE)

            receiver.on_request = taken
            assert await setting.exporter("node-a").attend(export["id"]) == 0
            shown = await setting.shown(export)
            assert (shown["sent"], shown["behind"], shown["node"]) == (0, 1, "node-b")

    play_exporting(database_url, scenario)


def numbers_of(body: bytes) -> list[int]:
    return [json.loads(line)["metadata"]["sequence"] for line in body.splitlines()]


def test_one_that_hangs_holds_up_no_other(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        async with receiving() as stuck, receiving() as well:
            stuck.usual = Reply(hangs=True)
            slow = await setting.make(http(stuck))
            quick = await setting.make(http(well))
            exporter = setting.exporter(seconds=1.5)
            looking = asyncio.ensure_future(exporter.run())
            figures = setting.node.parts.exports

            def ended() -> bool:
                return bool(figures.sent[quick["id"]] and figures.failures[slow["id"]])

            await asyncio.to_thread(wait_until, lambda: figures.sent[quick["id"]] > 0, 20, lambda: "nothing came")
            assert figures.failures[slow["id"]] == 0
            await asyncio.to_thread(wait_until, ended, 20, lambda: "it hangs")
            looking.cancel()
            await asyncio.wait([looking])
            assert (await setting.shown(slow))["last_error"] == "There was no answer within 1.5 s."

    play_exporting(sqlite_url, scenario)


def test_what_is_refused_is_found_by_sending_fewer(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        async with receiving() as receiver:
            export = await setting.make(http(receiver), start="beginning")
            await setting.write(600)
            sizes = []
            for _ in range(10):
                receiver.replies = [Reply(400, b"one of these is wrong")]
                await setting.exporter().attend(export["id"])
                sizes.append(len(numbers_of(receiver.received[-1].body)))
                setting.pass_time(seconds=400)
            assert sizes == [500, 250, 125, 62, 31, 15, 7, 3, 1, 1]
            assert await setting.exporter().attend(export["id"]) == 3
            sent = [number for request in receiver.received[10:] for number in numbers_of(request.body)]
            assert sent == list(range(1, 602))

    play_exporting(sqlite_url, scenario)


def test_batches_are_bounded_in_bytes(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "BYTES_AT_ONCE", 20_000)

    async def scenario(setting: Setting) -> None:
        async with receiving() as receiver:
            export = await setting.make(http(receiver), start="beginning")
            await setting.write(8, details={"about": "x" * 3000})
            await setting.write(1, details={"about": "x" * 30_000})
            await setting.exporter().attend(export["id"])
            sent = [numbers_of(request.body) for request in receiver.received]
            assert [number for batch in sent for number in batch] == list(range(1, 11))
            assert all(len(request.body) <= 21_000 for request in receiver.received[:-1])
            assert sent[-1] == [10]

    play_exporting(sqlite_url, scenario)


def test_it_begins_with_what_happens_from_now_on(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        async with receiving() as receiver:
            await setting.write(4)
            export = await setting.make(http(receiver))
            assert export["behind"] == 1
            assert export["positions"] == [{"stream": "audit", "number": 4, "behind": 1}]
            await setting.exporter().attend(export["id"])
            assert numbers_of(receiver.received[0].body) == [5]

    play_exporting(database_url, scenario)


FINDING = {
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


async def publish(setting: Setting, workspace_id: str, feed: str, *types: str) -> None:
    async with setting.node.parts.feeds.writing() as (_, outbox):
        for each in types:
            outbox.add(feed_of(workspace_id, feed), each, FINDING)


def test_findings_of_every_workspace_are_sent_and_nothing_else(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        async with receiving() as receiver:
            async with setting.node.parts.database.write() as connection:
                for name in ("lab", "shop", "lab-2"):
                    await workspaces.ensure(connection, name, created_by="admin", at=setting.node.now())
            await publish(setting, "lab", "security.findings", "finding.opened")
            export = await setting.make(http(receiver), streams=["findings"])
            await publish(setting, "lab", "security.findings", "finding.changed", "finding.fixed")
            await publish(setting, "lab-2", "security.findings", "finding.opened")
            await publish(setting, "shop", "activity", "finding.opened")
            exporter = setting.exporter()
            await exporter.attend(export["id"])
            sent = [line for request in receiver.received for line in request.body.splitlines()]
            events = [json.loads(line) for line in sent]
            assert [(event["metadata"]["uid"], event["message"]) for event in events] == [
                ("lab-2/security.findings/1", "finding.opened"),
                ("lab/security.findings/2", "finding.changed"),
                ("lab/security.findings/3", "finding.fixed"),
            ]
            shown = await setting.shown(export)
            assert {each["stream"]: each["behind"] for each in shown["positions"]} == {
                "lab-2/security.findings": 0,
                "lab/security.findings": 0,
            }

    play_exporting(database_url, scenario)


def test_events_that_are_kept_no_longer_are_counted(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        async with receiving() as receiver:
            export = await setting.make(http(receiver), streams=["findings"])
            async with setting.node.parts.database.write() as connection:
                await workspaces.ensure(connection, "lab", created_by="admin", at=setting.node.now())
            await publish(setting, "lab", "security.findings", *["finding.opened"] * 5)
            async with setting.node.parts.database.write() as connection:
                await connection.execute(text('DELETE FROM feed_events WHERE "offset" <= 3'))
                await connection.execute(text("UPDATE feeds SET oldest = 4 WHERE name = 'lab/security.findings'"))
            await setting.exporter().attend(export["id"])
            assert numbers_of(receiver.received[0].body) == [4, 5]
            shown = await setting.shown(export)
            assert (shown["missed"], shown["sent"], shown["behind"]) == (3, 2, 0)

    play_exporting(database_url, scenario)


async def tamper(setting: Setting, *statements: str) -> None:
    """What somebody with the database's password can do."""
    async with setting.node.parts.database.write() as connection:
        for event in ("update", "delete"):
            await connection.execute(text(f"DROP TRIGGER IF EXISTS audit_no_{event}"))
        for statement in statements:
            await connection.execute(text(statement))


@pytest.mark.parametrize(
    ("statements", "broken_at", "then"),
    [
        (("UPDATE audit SET actor = 'eve', hash = previous_hash WHERE id = 4",), 4, [5, 6]),
        (("DELETE FROM audit WHERE id >= 3",), 4, [3, 4]),
        (("DELETE FROM audit",), 4, [1, 2]),
    ],
)
def test_tampering_with_what_was_sent_shows_and_silences_nothing(
    sqlite_url: str, statements: Sequence[str], broken_at: int, then: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(setting: Setting) -> None:
        async with receiving() as receiver:
            await setting.write(3)
            export = await setting.make(http(receiver), start="beginning")
            await setting.exporter().attend(export["id"])
            await tamper(setting, *statements)
            await setting.exporter().attend(export["id"])
            await setting.write(2)
            await setting.exporter().attend(export["id"])
            assert numbers_of(receiver.received[-1].body) == then
            shown = await setting.shown(export)
            assert (shown["broken_at"], shown["behind"]) == (broken_at, 0)
            assert "the audit trail is not as it was" in caplog.text

    play_exporting(sqlite_url, scenario)


def test_a_row_that_was_changed_before_it_was_sent_shows(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        async with receiving() as receiver:
            await setting.write(3)
            export = await setting.make(http(receiver), start="beginning")
            await tamper(setting, "UPDATE audit SET actor = 'eve' WHERE id = 2")
            await setting.exporter().attend(export["id"])
            assert numbers_of(receiver.received[0].body) == [1, 2, 3, 4]
            assert (await setting.shown(export))["broken_at"] == 2

    play_exporting(sqlite_url, scenario)


def test_an_export_that_is_deleted_while_it_sends_leaves_nothing(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        async with receiving() as receiver:
            export = await setting.make(http(receiver))

            async def deleted(_: object) -> None:
                receiver.on_request = None
                answer = await setting.node.client("admin").delete(f"/security/exports/{export['id']}")
                assert answer.status_code == 204

            receiver.on_request = deleted
            assert await setting.exporter().attend(export["id"]) == 0
            async with setting.node.parts.database.read() as connection:
                assert await event_exports.positions(connection, [export["id"]]) == {export["id"]: {}}

    play_exporting(database_url, scenario)
