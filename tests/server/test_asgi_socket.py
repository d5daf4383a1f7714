"""The fallback: the same application under a stock ASGI server, without our protocol class."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from collab_studio import connect
from node_in_process import Node, running_node
from websockets.asyncio.client import connect as connect_socket
from websockets.exceptions import ConnectionClosed, InvalidStatus


@contextlib.asynccontextmanager
async def stock_server(folder: Path, **settings: Any) -> AsyncIterator[tuple[Node, int]]:
    async with running_node(folder, **settings) as node:
        config = uvicorn.Config(node.studio.app, ws="websockets-sansio", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            serving = asyncio.create_task(server.serve([listener]))
            try:
                yield node, listener.getsockname()[1]
            finally:
                server.should_exit = True
                await serving


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def two_people(folder: Path) -> None:
    async with stock_server(folder) as (node, port):
        for user in ("ada", "bob"):
            await node.enlist(user)
        url = f"http://127.0.0.1:{port}"
        async with connect(url, token=node.token("ada")) as ada, connect(url, token=node.token("bob")) as bob:
            mine, theirs = await ada.open("default/notes"), await bob.open("default/notes")
            mine.text().insert(0, "written under any server")
            await mine.stored()
            text = theirs.text()
            await eventually(lambda: str(text) == "written under any server")
            assert (await bob.call("users.me"))["id"] == "bob"


async def unwelcome(folder: Path) -> None:
    async with stock_server(folder) as (_, port):
        with pytest.raises(InvalidStatus):
            async with connect_socket(f"ws://127.0.0.1:{port}/ws", origin="https://elsewhere.example"):  # type: ignore[arg-type]
                raise AssertionError("a strange page was let in")
        async with connect_socket(f"ws://127.0.0.1:{port}/yjs/default/notes?token=wrong") as denied:
            with contextlib.suppress(ConnectionClosed):
                async for _ in denied:
                    pass
            assert denied.close_code == 4401


async def crowd(folder: Path) -> None:
    async with stock_server(folder, accept_rate=1, accept_burst=1) as (_, port), contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(connect_socket(f"ws://127.0.0.1:{port}/ws"))
        with pytest.raises(InvalidStatus) as refused:
            await stack.enter_async_context(connect_socket(f"ws://127.0.0.1:{port}/ws"))
        assert refused.value.response.status_code == 503
        assert int(refused.value.response.headers["Retry-After"]) >= 1


def test_p5_plain_asgi_tells_a_crowd_to_come_later(tmp_path: Path) -> None:
    asyncio.run(crowd(tmp_path))


def test_two_people_edit_over_plain_asgi(tmp_path: Path) -> None:
    asyncio.run(two_people(tmp_path))


def test_plain_asgi_refuses_as_the_protocol_class_does(tmp_path: Path) -> None:
    asyncio.run(unwelcome(tmp_path))
