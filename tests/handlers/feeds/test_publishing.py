"""Events over HTTP: published by services, to feeds that are theirs."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from http_node import START, Node, play

from handlers.access import Role
from storage import feeds

HERE = "/feeds/lab/builds"
AT = START.isoformat().replace("+00:00", "Z")


def test_events_are_published_in_order(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        published = await ada.post(
            f"{HERE}/events", json={"events": [{"type": "begun", "data": {"n": 1}}, {"type": "done"}]}
        )
        assert published.json() == {"events": [{"offset": 1, "is_new": True}, {"offset": 2, "is_new": True}]}
        read = (await ada.get(HERE)).json()
        assert read["items"] == [
            {"offset": 2, "type": "done", "at": AT, "actor": "ada", "data": {}},
            {"offset": 1, "type": "begun", "at": AT, "actor": "ada", "data": {"n": 1}},
        ]
        assert read["position"]["offset"] == 2

    play(database_url, scenario)


def test_a_key_makes_it_safe_to_publish_again(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        ada = node.client("ada")
        events = [{"type": "a", "key": "1"}, {"type": "b", "key": "2", "data": {"n": 1.5}}, {"type": "a", "key": "1"}]
        first = (await ada.post(f"{HERE}/events", json={"events": events})).json()
        assert [(one["offset"], one["is_new"]) for one in first["events"]] == [(1, True), (2, True), (1, False)]
        again = (await ada.post(f"{HERE}/events", json={"events": [*events, {"type": "c"}]})).json()
        assert [(one["offset"], one["is_new"]) for one in again["events"]] == [
            (1, False),
            (2, False),
            (1, False),
            (3, True),
        ]
        other = await ada.post(f"{HERE}/events", json={"events": [{"type": "x"}, {"type": "another", "key": "2"}]})
        assert (other.status_code, other.json()["code"]) == (409, "key_taken")
        assert "'2'" in other.json()["message"]
        assert [event["offset"] for event in (await ada.get(HERE)).json()["items"]] == [3, 2, 1]

    play(database_url, scenario)


@pytest.mark.parametrize(
    "feed", ["activity", "notifications", "notifications.mine", "alerts.performance", "scans.1", "alerts."]
)
def test_what_the_server_publishes_nobody_else_does(tmp_path: Path, feed: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        refused = await node.client("ada").post(f"/feeds/lab/{feed}/events", json={"events": [{"type": "a"}]})
        assert (refused.status_code, refused.json()["code"]) == (403, "reserved_feed")
        async with node.parts.database.read() as connection:
            assert await feeds.get(connection, f"lab/{feed}") is None

    play(tmp_path, scenario)


@pytest.mark.parametrize("feed", ["Builds", "a b", "x" * 65, "%C3%BC", "a%0A", "...%0A"])
def test_a_feed_cannot_be_called_so(tmp_path: Path, feed: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        refused = await node.client("ada").post(f"/feeds/lab/{feed}/events", json={"events": [{"type": "a"}]})
        assert (refused.status_code, refused.json()["details"]["parameter"]) == (400, "feed")

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("events", "where"),
    [
        ([], "events"),
        ([{"type": "a"}] * 101, "events"),
        ([{"type": "a"}, {"type": "two words"}], "events[1].type"),
        ([{"type": ""}], "events[0].type"),
        ([{"type": "a", "data": [1]}], "events[0].data"),
        ([{"type": "a", "key": "x" * 201}], "events[0].key"),
        ([{"type": "a", "offset": 7}], "events[0]"),
    ],
)
def test_bad_events_are_refused(tmp_path: Path, events: list[dict[str, Any]], where: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        refused = await node.client("ada").post(f"{HERE}/events", json={"events": events})
        assert (refused.status_code, refused.json()["details"]["parameter"]) == (400, where)

    play(tmp_path, scenario)


def test_what_json_and_messagepack_do_not_both_hold_is_refused(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        body = b'{"events": [{"type": "a"}, {"type": "b", "data": {"n": %d}}]}' % 10**30
        client = node.client("ada")
        refused = await client.post(f"{HERE}/events", content=body, headers={"Content-Type": "application/json"})
        assert (refused.status_code, refused.json()["details"]["parameter"]) == (400, "events[1].data")
        packed = msgspec.msgpack.encode({"events": [{"type": "a", "data": {"bytes": b"\xff", "at": START}}]})
        taken = await client.post(f"{HERE}/events", content=packed, headers={"Content-Type": "application/msgpack"})
        assert taken.status_code == 200
        assert (await client.get(HERE)).json()["items"][0]["data"] == {"bytes": "/w==", "at": AT}

    play(tmp_path, scenario)


def test_large_data_is_refused(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.OWNER)
        refused = await node.client("ada").post(
            f"{HERE}/events", json={"events": [{"type": "a", "data": {"x": "y" * 65_536}}]}
        )
        assert (refused.status_code, refused.json()["details"]["limit"]) == (413, 65_536)
        assert "events[0].data" in refused.json()["message"]

    play(tmp_path, scenario)


def test_viewers_and_strangers_publish_nothing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.COMMENTER)
        body = {"events": [{"type": "a"}]}
        assert (await node.client("ada").post(f"{HERE}/events", json=body)).status_code == 403
        await node.make_user("eve")
        assert (await node.client("eve").post(f"{HERE}/events", json=body)).status_code == 404

    play(tmp_path, scenario)
