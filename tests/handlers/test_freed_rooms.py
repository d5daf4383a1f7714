"""A room that nobody uses any more is gone, and so is everything that it held."""

import asyncio
import gc
import weakref
from pathlib import Path

from editor import Editor
from node_in_process import running_node


def test_rooms_are_freed_when_they_are_unloaded(tmp_path: Path) -> None:
    async def scenario() -> None:
        rooms: weakref.WeakSet[object] = weakref.WeakSet()
        documents: weakref.WeakSet[object] = weakref.WeakSet()
        async with running_node(tmp_path) as node:
            for number in range(50):
                room = await node.rooms.open(await node.document(f"notes-{number}"))
                rooms.add(room)
                documents.add(room.doc)
                editor = Editor(node.rooms, room, "ada")
                editor.type("for a moment")
                await editor.saved()
                editor.leave()
            del room, editor
            assert len(rooms) == len(documents) == 50
            node.rooms.sweep(float("inf"))
            await asyncio.sleep(0)
            gc.collect()
            assert node.rooms.open_count == 0
            assert not list(rooms), "something still holds rooms that were unloaded"
            assert not list(documents)

    asyncio.run(scenario())


def test_a_room_that_is_discarded_while_it_is_used_is_freed_afterwards(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_node(tmp_path) as node:
            document = await node.document("notes")
            async with node.rooms.use(document) as room:
                editor = Editor(node.rooms, room, "ada")
                await node.rooms.discard(document)
                assert node.rooms.open_count == 0
                editor.leave()
                freed = weakref.ref(room)
                del room, editor
            await asyncio.sleep(0)
            gc.collect()
            assert freed() is None

    asyncio.run(scenario())
