"""Documents and operations as an application uses them, against a server that does exactly what a test says."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pycrdt
import pytest
from collab_studio import (
    DocumentClosed,
    EditRefused,
    NotStored,
    OperationError,
    PermissionDenied,
    Studio,
    connect,
)
from collab_studio.awareness import encode
from collab_studio.document import Document
from collab_studio.lib0 import write_bytes
from collab_studio.text import Text

from tests.clients.scripted_server import (
    DEADLINE,
    READ_ONLY,
    REFUSED,
    STORED,
    SYNC_STEP_2,
    SYNC_UPDATE,
    Peer,
    ScriptedServer,
)

YDoc = pycrdt.Doc[Any]
NAME = "default/notes"


def play(scenario: Callable[[Studio, Peer, ScriptedServer], Awaitable[None]]) -> None:
    """Run a scenario with a connection that is made; what it leaves unstored does not matter."""

    async def main() -> None:
        async with asyncio.timeout(3 * DEADLINE), ScriptedServer() as server:
            entered = connect(server.url)
            studio = await entered.__aenter__()
            try:
                await scenario(studio, await server.accept(), server)
            finally:
                await studio.abort()

    asyncio.run(main())


def holding(content: str) -> YDoc:
    ydoc: YDoc = pycrdt.Doc()
    Text(ydoc, "content").append(content)
    return ydoc


def content_of(ydoc: YDoc) -> str:
    return str(Text(ydoc, "content"))


async def opened(studio: Studio, peer: Peer, held: YDoc | None = None, scope: bytes | None = None) -> Document:
    """A document that is open, with its first step 2 answered."""
    opening = asyncio.create_task(studio.open(NAME, kind="text"))
    await (peer.admit(NAME, held) if scope is None else peer.admit(NAME, held, scope))
    await peer.say(NAME, STORED)
    return await opening


async def edit_and_fail(url: str) -> None:
    async with connect(url) as studio:
        document = await studio.open(NAME)
        document.text().append("x")
        raise ZeroDivisionError


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 -- the deadline is the scenario's
        await asyncio.sleep(0)


def test_opening_brings_what_the_server_holds() -> None:
    async def scenario(studio: Studio, peer: Peer, _: ScriptedServer) -> None:
        document = await opened(studio, peer, holding("hello"))
        assert str(document.text()) == "hello"
        assert (document.synced, document.read_only, document.unsaved) == (True, False, 0)
        await document.stored()

    play(scenario)


def test_a_refusal_is_raised_and_the_socket_stays() -> None:
    async def scenario(studio: Studio, peer: Peer, _: ScriptedServer) -> None:
        opening = asyncio.create_task(studio.open(NAME))
        await peer.say(NAME, b"\x02\x01\x02no")
        with pytest.raises(PermissionDenied, match="default/notes: no"):
            await opening
        await peer.hear()
        await peer.hear()
        answer, _request = await asyncio.gather(studio.call("ping"), peer.answer(1))
        assert answer == 1

    play(scenario)


def test_stored_waits_for_the_answers_to_the_edits_made_before() -> None:
    async def scenario(studio: Studio, peer: Peer, _: ScriptedServer) -> None:
        document = await opened(studio, peer)
        document.text().append("a")
        stored = asyncio.create_task(document.stored())
        await peer.hear_update()
        document.text().append("b")
        await peer.hear_update()
        assert document.unsaved == 2
        assert not stored.done()
        await peer.say(NAME, STORED)
        await stored
        assert document.unsaved == 1

    play(scenario)


def test_edits_in_one_transaction_are_one_update() -> None:
    async def scenario(studio: Studio, peer: Peer, _: ScriptedServer) -> None:
        document = await opened(studio, peer)

        def change(ydoc: YDoc) -> int:
            text = ydoc.get("content", type=pycrdt.Text)
            text += "one "
            text += "two"
            return len(str(text))

        assert document.edit(change) == 7
        copy: YDoc = pycrdt.Doc()
        copy.apply_update(await peer.hear_update())
        assert content_of(copy) == "one two"
        assert document.unsaved == 1

    play(scenario)


def test_edits_of_others_arrive() -> None:
    async def scenario(studio: Studio, peer: Peer, _: ScriptedServer) -> None:
        document = await opened(studio, peer)
        await peer.say(NAME, SYNC_UPDATE + write_bytes(holding("theirs").get_update()))
        await until(lambda: str(document.text()) == "theirs")

    play(scenario)


def test_a_crash_before_the_answer_loses_nothing() -> None:
    async def scenario(studio: Studio, peer: Peer, server: ScriptedServer) -> None:
        document = await opened(studio, peer)
        document.text().append("typed ")
        stored = asyncio.create_task(document.stored())
        await peer.hear_update()
        peer.abort()
        await until(lambda: not document.synced)
        document.text().append("offline")
        peer = await server.accept()
        held: YDoc = pycrdt.Doc()
        held.apply_update(await peer.admit(NAME, held))
        assert content_of(held) == "typed offline"
        assert not stored.done()
        await peer.say(NAME, STORED)
        await stored
        await document.stored()
        assert document.synced

    play(scenario)


def test_what_others_did_meanwhile_comes_with_the_reconnection() -> None:
    async def scenario(studio: Studio, peer: Peer, server: ScriptedServer) -> None:
        held = holding("before")
        document = await opened(studio, peer, held)
        peer.abort()
        await until(lambda: not document.synced)
        Text(held, "content").append(" after")
        peer = await server.accept()
        await peer.admit(NAME, held)
        await document.wait_synced()
        assert str(document.text()) == "before after"

    play(scenario)


def test_a_reader_may_edit_its_replica_only() -> None:
    async def scenario(studio: Studio, peer: Peer, _: ScriptedServer) -> None:
        document = await opened(studio, peer, holding("fixed"), READ_ONLY)
        assert document.read_only
        await document.stored()
        document.text().append("!")
        with pytest.raises(PermissionDenied, match="read-only"):
            await document.stored()
        with pytest.raises(NotStored):
            await document.close()

    play(scenario)


def test_a_refused_edit_is_raised() -> None:
    async def scenario(studio: Studio, peer: Peer, _: ScriptedServer) -> None:
        document = await opened(studio, peer)
        document.text().append("x")
        stored = asyncio.create_task(document.stored())
        await peer.hear_update()
        await peer.say(NAME, REFUSED)
        with pytest.raises(EditRefused):
            await stored

    play(scenario)


def test_closing_waits_for_the_answers_and_says_goodbye() -> None:
    async def scenario(studio: Studio, peer: Peer, _: ScriptedServer) -> None:
        document = await opened(studio, peer)
        document.text().append("last words")
        closing = asyncio.create_task(document.close())
        await peer.hear_update()
        assert not closing.done()
        await peer.say(NAME, STORED)
        await closing
        assert await peer.hear() == (NAME, b"\x07")
        await document.close()
        assert str(document.text()) == "last words"
        document.text().append("unheard")
        with pytest.raises(DocumentClosed):
            await document.wait_synced()

    play(scenario)


def test_closing_without_the_answers_is_an_error() -> None:
    async def scenario(studio: Studio, peer: Peer, _: ScriptedServer) -> None:
        document = await opened(studio, peer)
        document.text().append("x")
        with pytest.raises(NotStored, match="1 edits are not known to be stored"):
            await document.close(timeout=0.05)
        await peer.hear_update()
        assert await peer.hear() == (NAME, b"\x07")

    play(scenario)


def test_leaving_the_connections_block_waits_for_every_document() -> None:
    async def main() -> None:
        async with asyncio.timeout(3 * DEADLINE), ScriptedServer() as server:

            async def serve() -> None:
                peer = await server.accept()
                await peer.admit(NAME)
                await peer.say(NAME, STORED)
                await peer.hear_update()
                await peer.say(NAME, STORED)
                assert await peer.hear() == (NAME, b"\x07")
                await peer.socket.wait_closed()

            serving = asyncio.create_task(serve())
            async with connect(server.url) as studio:
                document = await studio.open(NAME)
                document.text().append("x")
            await serving
            assert document.unsaved == 0

    asyncio.run(main())


def test_an_exception_out_of_the_block_is_not_held_up(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with asyncio.timeout(3 * DEADLINE), ScriptedServer() as server:

            async def serve() -> None:
                peer = await server.accept()
                await peer.admit(NAME)
                await peer.hear_update()

            serving = asyncio.create_task(serve())
            with pytest.raises(ZeroDivisionError):
                await edit_and_fail(server.url)
            await serving

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    assert "left with 1 edits not known to be stored" in caplog.text


def test_a_document_that_was_left_holds_nothing_up() -> None:
    async def main() -> None:
        async with asyncio.timeout(3 * DEADLINE), ScriptedServer() as server:

            async def serve() -> None:
                peer = await server.accept()
                await peer.admit(NAME)
                await peer.hear_update()
                assert await peer.hear() == (NAME, b"\x07")
                await peer.socket.wait_closed()

            serving = asyncio.create_task(serve())
            async with connect(server.url) as studio:
                document = await studio.open(NAME)
                document.text().append("given up")
                document.leave()
            await serving

    asyncio.run(main())


def test_a_document_the_server_closed_comes_back() -> None:
    async def scenario(studio: Studio, peer: Peer, _: ScriptedServer) -> None:
        document = await opened(studio, peer)
        await peer.say(NAME, b"\x07\x05reset")
        await peer.admit(NAME, holding("new"))
        await document.wait_synced()
        assert str(document.text()) == "new"

    play(scenario)


def test_presence_goes_both_ways() -> None:
    async def scenario(studio: Studio, peer: Peer, _: ScriptedServer) -> None:
        document = await opened(studio, peer)
        document.awareness.set_local({"user": {"name": "Ann"}})
        presence = await peer.hear()
        assert b"Ann" in presence[1]
        await peer.say(NAME, b"\x01" + write_bytes(encode([(5, 1, '{"user":{"name":"Bob"}}')])))
        await until(lambda: document.awareness.others == {5: {"user": {"name": "Bob"}}})

    play(scenario)


def test_an_operation_and_its_refusal() -> None:
    async def scenario(studio: Studio, peer: Peer, _: ScriptedServer) -> None:
        calling = asyncio.create_task(studio.call("things.get", thing_id="a"))
        request = await peer.answer({"title": "A"})
        assert (request["operation"], request["parameters"]) == ("things.get", {"thing_id": "a"})
        assert await calling == {"title": "A"}

        calling = asyncio.create_task(studio.call("things.get", thing_id="b"))
        request = await peer.hear_request()
        await peer.say_own(68, {"id": request["id"], "code": "not_found", "message": "No b.", "details": None})
        with pytest.raises(OperationError, match="not_found: No b"):
            await calling

    play(scenario)


def test_a_list_is_fetched_page_by_page() -> None:
    async def scenario(studio: Studio, peer: Peer, _: ScriptedServer) -> None:
        async def items() -> list[int]:
            return [item async for item in studio.iterate("things.list", limit=2)]

        listing = asyncio.create_task(items())
        first = await peer.answer({"items": [1, 2], "next_cursor": "c"})
        second = await peer.answer({"items": [3], "next_cursor": None})
        assert await listing == [1, 2, 3]
        assert (first["parameters"], second["parameters"]) == ({"limit": 2}, {"limit": 2, "cursor": "c"})

    play(scenario)


def test_a_replica_from_before_is_gone_on_with() -> None:
    async def scenario(studio: Studio, peer: Peer, _: ScriptedServer) -> None:
        ydoc = holding("kept")
        opening = asyncio.create_task(studio.open(NAME, ydoc=ydoc))
        update = await peer.admit(NAME)
        document = await opening
        assert document.unsaved == 1
        copy: YDoc = pycrdt.Doc()
        copy.apply_update(update)
        assert content_of(copy) == "kept"
        await peer.say(NAME, STORED)
        await document.stored()

    play(scenario)


def test_only_text_documents_have_a_main_text() -> None:
    async def scenario(studio: Studio, peer: Peer, _: ScriptedServer) -> None:
        opening = asyncio.create_task(studio.open(NAME, kind="map"))
        await peer.admit(NAME)
        document = await opening
        with pytest.raises(ValueError, match="name a root"):
            document.text()
        document.text("title").append("fine")

    play(scenario)


def test_an_open_that_is_cancelled_leaves_the_document() -> None:
    async def scenario(studio: Studio, peer: Peer, _: ScriptedServer) -> None:
        opening = asyncio.create_task(studio.open(NAME))
        await peer.hear()
        await peer.hear()
        opening.cancel()
        assert await peer.hear() == (NAME, b"\x07")
        await peer.say(NAME, SYNC_STEP_2 + write_bytes(b"\x00\x00"))

    play(scenario)
