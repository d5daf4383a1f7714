"""The client with the real server: people, roles, presence, operations."""

import asyncio
import datetime
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pycrdt
import pytest
from collab_studio import Document, NotAuthenticated, OperationError, PermissionDenied, connect, sync

from tests.clients.house import House

DEADLINE = 60.0


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(DEADLINE):
            await scenario()

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 -- what is awaited has no event; the deadline is the scenario's
        await asyncio.sleep(0.01)


async def until_equal(*documents: Document) -> None:
    await asyncio.gather(*(document.stored() for document in documents))
    await until(lambda: len({str(document.text()) for document in documents}) == 1)


def test_two_people_write_one_text_and_see_each_other(shared_house: House) -> None:
    async def scenario() -> None:
        name = "default/two people"
        async with shared_house.people("ann", "bob") as (ann, bob):
            assert (ann.user, bob.user) == ("ann", "bob")
            mine, theirs = await asyncio.gather(ann.open(name, kind="text"), bob.open(name, kind="text"))
            mine.awareness.set_local({"cursor": 1, "user": {"name": "somebody else"}})
            await until(lambda: mine.awareness.client_id in theirs.awareness.others)
            state = theirs.awareness.others[mine.awareness.client_id]
            assert (state["cursor"], state["user"]["id"]) == (1, "ann")

            chance = random.Random(1)
            for _ in range(200):
                text = chance.choice((mine, theirs)).text()
                text.insert(chance.randint(0, len(text)), chance.choice("abcé😀\n"))
                if chance.random() < 0.2:
                    await asyncio.sleep(0)
            await until_equal(mine, theirs)
            assert len(mine.text()) == 200
            assert await shared_house.contents(name) == str(mine.text())
            await mine.close()
            await until(lambda: not theirs.awareness.others)

    play(scenario)


def test_a_token_that_does_not_hold(shared_house: House) -> None:
    async def scenario() -> None:
        with pytest.raises(NotAuthenticated):
            await connect(shared_house.url, token="nonsense").__aenter__()

    play(scenario)


def test_a_stranger_is_refused(shared_house: House) -> None:
    async def scenario() -> None:
        async with connect(shared_house.url, token=await shared_house.key("eve", None)) as studio:
            with pytest.raises(PermissionDenied):
                await studio.open("default/secrets")
            with pytest.raises(OperationError, match="not_found"):
                await studio.call("collaboration.documents.list", workspace_id="default")

    play(scenario)


def test_a_viewer_reads(shared_house: House) -> None:
    async def scenario() -> None:
        name = "default/to be read"
        async with shared_house.people("ann") as (ann,):
            (await ann.open(name, kind="text")).text().append("hello")
        async with connect(shared_house.url, token=await shared_house.key("vic", "viewer")) as studio:
            copy = await studio.open(name, kind="text")
            assert (copy.read_only, str(copy.text())) == (True, "hello")
            copy.text().append("!")
            with pytest.raises(PermissionDenied, match="read-only"):
                await copy.stored()
            copy.leave()
        assert await shared_house.contents(name) == "hello"

    play(scenario)


def test_a_change_of_role_reaches_an_open_document(shared_house: House) -> None:
    async def scenario() -> None:
        name = "default/changing roles"
        async with shared_house.people("cleo") as (cleo,), connect(shared_house.url, token=shared_house.chief) as admin:

            async def give(role: str) -> None:
                await admin.call("collaboration.members.put", workspace_id="default", user_id="cleo", role=role)

            document = await cleo.open(name, kind="text")
            await give("viewer")
            await until(lambda: document.read_only)
            document.text().append("kept")
            with pytest.raises(PermissionDenied, match="read-only"):
                await document.stored()
            await give("editor")
            await until(lambda: not document.read_only)
            await document.stored()
            assert await shared_house.contents(name) == "kept"

            await admin.call("collaboration.members.remove", workspace_id="default", user_id="cleo")
            await until(lambda: not document.synced)
            with pytest.raises(PermissionDenied):
                await document.wait_synced()

    play(scenario)


