"""Who is told of alerts, with real receivers: by groups, in words, once, and whoever dies in between."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from http_node import Node
from integration_nodes import LAB, Setting, play_sending
from opened_alerts import new_alert, open_in, resolve_in, told
from sqlalchemy import event

from handlers.access import Role
from handlers.alert_transitions import Move, move_many, snooze
from handlers.alerts import keeping
from handlers.alerts.holding import LEASE, Hold, HoldLost, holding
from handlers.alerts.keeping import KEEP, Keeper
from handlers.alerts.suppressing import suppress
from handlers.changes import EVERYTHING
from handlers.feed_names import inbox_of
from storage import alerts

ROUTES = "/performance/alert-routes"
SILENCES = "/performance/alert-silences"
HERE = "/performance/alerts"
FEED = f"{LAB}/alerts.performance"
AT_ONCE = {"group_wait_seconds": 0, "group_interval_seconds": 1, "repeat_interval_seconds": 3600}


def keeper(node: Node, holder: str = "node-a") -> Keeper:
    return Keeper(node.parts, now=node.now, holder=holder)


async def inbox(node: Node, user: str = "ada") -> list[dict[str, Any]]:
    return [data for kind, data in await told(node.parts, inbox_of(user)) if kind == "alert.notification"]


async def make_route(one: Setting, **values: Any) -> dict[str, Any]:
    body = {"workspace_id": LAB, "name": "All", "receivers": [{"kind": "user", "user_id": "ada"}], **AT_ONCE, **values}
    made = await one.ada.post(ROUTES, json=body)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def test_without_routes_those_who_manage_are_told_after_half_a_minute(database_url: str) -> None:
    async def scenario(one: Setting) -> None:
        node = one.node
        await node.make_workspace("else", eve=Role.OWNER)
        await open_in(node.parts, new_alert(), new_alert(labels={"host": "b"}, fingerprint="b"), at=node.clock)
        keeping = keeper(node)
        pause = await keeping.look()
        assert await inbox(node) == []
        assert pause == 30
        one.pass_time(seconds=30)
        await keeping.look()
        [message] = await inbox(node)
        assert message["counts"] == {"firing": 2, "resolved": 0}
        assert message["title"] == "HIGH: cpu: 2 firing"
        assert [each["labels"] for each in message["alerts"]] == [{"host": "a"}, {"host": "b"}]
        assert await inbox(node, "bob") == await inbox(node, "eve") == []
        await resolve_in(node.parts, *(each["id"] for each in message["alerts"]), at=node.clock)
        one.pass_time(seconds=300)
        await keeper(node, "node-b").look()
        _, over = await inbox(node)
        assert (over["status"], over["counts"]) == ("resolved", {"firing": 0, "resolved": 2})

    play_sending(database_url, scenario)


def test_integrations_get_what_a_route_sends_them_and_no_other_does(sqlite_url: str) -> None:
    async def scenario(one: Setting) -> None:
        hook = await one.make(feeds=["builds"], events=["build.*"])
        curious = await one.make(name="Curious", feeds=["*"], url=one.receiver.url + "?curious")
        mail = await one.make(kind="email", url=None, recipients=["ops@shop.example"], feeds=["builds"])
        slack = await one.make(kind="slack", feeds=["builds"], url=one.receiver.url + "?slack")
        receivers = [{"kind": "integration", "integration_id": each["id"]} for each in (hook, mail, slack)]
        await make_route(one, receivers=receivers, name="Ops")
        labels = {"host": "a", "disk": "<x> & y"}
        new = new_alert(labels=labels, runbook="https://runbooks.example/cpu", summary="cpu of a is 99")
        (alert,) = await open_in(one.node.parts, new, at=one.node.clock)
        await keeper(one.node).look()
        deliverer = one.deliverer()
        for integration in (hook, curious, mail, slack):
            await deliverer.attend(integration["id"])
        posted = [each for each in one.receiver.received if "webhook-id" in each.headers and "curious" not in each.path]
        [webhook] = posted
        assert webhook.json["type"] == "alert.notification"
        assert webhook.json["data"]["alerts"][0]["id"] == alert.id
        assert webhook.json["data"]["title"] == "HIGH: cpu of a is 99"
        [text] = [each.json["text"] for each in one.receiver.received if "slack" in each.path]
        assert text.startswith("*HIGH: cpu of a is 99*\nHigh: cpu of a is 99\nValue 99, threshold 90\n")
        assert "disk=&lt;x&gt; &amp; y, host=a" in text
        [message] = one.mailbox.mails
        assert message["Subject"] == "[lab] HIGH: cpu of a is 99"
        assert "Runbook https://runbooks.example/cpu" in message.get_content()
        assert "alert.notification" not in {
            each.json.get("type") for each in one.receiver.received if "curious" in each.path
        }

    play_sending(sqlite_url, scenario)


def test_the_first_route_that_fits_takes_an_alert_unless_it_goes_on(sqlite_url: str) -> None:
    async def scenario(one: Setting) -> None:
        severe = [{"label": "severity", "value": "critical"}]
        await make_route(one, position=5, name="rest", group_by=["host"])
        await make_route(one, position=1, name="severe", matchers=severe, goes_on=True)
        await make_route(one, position=2, name="off", enabled=False)
        await make_route(one, position=3, name="disk", matchers=[{"label": "alertname", "op": "=~", "value": "disk.*"}])
        new = [new_alert(severity="critical"), new_alert("disk 1"), new_alert("net", labels={"host": "b"})]
        await open_in(one.node.parts, *new, at=one.node.clock)
        await keeper(one.node).look()
        sent = [(each["route"], [every["name"] for every in each["alerts"]]) for each in await inbox(one.node)]
        assert sorted(sent) == [("disk", ["disk 1"]), ("rest", ["cpu"]), ("rest", ["net"]), ("severe", ["cpu"])]

    play_sending(sqlite_url, scenario)


def test_silences_keep_quiet_and_are_shown_and_evaluation_goes_on(database_url: str) -> None:
    async def scenario(one: Setting) -> None:
        node = one.node
        await make_route(one)
        body = {"workspace_id": LAB, "matchers": [{"label": "alertname", "value": "cpu"}], "comment": "moving it"}
        ends_at = (node.clock + timedelta(hours=1)).isoformat()
        made = await one.ada.post(SILENCES, json={**body, "ends_at": ends_at})
        assert made.status_code == 201, made.text
        keeping = keeper(node)
        (alert,) = await open_in(node.parts, new_alert(), at=node.clock)
        assert await keeping.look() == 60
        assert await inbox(node) == []
        shown = (await one.ada.get(f"{HERE}/{alert.id}")).json()["alert"]
        assert [each["id"] for each in shown["suppressed_by"]] == [made.json()["id"]]
        assert shown["state"] == "firing"
        one.pass_time(hours=1)
        await keeping.look()
        assert len(await inbox(node)) == 1
        again = await one.ada.post(SILENCES, json={**body, "cron": "0 10 * * *", "seconds": 3600})
        keeping.hear(EVERYTHING)
        await keeping.look()
        assert [kind for kind, _ in await told(node.parts, FEED)] == [
            "alert.fired",
            "alert.suppressed",
            "alert.unsuppressed",
            "alert.suppressed",
        ]
        ended = await one.ada.post(f"{SILENCES}/{again.json()['id']}/end")
        assert ended.json()["ended_by"] == "ada"
        keeping.hear(EVERYTHING)
        await keeping.look()
        assert (await one.ada.get(f"{HERE}/{alert.id}")).json()["alert"]["suppressed_by"] == []
        assert (await one.ada.get(SILENCES, params={"workspace_id": LAB})).json()["items"] == []
        bob = one.node.client("bob")
        assert (await bob.post(SILENCES, json={**body, "ends_at": ends_at})).status_code == 403

    play_sending(database_url, scenario)


def test_what_fires_between_two_statements_is_silenced_first(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alert of which nobody has asked yet whether it is silenced is told in the next look, or not at all."""

    async def scenario(one: Setting) -> None:
        node = one.node
        await make_route(one)
        ends_at = (node.clock + timedelta(hours=1)).isoformat()
        silence = {"matchers": [{"label": "host", "value": "b"}], "comment": "moving it", "ends_at": ends_at}
        assert (await one.ada.post(SILENCES, json={"workspace_id": LAB, **silence})).status_code == 201
        await open_in(node.parts, new_alert(), at=node.clock)

        async def late(*arguments: Any) -> set[int]:
            judged = await suppress(*arguments)
            monkeypatch.setattr(keeping, "suppress", suppress)
            await open_in(node.parts, new_alert(labels={"host": "b"}, fingerprint="b"), at=node.clock)
            await open_in(node.parts, new_alert("disk", fingerprint="c"), at=node.clock)
            return judged

        monkeypatch.setattr(keeping, "suppress", late)
        looking = keeper(node)
        await looking.look()
        looking.hear(EVERYTHING)
        await looking.look()
        said = [(each["labels"]["host"], each["name"]) for message in await inbox(node) for each in message["alerts"]]
        assert said == [("a", "cpu"), ("a", "disk")]

    play_sending(sqlite_url, scenario)


