"""The client with the real server: two people, crashes, restarts, refusals."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pycrdt
import pytest
from collab_studio import (
    Document,
    NotAuthenticated,
    OperationError,
    PermissionDenied,
    Studio,
    connect,
    sync,
)

from tests.clients.live_server import LiveServer

DEADLINE = 60.0
NAME = "default/notes"


def play(folder: Path, scenario: Callable[[LiveServer], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(DEADLINE), LiveServer(folder) as server:
            await scenario(server)

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 -- what is awaited has no event; the deadline is the scenario's
        await asyncio.sleep(0.01)


async def until_equal(*documents: Document) -> None:
    await asyncio.gather(*(document.stored() for document in documents))
    await until(lambda: len({str(document.text()) for document in documents}) == 1)


@contextlib.asynccontextmanager
async def people(server: LiveServer, *names: str) -> AsyncIterator[list[Studio]]:
    """A connection for each, as an editor."""
    async with contextlib.AsyncExitStack() as stack:
        tokens = await asyncio.gather(*(server.token(name) for name in names))
        yield [await stack.enter_async_context(connect(server.url, token=token)) for token in tokens]


async def contents(server: LiveServer, name: str) -> str:
    """What a new client gets."""
    async with people(server, "ann") as (reader,):
        return str((await reader.open(name)).text())


def test_two_people_write_one_text_and_see_each_other(tmp_path: Path) -> None:
    async def scenario(server: LiveServer) -> None:
        async with people(server, "ann", "bob") as (ann, bob):
            assert (ann.user, bob.user) == ("ann", "bob")
            mine, theirs = await asyncio.gather(ann.open(NAME, kind="text"), bob.open(NAME, kind="text"))
            mine.awareness.set_local({"cursor": 1, "user": {"name": "somebody else"}})
            await until(lambda: mine.awareness.client_id in theirs.awareness.others)
            state = theirs.awareness.others[mine.awareness.client_id]
            assert state["cursor"] == 1
            assert state["user"]["id"] == "ann"

            chance = random.Random(1)
            for _ in range(200):
                text = chance.choice((mine, theirs)).text()
                text.insert(chance.randint(0, len(text)), chance.choice("abcé😀\n"))
                if chance.random() < 0.2:
                    await asyncio.sleep(0)
            await until_equal(mine, theirs)
            assert len(mine.text()) == 200
            assert await contents(server, NAME) == str(mine.text())
            await mine.close()
            await until(lambda: not theirs.awareness.others)

    play(tmp_path, scenario)


def test_a_crash_loses_nothing_that_was_typed(tmp_path: Path) -> None:
    """Everybody reconnects by themselves; what was on its way is sent again, and nothing twice."""

    async def scenario(server: LiveServer) -> None:
        async with people(server, "ann", "bob") as (ann, bob):
            documents = [await ann.open(NAME, kind="text"), await bob.open(NAME, kind="text")]
            typed = 0
            for crash in range(3):
                for number in range(60):
                    documents[number % 2].text().append(f"<{typed}>")
                    typed += 1
                    await asyncio.sleep(0.002)
                await server.kill()
                for document in documents:
                    document.text().append(f"<offline {crash}>")
                await server.start()
            await until_equal(*documents)
            text = str(documents[0].text())
            assert [text.count(f"<{number}>") for number in range(typed)] == [1] * typed
            assert [text.count(f"<offline {crash}>") for crash in range(3)] == [2] * 3
            assert await contents(server, NAME) == text

    play(tmp_path, scenario)


def test_what_was_stored_is_there_after_a_crash(tmp_path: Path) -> None:
    """Without the writer's help: it never comes back."""

    async def scenario(server: LiveServer) -> None:
        chance = random.Random(7)
        for round_number in range(5):
            name = f"default/round {round_number}"
            token = await server.token("ann")
            entered = connect(server.url, token=token)
            studio = await entered.__aenter__()
            document = await studio.open(name, kind="text")
            stored = await write_and_kill(document, server, chance)
            await studio.abort()
            await server.start()
            left = await contents(server, name)
            assert [number for number in range(stored) if f"<{number}>" not in left] == []

    play(tmp_path, scenario)


async def write_and_kill(document: Document, server: LiveServer, chance: random.Random) -> int:
    """Type until the server is killed, at some moment; how many edits had been answered."""

    async def type_on() -> None:
        for number in range(100_000):
            document.text().append(f"<{number}>")
            await asyncio.sleep(0.001)

    typing = asyncio.create_task(type_on())
    await until(lambda: edited(document) > document.unsaved)
    await asyncio.sleep(chance.uniform(0.05, 0.3))
    await server.kill()
    await until(lambda: not document.synced)
    typing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await typing
    return edited(document) - document.unsaved


def edited(document: Document) -> int:
    return str(document.text()).count(">")


def test_a_restart_is_hardly_noticed(tmp_path: Path) -> None:
    async def scenario(server: LiveServer) -> None:
        async with people(server, "ann") as (ann,):
            document = await ann.open(NAME, kind="text")
            document.text().append("before ")
            await server.stop()
            await until(lambda: not document.synced)
            await server.start()
            document.text().append("after")
            await document.stored()
            assert await contents(server, NAME) == "before after"

    play(tmp_path, scenario)


