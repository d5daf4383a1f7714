"""Rooms: loaded once, stored before anything is forgotten, whatever the log does."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from editor import Editor
from node_in_process import Node, running_node
from pycrdt import Doc, Text

from crdt.replay import replay
from storage import update_log
from storage.errors import Unavailable
from storage.update_log import Append, UpdateLog


class Balky:
    """The real log, which now and then cannot."""

    def __init__(self, log: UpdateLog, failures: int) -> None:
        self._log = log
        self.failures = failures
        self.may_go_on = asyncio.Event()

    async def append(self, appends: Sequence[Append]) -> dict[int, int]:
        await self.may_go_on.wait()
        if self.failures:
            self.failures -= 1
            raise Unavailable("the disk is full")
        return await self._log.append(appends)

    async def close(self) -> None:
        await self._log.close()


def hinder(node: Node, failures: int = 0) -> Balky:
    balky = Balky(node.rooms.writer._log, failures)
    node.rooms.writer._log = balky
    return balky


async def stored_text(node: Node, name: str) -> str:
    document = await node.document(name)
    rows = await update_log.read(node.database, document.id, 0, 1000)
    return str(replay(None, [row.data for row in rows]).get("content", type=Text))


def test_a_room_is_not_unloaded_before_everything_is_stored(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_node(tmp_path) as node:
            balky = hinder(node)
            document = await node.document("notes")
            room = await node.rooms.open(document)
            editor = Editor(node.rooms, room, "ada")
            editor.type("the last edit")
            editor.leave()
            node.rooms.sweep(float("inf"))
            assert node.rooms.live(document.id) is room, "it was forgotten with an edit that nobody stored"
            balky.may_go_on.set()
            await node.settled()
            node.rooms.sweep(float("inf"))
            assert node.rooms.live(document.id) is None
            assert await stored_text(node, "notes") == "the last edit"

    asyncio.run(scenario())


def test_s6_a_failed_store_is_tried_again_and_nobody_is_told_stored_before(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_node(tmp_path) as node:
            balky = hinder(node, failures=2)
            room = await node.rooms.open(await node.document("notes"))
            editor = Editor(node.rooms, room, "ada")
            editor.type("patience")
            balky.may_go_on.set()
            while balky.failures:
                assert editor.acknowledged == 0
                await asyncio.sleep(0)
            await node.settled()
            assert editor.acknowledged == 1
            assert node.rooms.writer.failures == 2
            assert await stored_text(node, "notes") == "patience"

    asyncio.run(scenario())


def test_s5_a_repeated_update_is_answered_when_what_it_repeats_is_stored(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_node(tmp_path) as node:
            balky = hinder(node)
            room = await node.rooms.open(await node.document("notes"))
            first, second = Editor(node.rooms, room, "ada"), Editor(node.rooms, room, "bob")
            first.type("once")
            node.rooms.receive(room, second, 0, first.doc.get_update())
            assert second.acknowledged == 0
            balky.may_go_on.set()
            await node.settled()
            assert (first.acknowledged, second.acknowledged) == (1, 1)

    asyncio.run(scenario())


def test_however_many_ask_at_once_a_document_is_loaded_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_node(tmp_path) as node:
            document = await node.document("notes")
            rooms = await asyncio.gather(*(node.rooms.open(document) for _ in range(20)))
            assert len({id(room) for room in rooms}) == 1

    asyncio.run(scenario())


def test_a_deleted_document_tells_those_who_wait_for_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_node(tmp_path) as node:
            balky = hinder(node)
            document = await node.document("notes")

            def edit(doc: Doc[Any]) -> None:
                doc.get("content", type=Text).insert(0, "too late")

            waiting = asyncio.create_task(node.rooms.edit(document, "ada", edit))
            while (room := node.rooms.live(document.id)) is None or not (room.outbox or room.storing):  # noqa: ASYNC110
                await asyncio.sleep(0)
            await node.purge(document)
            balky.may_go_on.set()
            (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
            assert "deleted" in str(outcome)

    asyncio.run(scenario())