def test_acknowledgements_and_snoozes_end_by_the_clock(database_url: str) -> None:
    async def scenario(one: Setting) -> None:
        node = one.node
        await make_route(one)
        cpu, disk = await open_in(node.parts, new_alert(), new_alert("disk"), at=node.clock)
        async with node.parts.feeds.writing() as (connection, outbox):
            moves = [Move(disk.id, snooze(node.clock + timedelta(seconds=90)))]
            await move_many(connection, outbox, moves, at=node.clock)
        await one.ada.post(f"{HERE}/{cpu.id}/acknowledge", json={"expires_in": 45})
        keeping = keeper(node)
        assert await keeping.look() == 45
        assert await inbox(node) == []
        one.pass_time(seconds=45)
        assert await keeping.look() == 45
        assert [each["alerts"][0]["name"] for each in await inbox(node)] == ["cpu"]
        again = (await one.ada.get(f"{HERE}/{cpu.id}")).json()
        assert (again["alert"]["state"], again["alert"]["acknowledged_by"]) == ("firing", None)
        last = again["history"][-1]
        assert (last["kind"], last["actor"], last["note"]) == (
            "alert.unacknowledged",
            None,
            "The acknowledgement ended.",
        )
        one.pass_time(seconds=45)
        await keeping.look()
        assert [each["alerts"][0]["name"] for each in await inbox(node)] == ["cpu", "disk"]

    play_sending(database_url, scenario)


