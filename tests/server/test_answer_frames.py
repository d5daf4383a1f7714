"""Watched operations on a connection: frames in, frames out, over a whole node."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from node_in_process import Node, running_node
from studio_client import DEADLINE, StudioClient

from handlers.catalogue import OPERATIONS
from handlers.merge_patch import same_but_for
from server.answer_frames import ANSWER, ANSWER_CHANGED, WATCH_OPERATION
from server.feed_frames import WATCH
from server.openapi import build_openapi
from server.socket_watch import WATCH_ENDED
from server.studio_frames import ERROR, REQUEST, RESULT
from server.watch_frames import MAX_WATCHES, UNWATCH
from storage import data_sources, members, scans

SUMMARY = {"operation": "dashboard.summary", "parameters": {"workspace_id": "default"}}
DASHBOARDS = [operation.name for operation in OPERATIONS if operation.name.startswith("dashboard.")]


class Client(StudioClient):
    """One that watches operations."""

    async def watch(self, **body: Any) -> dict[str, Any]:
        """The first answer."""
        self.say(WATCH_OPERATION, **{"id": 1, **SUMMARY, **body})
        return await self.hear(ANSWER)

    async def refused(self, **body: Any) -> dict[str, Any]:
        self.say(WATCH_OPERATION, **{"id": 1, **SUMMARY, **body})
        return await self.hear(WATCH_ENDED)

    async def change(self) -> Any:
        """What the next frame about a changed answer has: its type and its body."""
        return await self.line.hear()


def play(folder: Path, scenario: Callable[[Node], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(3 * DEADLINE), running_node(folder) as node:
            await node.enlist("ada")
            await scenario(node)

    asyncio.run(run())


async def make_document(node: Node, name: str) -> None:
    """Through an operation, as clients do."""
    client = StudioClient(node)
    client.say(REQUEST, id=1, operation="collaboration.documents.create", parameters=document(name))
    await client.hear(RESULT)


def document(name: str) -> dict[str, Any]:
    return {"workspace_id": "default", "id": name}


def test_l1_all_dashboards_can_be_watched(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = Client(node)
        for name in DASHBOARDS:
            answer = await client.watch(id=name, operation=name, parameters={})
            assert (answer["id"], answer["sequence"]) == (name, 1)
            client.say(REQUEST, id=2, operation=name, parameters={})
            asked = (await client.hear(RESULT))["value"]
            watched = node.studio.gateway.operations[name].watched
            assert watched is not None
            assert same_but_for(answer["value"], asked, watched.passing)

    assert len(DASHBOARDS) == 6
    play(tmp_path, scenario)


def test_l1_the_description_says_which_can_be_watched() -> None:
    paths = build_openapi(OPERATIONS)["paths"]
    assert paths["/dashboard/lineage"]["get"]["x-watched"] is True
    assert "x-watched" not in paths["/users"]["get"]


def test_l2_a_change_is_a_patch_that_gives_the_answer(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = Client(node)
        before = (await client.watch())["value"]
        assert before["people"]["documents"] == 0
        await make_document(node, "notes")
        kind, body = await client.change()
        assert (kind, body["id"], body["sequence"]) == (ANSWER_CHANGED, 1, 2)
        assert body["patch"]["people"]["documents"] == 1
        assert isinstance(body["patch"]["as_of"], datetime)
        assert "sources" not in body["patch"] or set(body["patch"]["sources"]) == {"as_of"}

    play(tmp_path, scenario)


def test_l2_an_operation_that_tells_no_feed_changes_the_summary(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.enlist("boss", "admin")
        client, other = Client(node), StudioClient(node, "boss")
        await client.watch()
        settings = {"host": "db.example.org", "user": "reader", "database": "shop"}
        source = {"name": "shop", "kind": "postgresql", "settings": settings, "password": "secret"}
        other.say(REQUEST, id=1, operation="data_sources.create", parameters=source)
        await other.hear(RESULT)
        kind, body = await client.change()
        assert kind == ANSWER_CHANGED
        assert body["patch"]["sources"]["total"] == 1

    play(tmp_path, scenario)


def test_l2_a_scan_that_ends_changes_the_summary(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = Client(node)
        await client.watch()
        async with node.studio.parts.feeds.writing() as (connection, outbox):
            row = await _scanned(connection)
            outbox.add(f"default/scans.{row}", "scan.finished", {"scan_id": row})
        _, body = await client.change()
        assert body["patch"]["scans"]["by_state"] == {"succeeded": 1}

    play(tmp_path, scenario)


async def _scanned(connection: Any) -> int:
    now = datetime.now(UTC)
    source = await data_sources.create(
        connection,
        workspace_id="default",
        name="shop",
        kind="sqlite",
        description=None,
        settings={},
        owner="ada",
        at=now,
    )
    scan_id = await scans.create(
        connection,
        workspace_id="default",
        source_id=source.id,
        run_id="run-1",
        mode="full",
        options="{}",
        created_by="ada",
        at=now,
    )
    await scans.end(connection, scan_id, "succeeded", "{}", at=now)
    return scan_id


def test_l3_who_may_not_is_told_so(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        assert (await Client(node, "eve").refused())["code"] == "not_found"
        assert (await Client(node, None).refused())["code"] == "not_authenticated"
        client = Client(node)
        assert (await client.refused(operation="collaboration.documents.list"))["code"] == "not_watchable"
        assert (await client.refused(operation="no.such"))["code"] == "unknown_operation"
        wrong = await client.refused(operation="dashboard.trends", parameters={"days": 0})
        assert (wrong["code"], wrong["details"]) == ("invalid_request", {"parameter": "days"})
        assert (await client.watch())["sequence"] == 1

    play(tmp_path, scenario)


def test_l3_a_member_who_is_removed_watches_no_longer(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.enlist("bob")
        bob, ada = Client(node, "bob"), Client(node)
        await bob.watch()
        await ada.watch()
        async with node.database.write() as connection:
            await members.remove(connection, "default", "bob")
        node.studio.parts.access.invalidate("default", "bob")
        ended = await bob.hear(WATCH_ENDED)
        assert (ended["id"], ended["code"]) == (1, "not_found")
        assert "not a member" in ended["message"]
        await make_document(node, "secret")
        await ada.change()
        assert bob.line.unheard == 0

    play(tmp_path, scenario)


def test_l4_the_id_is_the_clients_and_watches_are_limited(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        client = Client(node)
        await client.watch()
        client.say(WATCH, id=1, workspace_id="default", feed="builds")
        assert "already" in (await client.hear(ERROR))["message"]
        for number in range(2, MAX_WATCHES + 1):
            await client.watch(id=number)
        assert (await client.refused(id=MAX_WATCHES + 1))["code"] == "too_many_watches"
        # All of them are of one answer.
        assert node.studio.gateway.answers.computed == 1
        client.say(UNWATCH, id=1)
        await client.watch(id=1)
        client.dialect.closed()
        assert not node.studio.gateway.answers._watches.all()

    play(tmp_path, scenario)


def test_l2_who_does_not_read_gets_the_newest_answer_later(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        lagging, other = Client(node), Client(node)
        await lagging.watch()
        await other.watch()
        lagging.line.is_congested = True
        for number in range(2):
            await make_document(node, f"notes-{number}")
            await other.change()
        assert lagging.line.unheard == 0
        lagging.line.is_congested = False
        lagging.dialect.resume()
        answer = await lagging.hear(ANSWER)
        assert (answer["sequence"], answer["value"]["people"]["documents"]) == (3, 2)

    play(tmp_path, scenario)