def test_who_may_not(tmp_path: Path) -> None:
    async def scenario(server: LiveServer) -> None:
        with pytest.raises(NotAuthenticated):
            await connect(server.url, token="nonsense").__aenter__()
        stranger, viewer = await asyncio.gather(server.token("eve", None), server.token("vic", "viewer"))
        async with people(server, "ann") as (ann,):
            document = await ann.open(NAME, kind="text")
            document.text().append("hello")
            await document.stored()
            async with connect(server.url, token=stranger) as studio:
                with pytest.raises(PermissionDenied):
                    await studio.open(NAME)
            async with connect(server.url, token=viewer) as studio:
                copy = await studio.open(NAME)
                assert copy.read_only
                assert str(copy.text()) == "hello"
                copy.text().append("!")
                with pytest.raises(PermissionDenied, match="read-only"):
                    await copy.stored()
                copy.leave()
            assert await contents(server, NAME) == "hello"

    play(tmp_path, scenario)


def test_a_change_of_role_reaches_an_open_document(tmp_path: Path) -> None:
    async def scenario(server: LiveServer) -> None:
        chief = await server.token("admin", None)
        async with people(server, "ann") as (ann,), connect(server.url, token=chief) as admin:

            async def give(role: str) -> None:
                await admin.call("collaboration.members.put", workspace_id="default", user_id="ann", role=role)

            document = await ann.open(NAME, kind="text")
            await give("viewer")
            await until(lambda: document.read_only)
            document.text().append("kept")
            with pytest.raises(PermissionDenied, match="read-only"):
                await document.stored()
            await give("editor")
            await until(lambda: not document.read_only)
            await document.stored()
            assert await contents(server, NAME) == "kept"

            await admin.call("collaboration.members.remove", workspace_id="default", user_id="ann")
            await until(lambda: not document.synced)
            with pytest.raises(PermissionDenied):
                await document.wait_synced()

    play(tmp_path, scenario)


def test_a_document_in_the_trash_is_closed(tmp_path: Path) -> None:
    async def scenario(server: LiveServer) -> None:
        async with people(server, "ann") as (ann,):
            document = await ann.open(NAME, kind="text")
            document.text().append("gone")
            await document.stored()
            await ann.call("collaboration.documents.delete", workspace_id="default", document_id="notes")
            await until(lambda: not document.synced)
            with pytest.raises(PermissionDenied):
                await document.wait_synced()

    play(tmp_path, scenario)


def test_a_token_that_ends_is_replaced_by_the_next(tmp_path: Path) -> None:
    async def scenario(server: LiveServer) -> None:
        tokens = iter([await server.token("ann", expires="2s"), await server.token("ann")])
        async with connect(server.url, token=lambda: next(tokens)) as studio:
            document = await studio.open(NAME, kind="text")
            await until(lambda: not document.synced)
            document.text().append("still here")
            await document.wait_synced()
            await document.stored()
            assert await contents(server, NAME) == "still here"

    play(tmp_path, scenario)


def test_many_documents_over_one_connection(tmp_path: Path) -> None:
    async def scenario(server: LiveServer) -> None:
        async with people(server, "ann") as (ann,):
            names = [f"default/document {number}" for number in range(50)]
            documents = await asyncio.gather(*(ann.open(name, kind="text") for name in names))
            for document in documents:
                document.text().append(document.name)
            await asyncio.gather(*(document.stored() for document in documents))
            assert await contents(server, names[17]) == names[17]

    play(tmp_path, scenario)


def test_other_kinds_are_pycrdts_own_types(tmp_path: Path) -> None:
    async def scenario(server: LiveServer) -> None:
        async with people(server, "ann", "bob") as (ann, bob):
            mine, theirs = await ann.open("default/map", kind="map"), await bob.open("default/map", kind="map")

            def fill(ydoc: pycrdt.Doc[Any]) -> None:
                ydoc.get("content", type=pycrdt.Map).update({"a": [1, 2], "b": {"c": None}})

            mine.edit(fill)
            await mine.stored()
            content = theirs.ydoc.get("content", type=pycrdt.Map)
            await until(lambda: content.to_py() == {"a": [1, 2], "b": {"c": None}})

    play(tmp_path, scenario)


def test_operations(tmp_path: Path) -> None:
    async def scenario(server: LiveServer) -> None:
        async with people(server, "ann") as (ann,):
            for number in range(5):
                await (await ann.open(f"default/listed {number}", kind="text")).close()
            listed = ann.iterate("collaboration.documents.list", workspace_id="default", limit=2)
            names = [document["id"] async for document in listed]
            assert sorted(names) == [f"listed {number}" for number in range(5)]
            with pytest.raises(OperationError) as raised:
                await ann.call("collaboration.documents.get", workspace_id="default", document_id="missing")
            assert raised.value.code == "not_found"
            assert raised.value.request_id
            with pytest.raises(OperationError, match="unknown_operation"):
                await ann.call("collaboration.documents.juggle")

    play(tmp_path, scenario)


def test_without_an_event_loop(tmp_path: Path) -> None:
    async def scenario(server: LiveServer) -> None:
        token = await server.token("ann")
        await asyncio.to_thread(write_synchronously, server.url, token)
        assert await contents(server, NAME) == "hé😀llo"

    play(tmp_path, scenario)


def write_synchronously(url: str, token: str) -> None:
    with sync.connect(url, token=token) as studio, studio.open(NAME, kind="text", timeout=DEADLINE) as document:
        document.text().append("hllo")
        document.text().insert(1, "é😀")
        document.stored(DEADLINE)
        assert studio.user == "ann"