class Killed(Exception):
    """The process is gone: nothing more reaches the database."""


@contextlib.contextmanager
def killed_before(node: Node, number: int) -> Iterator[None]:
    """The node's statement of this number, and all after it, do not happen."""
    count = 0

    def before(*_: object) -> None:
        nonlocal count
        count += 1
        if count >= number:
            raise Killed

    engine = node.parts.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", before)


def test_whoever_dies_between_two_statements_loses_and_doubles_nothing(sqlite_url: str) -> None:
    async def scenario(one: Setting) -> None:
        node = one.node
        await make_route(one)
        silenced = {"workspace_id": LAB, "matchers": [{"label": "alertname", "value": "disk"}], "comment": "work"}
        await one.ada.post(SILENCES, json={**silenced, "ends_at": "2027-01-01T00:00:00Z"})
        for number in range(1, 200):
            seen = len(await inbox(node)), len(await told(node.parts, FEED))
            new = new_alert(fingerprint=f"c{number}"), new_alert("disk", fingerprint=f"d{number}")
            cpu, disk = await open_in(node.parts, *new, at=node.clock)
            is_dead = False
            with killed_before(node, number):
                try:
                    await keeper(node, "node-a").look()
                except Killed:
                    is_dead = True
            node.clock += LEASE
            await keeper(node, "node-b").look()
            messages = (await inbox(node))[seen[0] :]
            assert [[every["id"] for every in each["alerts"]] for each in messages] == [[cpu.id]], number
            kinds = [kind for kind, _ in await told(node.parts, FEED)][seen[1] :]
            assert kinds == ["alert.fired", "alert.fired", "alert.suppressed"], number
            await resolve_in(node.parts, cpu.id, disk.id, at=node.clock)
            node.clock += timedelta(seconds=1)
            await keeper(node, "node-b").look()
            assert len(await inbox(node)) == seen[0] + 2
            if not is_dead:
                print(f"killed before each of {number - 1} statements")
                assert number > 15
                return
        raise AssertionError("it never came to its end")

    play_sending(sqlite_url, scenario)


async def hold_once(node: Node, holder: str) -> None:
    async with holding(node.parts, holder, node.now):
        pass


async def say(node: Node, hold: Hold) -> None:
    async with hold.writing(node.parts) as (_, outbox):
        outbox.add(inbox_of("ada"), "alert.notification", {})


def test_a_node_that_lost_its_turn_writes_nothing(database_url: str) -> None:
    async def scenario(one: Setting) -> None:
        node = one.node
        async with holding(node.parts, "node-a", node.now) as hold:
            with pytest.raises(HoldLost):
                await hold_once(node, "node-b")
            node.clock += LEASE
            await hold_once(node, "node-b")
            with pytest.raises(HoldLost):
                await say(node, hold)
        assert await inbox(node) == []

    play_sending(database_url, scenario)


