"""What is committed is delivered: in order, at least once, by one node at a time, whatever happens in between."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from integration_nodes import HERE, LAB, Setting, play_sending
from receivers import Received, Reply

from handlers.integrations import delivering
from handlers.integrations.backoff import MAX_ATTEMPTS
from handlers.integrations.delivering import LEASE, Deliverer
from handlers.integrations.intake import EVENTS_AT_ONCE
from handlers.integrations.signing import signature
from storage import deliveries, feed_trimming, feeds, integrations, workspaces


def test_events_arrive_signed_and_in_order(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        await setting.publish("before")
        hook = await setting.make()
        await setting.publish("one", "two", "three")
        deliverer = setting.deliverer()
        assert await deliverer.due() == [hook["id"]]
        assert await deliverer.attend(hook["id"]) == 3
        assert setting.sent == ["one", "two", "three"]
        for request in setting.receiver.received:
            message_id, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
            expected = signature(hook["secret"], message_id, int(timestamp), request.body)
            assert request.headers["webhook-signature"] == expected
            assert int(timestamp) == int(setting.node.clock.timestamp())
        assert setting.receiver.received[0].json["workspace_id"] == LAB
        assert len({request.headers["webhook-id"] for request in setting.receiver.received}) == 3
        assert await deliverer.due() == []
        assert await deliverer.attend(hook["id"]) == 0
        assert [each["state"] for each in await setting.deliveries(hook)] == ["delivered"] * 3

    play_sending(database_url, scenario)


def test_only_what_was_asked_for(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make(feeds=["alerts.*", "activity"], events=["member.*", "x"])
        await setting.publish("member.added", "workspace.changed")
        await setting.publish("x", "y", feed="alerts.disk")
        await setting.publish("x", feed="other")
        await setting.deliverer().attend(hook["id"])
        assert sorted(setting.sent) == ["member.added", "x"]
        # What nobody asked for is not looked at again.
        assert await setting.deliverer().due() == []

    play_sending(database_url, scenario)


def test_a_feed_that_begins_later_is_delivered_from_its_first_event(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        await setting.publish("old", feed="news")
        hook = await setting.make(feeds=["*"])
        await setting.publish("first", "second", feed="fresh")
        await setting.publish("new", feed="news")
        await setting.deliverer().attend(hook["id"])
        assert setting.sent == ["first", "second", "new"]

    play_sending(database_url, scenario)


def test_many_events_are_taken_in_a_few_at_a_time(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make(feeds=["*"], events=["wanted*"])
        async with setting.node.parts.feeds.writing() as (_, outbox):
            for at in range(EVENTS_AT_ONCE * 2):
                outbox.add(f"{LAB}/a", "unwanted", {})
                outbox.add(f"{LAB}/b", f"wanted{at}" if at % 20 == 0 else "unwanted", {})
        await setting.deliverer().attend(hook["id"])
        assert setting.sent == [f"wanted{at}" for at in range(0, EVENTS_AT_ONCE * 2, 20)]

    play_sending(sqlite_url, scenario)


class Killed(BaseException):
    """The process ends here."""


def test_who_dies_between_sending_and_storing_sends_again_with_the_same_id(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        await setting.publish("one", "two")

        async def die(*_: object) -> bool:
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(Deliverer, "_note", die)
            # Nothing of a process that is killed is done on its way out.
            patch.setattr(integrations, "end_lease", _nothing)
            with pytest.raises(Killed):
                await setting.deliverer("node-a").attend(hook["id"])
        assert setting.sent == ["one"]
        other = setting.deliverer("node-b")
        assert await other.attend(hook["id"]) == 0  # the dead one's lease
        setting.pass_time(seconds=LEASE.total_seconds() + 1)
        assert await other.due() == [hook["id"]]
        await other.attend(hook["id"])
        assert setting.sent == ["one", "one", "two"]
        first, again, _ = setting.receiver.received
        assert (first.headers["webhook-id"], first.body) == (again.headers["webhook-id"], again.body)
        assert first.headers["webhook-timestamp"] < again.headers["webhook-timestamp"]

    play_sending(database_url, scenario)


async def _nothing(*_: object) -> None:
    pass


def test_who_dies_before_sending_has_lost_nothing(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        await setting.publish("one")

        async def die(*_: object, **__: object) -> None:
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(deliveries, "enqueue", die)
            with pytest.raises(Killed):
                await setting.deliverer().attend(hook["id"])
        await setting.deliverer().attend(hook["id"])
        assert setting.sent == ["one"]

    play_sending(database_url, scenario)


def test_one_node_at_a_time(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        await setting.publish("one", "two", "three")
        second: list[int] = []

        async def other_tries(_: Received) -> None:
            assert await setting.deliverer("node-b").due() == []
            second.append(await setting.deliverer("node-b").attend(hook["id"]))

        setting.receiver.on_request = other_tries
        assert await setting.deliverer("node-a").attend(hook["id"]) == 3
        assert second == [0, 0, 0]
        assert setting.sent == ["one", "two", "three"]

    play_sending(database_url, scenario)


def test_nodes_that_begin_at_once_deliver_once(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        await setting.publish(*"abcdef")
        nodes = [setting.deliverer(f"node-{at}") for at in range(6)]
        await asyncio.gather(*(node.attend(hook["id"]) for node in nodes))
        for node in nodes:
            await node.attend(hook["id"])
        assert setting.sent == list("abcdef")

    play_sending(database_url, scenario)


def test_a_holder_that_was_thought_dead_stores_nothing(database_url: str) -> None:
    """It hangs while sending, another takes over: what the first one still wants to say does not count."""

    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        await setting.publish("one", "two")
        setting.receiver.replies = [Reply(500)]

        async def meanwhile(request: Received) -> None:
            if len(setting.receiver.received) == 1:
                setting.pass_time(seconds=LEASE.total_seconds() + 1)
                assert await setting.deliverer("node-b").attend(hook["id"]) == 2

        setting.receiver.on_request = meanwhile
        # The first request is answered last, with the failure that was the second's.
        setting.receiver.replies = [Reply(), Reply(), Reply(500)]
        assert await setting.deliverer("node-a").attend(hook["id"]) == 0
        assert setting.sent == ["one", "one", "two"]
        assert [len(each["attempts"]) for each in await setting.deliveries(hook)] == [1, 1]
        assert (await setting.get(hook))["failing_since"] is None

    play_sending(database_url, scenario)


def test_a_failure_is_tried_again_later_and_the_others_wait(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        await setting.publish("one", "two")
        setting.receiver.replies = [Reply(500, b"out of order"), Reply(cuts=True)]
        deliverer = setting.deliverer()
        await deliverer.attend(hook["id"])
        assert (setting.sent, await deliverer.due()) == (["one"], [])
        assert (await setting.get(hook))["failing_since"] == "2026-03-01T09:00:00Z"
        setting.pass_time(seconds=4.9)
        assert (await deliverer.due(), await deliverer.attend(hook["id"])) == ([], 0)
        setting.pass_time(seconds=0.2)
        assert await deliverer.due() == [hook["id"]]
        await deliverer.attend(hook["id"])
        setting.pass_time(seconds=15)
        await deliverer.attend(hook["id"])
        assert setting.sent == ["one", "one", "one", "two"]
        assert len({request.headers["webhook-id"] for request in setting.receiver.received[:3]}) == 1
        first, second = await setting.deliveries(hook)
        assert [(each["status"], each["answer"]) for each in first["attempts"]] == [
            (500, "out of order"),
            (None, None),
            (200, "ok"),
        ]
        assert first["attempts"][1]["error"].startswith("It could not be sent")
        assert (first["state"], first["tries"], second["tries"]) == ("delivered", 3, 1)
        assert (await setting.get(hook))["failing_since"] is None
        assert await setting.told() == []

    play_sending(database_url, scenario)


def test_it_waits_as_long_as_the_receiver_asks(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        await setting.publish("one")
        setting.receiver.replies = [Reply(429, headers={"retry-after": "600"})]
        await setting.deliverer().attend(hook["id"])
        setting.pass_time(seconds=599)
        assert await setting.deliverer().due() == []
        setting.pass_time(seconds=1)
        await setting.deliverer().attend(hook["id"])
        assert setting.sent == ["one", "one"]

    play_sending(sqlite_url, scenario)


async def fail_until_given_up(setting: Setting, integration_id: int) -> None:
    for _ in range(MAX_ATTEMPTS):
        await setting.deliverer().attend(integration_id)
        setting.pass_time(hours=1)


def test_at_the_end_it_is_given_up_and_the_owner_told_once(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        await setting.publish("one", "two", "three")
        setting.receiver.replies = [Reply(500)] * (2 * MAX_ATTEMPTS)
        await fail_until_given_up(setting, hook["id"])
        await fail_until_given_up(setting, hook["id"])
        assert setting.sent == ["one"] * MAX_ATTEMPTS + ["two"] * MAX_ATTEMPTS + ["three"]
        assert [each["state"] for each in await setting.deliveries(hook)] == ["failed", "failed", "delivered"]
        [(what, data)] = await setting.told()
        assert what == "integration.delivery_failed"
        assert (data["integration_id"], data["name"], data["type"]) == (hook["id"], "Hook", "one")
        assert data["error"] == "The answer was 500."
        # It has worked since: the next time is told again.
        await setting.publish("four")
        setting.receiver.replies = [Reply(500)] * MAX_ATTEMPTS
        await fail_until_given_up(setting, hook["id"])
        assert len(await setting.told()) == 2

    play_sending(database_url, scenario)


def test_an_address_that_is_away_for_days_is_disabled(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        setting.receiver.usual = Reply(503)
        await setting.publish("one")
        await setting.deliverer().attend(hook["id"])
        setting.pass_time(days=3)
        await setting.deliverer().attend(hook["id"])
        found = await setting.get(hook)
        assert (found["enabled"], found["disabled_reason"]) == (False, "Nothing has arrived since 2026-03-01.")
        assert [what for what, _ in await setting.told()] == ["integration.disabled"]
        setting.pass_time(days=1)
        assert await setting.deliverer().due() == []
        # Enabled again, it goes on where it was.
        setting.receiver.usual = Reply()
        await setting.publish("two")
        await setting.ada.patch(f"{HERE}/{hook['id']}", json={"enabled": True})
        await setting.deliverer().attend(hook["id"])
        assert setting.sent == ["one", "one", "one", "two"]
        found = await setting.get(hook)
        assert (found["disabled_reason"], found["failing_since"]) == (None, None)

    play_sending(database_url, scenario)


def test_an_address_that_is_gone_is_disabled_at_once(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        setting.receiver.usual = Reply(410)
        await setting.publish("one", "two")
        assert await setting.deliverer().attend(hook["id"]) == 1
        assert (await setting.get(hook))["disabled_reason"] == "The address is gone for good."
        assert [what for what, _ in await setting.told()] == ["integration.delivery_failed", "integration.disabled"]

    play_sending(sqlite_url, scenario)


def test_a_private_address_is_not_sent_to(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make(url="https://inside.example/hook")
        await setting.publish("one")
        await setting.deliverer().attend(hook["id"])
        [delivery] = await setting.deliveries(hook)
        assert "which is not a public address" in delivery["attempts"][0]["error"]
        assert setting.receiver.received == []

    play_sending(sqlite_url, scenario)


def test_what_a_feed_no_longer_held_is_told_and_the_rest_delivered(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        await setting.publish(*"abcde")
        async with setting.node.parts.database.write() as connection:
            feed = await feeds.get(connection, f"{LAB}/activity")
            assert feed is not None
            before = setting.node.clock - timedelta(days=1)
            await feed_trimming.trim(connection, feed.id, before=before, keep=2, at_most=100)
        await setting.deliverer().attend(hook["id"])
        assert setting.sent == ["d", "e"]
        [(what, data)] = await setting.told()
        assert (what, data["feed"], data["count"]) == ("integration.events_missed", "activity", 3)

    play_sending(database_url, scenario)


def test_a_deleted_workspace_sends_nothing(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        await setting.make()
        await setting.publish("one")
        async with setting.node.parts.database.write() as connection:
            await workspaces.delete(connection, LAB, at=setting.node.clock)
        assert await setting.deliverer().due() == []

    play_sending(database_url, scenario)


def test_slack(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        channel = await setting.make(kind="slack", name="Channel")
        await setting.publish("member.added")
        await setting.deliverer().attend(channel["id"])
        [request] = setting.receiver.received
        assert request.json["text"].startswith("*member.added in lab/activity*\nby ada")
        assert "webhook-signature" not in request.headers

    play_sending(sqlite_url, scenario)


def test_mail(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        people = await setting.make(kind="email", url=None, recipients=["eve@x.example", "bob@x.example"])
        await setting.publish("member.added")
        setting.mailbox.refused = {"eve@x.example", "bob@x.example"}
        await setting.deliverer().attend(people["id"])
        [delivery] = await setting.deliveries(people)
        assert "no such user here" in delivery["attempts"][0]["error"]
        setting.mailbox.refused = set()
        setting.pass_time(seconds=10)
        await setting.deliverer().attend(people["id"])
        [mail] = setting.mailbox.mails
        assert (mail["Subject"], mail["Message-ID"]) == ("[lab] member.added", "<msg_1@shop.example>")
        assert setting.mailbox.recipients == [["eve@x.example", "bob@x.example"]]

    play_sending(database_url, scenario)


def test_the_service_delivers_by_itself(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "LOOK_SECONDS", 0.01)

    async def scenario(setting: Setting) -> None:
        slow, quick = await setting.make(name="Slow"), await setting.make(name="Quick")
        arrived = asyncio.Event()
        done: list[str] = []
        stuck = asyncio.Event()

        async def on_request(request: Received) -> None:
            if not done:
                done.append("slow")
                stuck.set()
                await asyncio.Event().wait()
            done.append(request.json["type"])
            if done.count("two") == 1:
                arrived.set()

        setting.receiver.on_request = on_request
        await setting.publish("one", "two")
        service = asyncio.ensure_future(setting.deliverer().run())
        # One hangs, and the other does not wait for it.
        await stuck.wait()
        await arrived.wait()
        service.cancel()
        await asyncio.wait((service,))
        states = [each["state"] for hook in (slow, quick) for each in await setting.deliveries(hook)]
        assert sorted(states)[:3] == ["delivered", "pending", "pending"] or states.count("delivered") == 2

    play_sending(database_url, scenario)


def test_old_deliveries_are_deleted_and_those_that_wait_never(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "KEEP_COUNT", 4)

    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        await setting.publish(*"abcdef")
        setting.receiver.replies = [Reply()] * 5 + [Reply(500)]
        await setting.deliverer().attend(hook["id"])
        await setting.deliverer().trim()
        assert [each["type"] for each in await setting.deliveries(hook)] == list("cdef")
        setting.pass_time(days=31)
        await setting.deliverer().trim()
        assert [each["type"] for each in await setting.deliveries(hook)] == ["f"]

    play_sending(database_url, scenario)
