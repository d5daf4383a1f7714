"""The front without an event loop, against a server that does exactly what a test says."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

import pycrdt
import pytest
from collab_studio import ConnectionLost, NotAuthenticated, OperationError, sync
from collab_studio.awareness import AwarenessChange, encode
from collab_studio.lib0 import write_bytes

from tests.clients.scripted_server import DEADLINE, STORED, Peer, ScriptedServer

NAME = "default/notes"
Script = Callable[[ScriptedServer], Coroutine[Any, Any, None]]


class Served:
    """A scripted server in a thread of its own."""

    def __init__(self, script: Script) -> None:
        self._url: Future[str] = Future()
        self._script = script
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._failure: BaseException | None = None

    async def _serve(self) -> None:
        try:
            async with asyncio.timeout(3 * DEADLINE), ScriptedServer() as server:
                self._url.set_result(server.url)
                await self._script(server)
        except BaseException as error:  # handed to the test's own thread
            self._failure = error

    def __enter__(self) -> str:
        self._thread.start()
        return self._url.result(DEADLINE)

    def __exit__(self, *_: object) -> None:
        self._thread.join(4 * DEADLINE)
        if self._failure is not None:
            raise self._failure


async def admit(server: ScriptedServer) -> Peer:
    peer = await server.accept()
    await peer.admit(NAME)
    await peer.say(NAME, STORED)
    return peer


def test_a_document_is_edited_and_stored() -> None:
    async def script(server: ScriptedServer) -> None:
        peer = await admit(server)
        for _ in range(3):
            await peer.hear_update()
            await peer.say(NAME, STORED)
        assert await peer.hear() == (NAME, b"\x07")
        await peer.socket.wait_closed()

    with Served(script) as url, sync.connect(url) as studio:
        document = studio.open(NAME, kind="text", timeout=DEADLINE)
        assert (document.synced, document.read_only, studio.connected) == (True, False, True)
        text = document.text()
        text.append("hello")
        document.stored(DEADLINE)
        text.insert(0, "é😀 ")
        document.stored(DEADLINE)
        document.edit(lambda ydoc: ydoc.get("map", type=pycrdt.Map).update({"a": 1}))
        document.stored(DEADLINE)
        assert (str(text), len(text), document.unsaved) == ("é😀 hello", 8, 0)


def test_operations_and_lists() -> None:
    async def script(server: ScriptedServer) -> None:
        peer = await server.accept()
        await peer.answer("pong")
        request = await peer.hear_request()
        await peer.say_own(68, {"id": request["id"], "code": "c", "message": "m"})
        await peer.answer({"items": [1], "next_cursor": "n"})
        await peer.answer({"items": [2], "next_cursor": None})
        await peer.socket.wait_closed()

    with Served(script) as url, sync.connect(url) as studio:
        assert studio.call("ping") == "pong"
        with pytest.raises(OperationError, match="c: m"):
            studio.call("fail")
        assert list(studio.iterate("things.list")) == [1, 2]


def test_presence() -> None:
    async def script(server: ScriptedServer) -> None:
        peer = await admit(server)
        _, message = await peer.hear()
        assert b"Ann" in message
        await peer.say(NAME, b"\x01" + write_bytes(encode([(5, 1, '{"a":1}')])))
        await peer.socket.wait_closed()

    with Served(script) as url, sync.connect(url) as studio, studio.open(NAME) as document:
        change: Future[AwarenessChange] = Future()
        end = document.awareness.observe(change.set_result)
        document.awareness.patch_local(name="Ann")
        assert change.result(DEADLINE).added == {5}
        end()
        assert document.awareness.others == {5: {"a": 1}}
        assert document.awareness.local == {"name": "Ann"}
        document.awareness.set_local(None)
        assert document.awareness.local is None


def test_waiting_in_a_callback_is_refused() -> None:
    async def script(server: ScriptedServer) -> None:
        peer = await server.accept()
        await peer.admit(NAME)
        await peer.socket.wait_closed()

    with Served(script) as url, sync.connect(url) as studio:
        document = studio.open(NAME)
        with pytest.raises(RuntimeError, match="callback"):
            document.edit(lambda _: document.stored())


def test_a_timeout_leaves_the_connection_usable() -> None:
    async def script(server: ScriptedServer) -> None:
        peer = await server.accept()
        await peer.hear()
        await peer.hear()
        assert await peer.hear() == (NAME, b"\x07")
        await peer.answer("pong")
        await peer.socket.wait_closed()

    with Served(script) as url, sync.connect(url) as studio:
        with pytest.raises(TimeoutError):
            studio.open(NAME, timeout=0.05)
        assert studio.call("ping") == "pong"


def test_what_keeps_from_connecting_is_raised_and_no_thread_stays() -> None:
    async def script(server: ScriptedServer) -> None:
        peer = await server.accept()
        await peer.close(4401, "no")

    with Served(script) as url, pytest.raises(NotAuthenticated), sync.connect(url, token="t"):
        pass
    with pytest.raises(ConnectionLost), sync.connect(url):
        pass
    assert [thread.name for thread in threading.enumerate() if thread.name == "collab_studio"] == []