def test_old_alerts_are_deleted_with_their_histories(sqlite_url: str) -> None:
    async def scenario(one: Setting) -> None:
        node = one.node
        opened = await open_in(
            node.parts, new_alert(), new_alert("brief", state="pending"), new_alert("open"), at=node.clock
        )
        await resolve_in(node.parts, opened[0].id, opened[1].id, at=node.clock)
        keeping = keeper(node)
        one.pass_time(days=2)
        assert await keeping.trim() == 1
        node.clock += KEEP
        assert await keeping.trim() == 1
        async with node.parts.database.read() as connection:
            left = await alerts.get_many(connection, [each.id for each in opened])
        assert [each.name for each in left] == ["open"]

    play_sending(sqlite_url, scenario)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"receivers": [{"kind": "user", "user_id": "eve"}]}, "receivers: 'eve' is no member of the workspace."),
        (
            {"receivers": [{"kind": "integration", "integration_id": 9}]},
            "receivers: the workspace has no integration 9.",
        ),
        ({"receivers": []}, "receivers: Expected `array` of length >= 1."),
        ({"matchers": [{"label": "a", "op": "=~", "value": "("}]}, "matchers: '(' is no regular expression of RE2"),
        ({"repeat_interval_seconds": 1, "group_interval_seconds": 2}, "repeat_interval_seconds: it has to be at least"),
    ],
)
def test_a_wrong_route_is_refused_and_says_what_is_wrong(
    sqlite_url: str, change: dict[str, Any], complaint: str
) -> None:
    async def scenario(one: Setting) -> None:
        body = {"workspace_id": LAB, "name": "All", "receivers": [{"kind": "administrators"}], **change}
        answer = await one.ada.post(ROUTES, json=body)
        assert answer.status_code == 400
        assert answer.json()["message"].startswith(complaint), answer.json()["message"]
        made = await make_route(one, receivers=[{"kind": "administrators"}])
        answer = await one.ada.patch(f"{ROUTES}/{made['id']}", json=change)
        assert answer.status_code == 400
        changed = await one.ada.patch(f"{ROUTES}/{made['id']}", json={"name": "Some", "goes_on": True})
        assert (changed.json()["name"], changed.json()["goes_on"], changed.json()["position"]) == ("Some", True, 0)
        listed = (await one.ada.get(ROUTES, params={"workspace_id": LAB})).json()["items"]
        assert listed == [changed.json()]
        assert (await one.node.client("bob").get(ROUTES, params={"workspace_id": LAB})).status_code == 403
        assert (await one.ada.delete(f"{ROUTES}/{made['id']}")).status_code == 204

    play_sending(sqlite_url, scenario)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({}, "ends_at: say when it ends"),
        ({"ends_at": "2026-03-01T08:00:00Z"}, "ends_at: it has to be later than now"),
        ({"cron": "0 3 * * *"}, "seconds: say how long"),
        ({"cron": "*/5 * * * *", "seconds": 600}, "seconds: the window of 2026-03-01 09:05 UTC would not have ended"),
        ({"cron": "0 25 * * *", "seconds": 60}, "cron: the field hour is '25'"),
        ({"cron": "0 3 * * *", "seconds": 60, "time_zone": "Berlin"}, "time_zone: 'Berlin' is not known"),
        ({"ends_at": "2026-03-02T08:00:00Z", "seconds": 60}, "cron: `seconds` and `time_zone` belong to it"),
        ({"ends_at": "2026-03-02T08:00:00Z", "matchers": []}, "matchers: Expected `array` of length >= 1"),
    ],
)
def test_a_wrong_silence_is_refused_and_says_what_is_wrong(
    sqlite_url: str, change: dict[str, Any], complaint: str
) -> None:
    async def scenario(one: Setting) -> None:
        body = {"workspace_id": LAB, "matchers": [{"label": "a", "value": "b"}], "comment": "work", **change}
        answer = await one.ada.post(SILENCES, json=body)
        assert answer.status_code == 400
        assert answer.json()["message"].startswith(complaint), answer.json()["message"]

    play_sending(sqlite_url, scenario)


def test_inhibitions_are_made_shown_and_deleted(sqlite_url: str) -> None:
    async def scenario(one: Setting) -> None:
        await make_route(one)
        where = "/performance/alert-inhibitions"
        sides = {
            "source": [{"label": "alertname", "value": "down"}],
            "target": [{"label": "alertname", "value": "cpu"}],
        }
        made = await one.ada.post(where, json={"workspace_id": LAB, **sides, "equal": ["source"]})
        assert made.status_code == 201, made.text
        assert (await one.ada.get(where, params={"workspace_id": LAB})).json()["items"] == [made.json()]
        cpu, down = await open_in(one.node.parts, new_alert(), new_alert("down"), at=one.node.clock)
        await keeper(one.node).look()
        assert [[every["name"] for every in each["alerts"]] for each in await inbox(one.node)] == [["down"]]
        shown = (await one.ada.get(f"{HERE}/{cpu.id}")).json()["alert"]["suppressed_by"]
        assert shown == [{"kind": "inhibition", "id": made.json()["id"], "until": None, "alert_id": down.id}]
        assert (await one.ada.delete(f"{where}/{made.json()['id']}")).status_code == 204
        assert (await one.ada.delete(f"{where}/{made.json()['id']}")).status_code == 404
        await keeper(one.node).look()
        assert len(await inbox(one.node)) == 2

    play_sending(sqlite_url, scenario)
