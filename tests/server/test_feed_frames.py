"""Feeds on a connection: frames in, frames out, over a whole node."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from node_in_process import Node, running_node
from studio_client import StudioClient

from handlers.feed_channel import State
from server.feed_frames import EVENTS, RESYNC_REQUIRED, WATCH, WATCHING
from server.socket_watch import WATCH_ENDED
from server.studio_frames import ERROR, HELLO, WELCOME
from server.watch_frames import MAX_WATCHES, UNWATCH
from storage import members

FEED = {"workspace_id": "default", "feed": "builds"}


class Client(StudioClient):
    """One that watches feeds."""

    async def watch(self, **body: Any) -> dict[str, Any]:
        self.say(WATCH, **{"id": 1, **FEED, **body})
        return await self.hear(WATCHING)

    async def refused(self, **body: Any) -> str:
        self.say(WATCH, **{"id": 1, **FEED, **body})
        code: str = (await self.hear(WATCH_ENDED))["code"]
        return code


async def publish(node: Node, *types: str, feed: str = "default/builds") -> None:
    async with node.studio.parts.feeds.writing() as (_, outbox):
        for type_ in types:
            outbox.add(feed, type_, {"n": 1}, actor="bob")


def state_of_the_watch(node: Node) -> State:
    (watch,) = node.studio.parts.feeds._watches.all()
    return watch.state


def play(folder: Path, scenario: Callable[[Node], Awaitable[None]]) -> None:
    async def run() -> None:
        async with running_node(folder) as node:
            await node.enlist("ada")
            await scenario(node)

    asyncio.run(run())


def test_e3_a_watch_is_answered_and_given_events(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await publish(node, "before")
        client = Client(node)
        watching = await client.watch(id="mine")
        assert (watching["id"], watching["position"]["offset"], watching["recovered"]) == ("mine", 1, False)
        await publish(node, "a", "b")
        events = await client.hear(EVENTS)
        assert (events["id"], events["epoch"]) == ("mine", watching["position"]["epoch"])
        assert [(event["offset"], event["type"]) for event in events["events"]] == [(2, "a"), (3, "b")]
        assert (events["events"][0]["actor"], events["events"][0]["data"]) == ("bob", {"n": 1})
        assert isinstance(events["events"][0]["at"], datetime)

    play(tmp_path, scenario)


def test_e4_a_watch_goes_on_from_a_position_or_says_that_it_cannot(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await publish(node, "a", "b", "c")
        client = Client(node)
        first = await client.watch(since={"epoch": "", "offset": 0})
        assert first["recovered"] is True
        assert [event["offset"] for event in (await client.hear(EVENTS))["events"]] == [1, 2, 3]
        position = {"epoch": first["position"]["epoch"], "offset": 3}
        for number, since in enumerate(({**position, "offset": 4}, {**position, "epoch": "x"}), 2):
            client.say(WATCH, id=number, **FEED, since=since)
            resync = await client.hear(RESYNC_REQUIRED)
            assert (resync["id"], resync["position"]) == (number, position)
            assert resync["reason"]
        # The ids are free again, and the others go on.
        await client.watch(id=2, since=position)
        await publish(node, "d")
        assert {(await client.hear(EVENTS))["id"] for _ in range(2)} == {1, 2}

    play(tmp_path, scenario)


def test_many_watches_on_one_connection_end_one_by_one(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = Client(node)
        await client.watch(id=1)
        await client.watch(id=2, feed="others")
        client.say(UNWATCH, id=1)
        client.say(UNWATCH, id=77)
        await publish(node, "unseen")
        await publish(node, "seen", feed="default/others")
        assert (await client.hear(EVENTS))["id"] == 2
        client.dialect.closed()
        await publish(node, "unseen", feed="default/others")
        assert client.line.unheard == 0
        assert node.studio.parts.feeds._watches.all() == []

    play(tmp_path, scenario)


def test_the_own_inbox(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = Client(node)
        client.say(WATCH, id=1, feed="notifications")
        await client.hear(WATCHING)
        await publish(node, "not mine", feed="@bob/notifications")
        await publish(node, "mine", feed="@ada/notifications")
        assert [event["type"] for event in (await client.hear(EVENTS))["events"]] == ["mine"]

    play(tmp_path, scenario)


def test_e10_what_cannot_be_watched_is_said_with_its_id(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = Client(node)
        assert await client.refused(feed="No Such Name") == "invalid_request"
        assert await client.refused(workspace_id="nowhere") == "not_found"
        assert await client.refused(workspace_id="@ada") == "not_found"
        client.say(WATCH, id=1, feed="builds")
        refused = await client.hear(WATCH_ENDED)
        assert (refused["code"], refused["details"]) == ("invalid_request", {"parameter": "workspace_id"})
        assert await Client(node, "eve").refused() == "not_found"
        assert await Client(node, None).refused() == "not_authenticated"
        await client.watch()

    play(tmp_path, scenario)


def test_what_is_no_watch_is_an_error_of_the_connection(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = Client(node)
        await client.watch()
        client.say(WATCH, id=1, **FEED)
        assert "already" in (await client.hear(ERROR))["message"]
        for kind, body in ((WATCH, {}), (WATCH, {"id": 1.5, "feed": "a"}), (UNWATCH, {"id": []}), (70 + 6, {})):
            client.say(kind, **body)
            assert (await client.hear(ERROR))["code"] == "invalid_request"
        await publish(node, "a")
        await client.hear(EVENTS)

    play(tmp_path, scenario)


def test_e10_a_connection_has_a_limited_number_of_watches(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = Client(node)
        for number in range(MAX_WATCHES):
            await client.watch(id=number)
        assert await client.refused(id=MAX_WATCHES) == "too_many_watches"
        client.say(UNWATCH, id=0)
        await client.watch(id=MAX_WATCHES)

    play(tmp_path, scenario)


def test_e6_a_member_who_leaves_watches_no_longer(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = Client(node)
        await client.watch()
        async with node.database.write() as connection:
            await members.remove(connection, "default", "ada")
        node.studio.parts.access.invalidate("default", "ada")
        ended = await client.hear(WATCH_ENDED)
        assert (ended["id"], ended["code"]) == (1, "not_found")
        await publish(node, "secret")
        assert client.line.unheard == 0

    play(tmp_path, scenario)


def test_e6_a_renewed_credential_keeps_the_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(node: Node) -> None:
        soon = datetime.now(UTC) + timedelta(minutes=1)
        client, late = Client(node, expires_at=soon), Client(node, expires_at=soon)
        await client.watch()
        await late.watch()
        client.say(HELLO, token=node.token("ada"))
        await client.hear(WELCOME)
        monkeypatch.setattr(node.studio.parts.feeds, "_now", lambda: soon)
        assert (await late.hear(WATCH_ENDED))["code"] == "token_expired"
        await publish(node, "a")
        await client.hear(EVENTS)

    play(tmp_path, scenario)


def test_e6_an_expired_credential_ends_them_and_a_new_one_begins_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=lambda zone: datetime.now(zone) + timedelta(minutes=2))

    async def scenario(node: Node) -> None:
        client = Client(node, expires_at=datetime.now(UTC) + timedelta(minutes=1))
        await client.watch()
        monkeypatch.setattr("server.hocuspocus.datetime", clock)
        monkeypatch.setattr(node.studio.parts.feeds, "_now", lambda: clock.now(UTC))
        assert (await client.hear(WATCH_ENDED))["code"] == "token_expired"
        assert await client.refused() == "token_expired"
        client.say(HELLO, token=node.token("ada"))
        # At once: it waits for the hello.
        client.say(WATCH, id=2, **FEED)
        await client.hear(WELCOME)
        await client.hear(WATCHING)

    play(tmp_path, scenario)


def test_e6_a_key_in_doubt_has_to_be_shown_again(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = Client(node, via="api_key")
        await client.watch()
        node.studio.parts.access.invalidate(user_id="ada")
        assert (await client.hear(WATCH_ENDED))["code"] == "sign_in_again"
        assert await client.refused() == "sign_in_again"
        client.say(HELLO, token=node.token("ada"))
        await client.hear(WELCOME)
        await client.watch()

    play(tmp_path, scenario)


def test_e5_a_socket_that_takes_nothing_is_given_nothing_until_it_does(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = Client(node)
        await client.watch()
        client.line.is_congested = True
        client.dialect.pause()
        await publish(node, "a")
        await publish(node, "b")
        assert client.line.unheard == 0
        client.line.is_congested = False
        assert state_of_the_watch(node) is State.LAGGING
        client.dialect.resume()
        assert state_of_the_watch(node) is State.BEHIND
        assert [event["type"] for event in (await client.hear(EVENTS))["events"]] == ["a", "b"]

    play(tmp_path, scenario)