def test_a_document_in_the_trash_is_closed(shared_house: House) -> None:
    async def scenario() -> None:
        async with shared_house.people("ann") as (ann,):
            document = await ann.open("default/rubbish", kind="text")
            document.text().append("gone")
            await document.stored()
            await ann.call("collaboration.documents.delete", workspace_id="default", document_id="rubbish")
            await until(lambda: not document.synced)
            with pytest.raises(PermissionDenied):
                await document.wait_synced()

    play(scenario)


def test_a_key_that_ends_is_replaced_by_the_next(shared_house: House) -> None:
    async def scenario() -> None:
        name = "default/over the end of a key"
        lasting = await shared_house.key("dora")
        keys = iter([await shared_house.key("dora", seconds=3.0), lasting])
        async with connect(shared_house.url, token=lambda: next(keys)) as studio:
            document = await studio.open(name, kind="text")
            ends = asyncio.get_running_loop().time() + 3.5
            # The server asks for the next one in time, so that nothing is lost in between.
            await until(lambda: not document.synced or asyncio.get_running_loop().time() > ends)
            assert document.synced
            document.text().append("still here")
            await document.stored()
            assert (await studio.call("users.me"))["id"] == "dora"
        assert await shared_house.contents(name) == "still here"

    play(scenario)


def test_many_documents_over_one_connection(shared_house: House) -> None:
    async def scenario() -> None:
        async with shared_house.people("ann") as (ann,):
            names = [f"default/one of many {number}" for number in range(50)]
            documents = await asyncio.gather(*(ann.open(name, kind="text") for name in names))
            for document in documents:
                document.text().append(document.name)
            await asyncio.gather(*(document.stored() for document in documents))
        assert await shared_house.contents(names[17]) == names[17]

    play(scenario)


def test_a_document_that_was_left_is_opened_again(shared_house: House) -> None:
    async def scenario() -> None:
        name = "default/again"
        async with shared_house.people("ann") as (ann,):
            for number in range(3):
                async with await ann.open(name, kind="text") as document:
                    document.text().append(str(number))
            async with await ann.open(name, kind="text") as one, await ann.open(name, kind="text") as two:
                one.text().append("a")
                two.text().append("b")
                await until_equal(one, two)
                assert sorted(str(one.text())) == ["0", "1", "2", "a", "b"]

    play(scenario)


def test_other_kinds_are_pycrdts_own_types(shared_house: House) -> None:
    async def scenario() -> None:
        name = "default/map"
        async with shared_house.people("ann", "bob") as (ann, bob):
            mine, theirs = await ann.open(name, kind="map"), await bob.open(name, kind="map")

            def fill(ydoc: pycrdt.Doc[Any]) -> None:
                ydoc.get("content", type=pycrdt.Map).update({"a": [1, 2], "b": {"c": None}})

            mine.edit(fill)
            await mine.stored()
            content = theirs.ydoc.get("content", type=pycrdt.Map)
            await until(lambda: content.to_py() == {"a": [1, 2], "b": {"c": None}})

    play(scenario)


def test_operations(shared_house: House) -> None:
    async def scenario() -> None:
        async with shared_house.people("ann") as (ann,):
            for number in range(5):
                await (await ann.open(f"default/listed {number}", kind="text")).close()
            listed = ann.iterate("collaboration.documents.list", workspace_id="default", prefix="listed", limit=2)
            documents = [document async for document in listed]
            assert [document["id"] for document in documents] == [f"listed {number}" for number in range(5)]
            assert documents[0]["created_at"] <= datetime.datetime.now(datetime.UTC)
            with pytest.raises(OperationError) as raised:
                await ann.call("collaboration.documents.get", workspace_id="default", document_id="missing")
            assert raised.value.code == "no_such_document"
            assert raised.value.request_id
            with pytest.raises(OperationError, match="unknown_operation"):
                await ann.call("collaboration.documents.juggle")

    play(scenario)


def test_without_an_event_loop(shared_house: House) -> None:
    name = "default/synchronous"
    key = asyncio.run(shared_house.key("ann"))
    with sync.connect(shared_house.url, token=key) as studio, studio.open(name, timeout=DEADLINE) as document:
        document.text().append("hllo")
        document.text().insert(1, "é😀")
        document.stored(DEADLINE)
        assert studio.user == "ann"
        assert studio.call("users.me")["id"] == "ann"
    assert asyncio.run(shared_house.contents(name)) == "hé😀llo"
