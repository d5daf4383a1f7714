"""Server administrators see which nodes there are."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from http_node import START, Node, play

from storage.bus.directory import CHANNEL, NodeCard, NodeDirectory
from storage.bus.memory_bus import MemoryBus
from tests.storage.bus.playing import until


@contextlib.asynccontextmanager
async def others(node: Node, *names: str) -> AsyncIterator[list[NodeDirectory]]:
    """Other nodes on the node's bus, while it and they know of each other."""
    assert isinstance(node.parts.bus, MemoryBus)
    hub, own = node.parts.bus.hub, node.parts.nodes.nodes()[0].card
    made = [
        NodeDirectory(MemoryBus(name, hub), lambda name=name: card_of(own, name), node.now)  # type: ignore[misc]
        for name in names
    ]
    running = [asyncio.create_task(directory.run()) for directory in (node.parts.nodes, *made)]
    await until(lambda: len(node.parts.nodes.nodes()) > len(names))
    try:
        yield made
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)


def card_of(like: NodeCard, name: str) -> NodeCard:
    return msgspec.structs.replace(like, node_id=name, connections=12, rooms=5, draining=True, address=f"http://{name}")


async def listed(node: Node, **parameters: Any) -> Any:
    answer = await node.client("admin").get("/nodes", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_node_alone_lists_itself(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        node.clock += timedelta(minutes=3)
        [only] = (await listed(node))["items"]
        assert only["node_id"] == "node"
        assert only["address"] == "http://127.0.0.1:8400"
        assert only["started_at"] == START.isoformat().replace("+00:00", "Z")
        assert only["last_heartbeat"] == node.clock.isoformat().replace("+00:00", "Z")
        assert (only["age_seconds"], only["is_self"], only["draining"]) == (0.0, True, False)
        assert only["host"]
        assert only["pid"] > 0
        assert only["version"][0].isdigit()

    play(tmp_path, scenario)


def test_other_nodes_are_listed_as_they_were_last_heard(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        async with others(node, "zeta") as [zeta]:
            node.clock += timedelta(seconds=90)
            own, other = (await listed(node))["items"]
            assert (own["node_id"], own["is_self"], own["age_seconds"]) == ("node", True, 0.0)
            assert (other["node_id"], other["is_self"], other["age_seconds"]) == ("zeta", False, 90.0)
            assert (other["connections"], other["rooms"], other["draining"]) == (12, 5, True)
            assert other["address"] == "http://zeta"
            zeta.leave()
            await until(lambda: len(node.parts.nodes.nodes()) == 1)
            assert [item["node_id"] for item in (await listed(node))["items"]] == ["node"]

    play(tmp_path, scenario)


def test_the_list_is_read_a_page_at_a_time(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        async with others(node, "a", "z", "m"):
            seen, parameters = [], {"limit": 2}
            while True:
                page = await listed(node, **parameters)
                seen.append([item["node_id"] for item in page["items"]])
                if page["next_cursor"] is None:
                    break
                parameters["cursor"] = page["next_cursor"]
            assert seen == [["a", "m"], ["node", "z"]]

    play(tmp_path, scenario)


def test_only_administrators_see_them(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        assert (await node.client("ada").get("/nodes")).status_code == 403

    play(tmp_path, scenario)


def test_the_channel_of_nodes_is_no_room() -> None:
    assert not CHANNEL.startswith("room:")
