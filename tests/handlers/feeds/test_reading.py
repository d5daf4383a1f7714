"""Feeds over HTTP: listed, and read page by page in both directions."""

from pathlib import Path
from typing import Any

import httpx
from http_node import Node, play
from sqlalchemy import delete

from handlers.access import Role
from storage import feed_trimming, feeds, tables

HERE = "/feeds/lab/builds"


async def publish(node: Node, *types: str, feed: str = "lab/builds") -> None:
    async with node.parts.feeds.writing() as (_, outbox):
        for type_ in types:
            outbox.add(feed, type_, {})


async def keep(node: Node, count: int) -> None:
    async with node.parts.database.write() as connection:
        feed = await feeds.get(connection, "lab/builds")
        assert feed is not None
        await feed_trimming.trim(connection, feed.id, before=node.clock.replace(year=2000), keep=count, at_most=1000)


def offsets(answer: httpx.Response) -> list[int]:
    return [event["offset"] for event in answer.json()["items"]]


def written(position: dict[str, Any]) -> str:
    return f"{position['epoch']}:{position['offset']}"


def test_the_newest_first_page_by_page(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.VIEWER)
        await publish(node, *"abcde")
        ada = node.client("ada")
        first = await ada.get(HERE, params={"limit": 2})
        # What comes meanwhile is after the position, and moves no page.
        await publish(node, "f")
        second = await ada.get(HERE, params={"limit": 2, "cursor": first.json()["next_cursor"]})
        third = await ada.get(HERE, params={"limit": 2, "cursor": second.json()["next_cursor"]})
        assert [offsets(page) for page in (first, second, third)] == [[5, 4], [3, 2], [1]]
        assert [page.json()["position"]["offset"] for page in (first, second, third)] == [5, 5, 5]
        assert third.json()["next_cursor"] is None

    play(database_url, scenario)


def test_a_last_page_that_is_full_is_the_last(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.VIEWER)
        await publish(node, *"abcde")
        await keep(node, 4)
        pages = await node.client("ada").get(HERE, params={"limit": 4})
        assert (offsets(pages), pages.json()["next_cursor"]) == ([5, 4, 3, 2], None)

    play(tmp_path, scenario)


def test_from_a_position_on(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.VIEWER)
        await publish(node, *"abcde")
        ada = node.client("ada")
        first = await ada.get(HERE, params={"limit": 2, "after": ":0"})
        assert (offsets(first), first.json()["position"]["offset"]) == ([1, 2], 2)
        by_cursor = await ada.get(HERE, params={"limit": 2, "after": ":0", "cursor": first.json()["next_cursor"]})
        by_position = await ada.get(HERE, params={"limit": 2, "after": written(first.json()["position"])})
        assert offsets(by_cursor) == offsets(by_position) == [3, 4]
        last = await ada.get(HERE, params={"after": written(by_position.json()["position"])})
        assert (offsets(last), last.json()["next_cursor"]) == ([5], None)
        none = await ada.get(HERE, params={"after": written(last.json()["position"])})
        assert none.json() == {"items": [], "next_cursor": None, "position": last.json()["position"]}

    play(database_url, scenario)


def test_a_position_that_the_feed_cannot_go_on_from(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.VIEWER)
        await publish(node, *"abcde")
        await keep(node, 2)
        ada = node.client("ada")
        here = (await ada.get(HERE)).json()["position"]
        for after in (f"{here['epoch']}:2", f"{here['epoch']}:6", "another:4", ":0"):
            refused = await ada.get(HERE, params={"after": after})
            assert (refused.status_code, refused.json()["code"]) == (409, "resync_required"), after
            assert refused.json()["details"] == {"position": here}
        assert offsets(await ada.get(HERE, params={"after": f"{here['epoch']}:3"})) == [4, 5]

    play(database_url, scenario)


def test_pages_of_a_feed_that_was_made_anew_are_not_mixed(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.VIEWER)
        await publish(node, *"abc")
        ada = node.client("ada")
        cursor = (await ada.get(HERE, params={"limit": 2})).json()["next_cursor"]
        async with node.parts.database.write() as connection:
            await connection.execute(delete(tables.feeds))
        for _ in range(2):
            refused = await ada.get(HERE, params={"limit": 2, "cursor": cursor})
            assert (refused.status_code, refused.json()["code"]) == (409, "resync_required")
            await publish(node, "d")

    play(tmp_path, scenario)


def test_a_feed_without_events(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.VIEWER)
        ada = node.client("ada")
        empty: dict[str, Any] = {"items": [], "next_cursor": None, "position": {"epoch": "", "offset": 0}}
        assert (await ada.get(HERE)).json() == empty
        assert (await ada.get(HERE, params={"after": ":0"})).json() == empty
        assert (await ada.get(HERE, params={"after": "x"})).json()["details"] == {"parameter": "after"}

    play(tmp_path, scenario)


def test_feeds_are_listed_by_name(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.VIEWER)
        await node.make_workspace("lab-2")
        for feed in ("lab/c", "lab/a", "lab/b", "lab-2/a", "@ada/notifications"):
            await publish(node, "x", "y", feed=feed)
        ada = node.client("ada")
        first = (await ada.get("/feeds/lab", params={"limit": 2})).json()
        rest = (await ada.get("/feeds/lab", params={"limit": 2, "cursor": first["next_cursor"]})).json()
        assert [feed["name"] for feed in first["items"] + rest["items"]] == ["a", "b", "c"]
        assert rest["next_cursor"] is None
        one = first["items"][0]
        assert (one["position"]["offset"], one["oldest"]) == (2, 1)
        assert (await ada.get("/feeds/lab-2")).status_code == 404

    play(database_url, scenario)
