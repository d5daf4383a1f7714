"""One WebSocket client of a load program, and the command line that all load programs share."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.wire import DIALECTS, LARGEST_FRAME, Y_WEBSOCKET, Dialect

Figures = dict[str, float]
ClientType = TypeVar("ClientType", bound="Client")

# A server busy with its other clients may answer the last handshake late; longer is a server that hangs.
DEADLINE = 120.0
# Handshakes in flight at once: a storm, but within the shortest listen backlog of the servers compared (511).
HANDSHAKES = 200


class Client(WSListener):
    """Says hello, holds the first state it is sent, and answers pings. Raises what went wrong from `synced`."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.synced: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.transport: WSTransport

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        for frame in self.dialect.hello():
            self.send(frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        received = transport.close_handshake.recv
        reason = f"{received.code} {received.reason}" if received else "without a close frame"
        self.fail(ConnectionError(f"the server closed a connection: {reason}"))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.BINARY:
            return
        payload = frame.get_payload_as_bytes()
        if answer := self.dialect.answer(payload):
            transport.send(WSMsgType.BINARY, answer)
            return
        if not self.synced.done() and (state := self.dialect.state_in(payload)) is not None:
            self.synced.set_result(state)
        self.received(payload)

    def received(self, payload: bytes) -> None:
        """For subclasses: every binary frame, pings apart."""

    def fail(self, error: Exception) -> None:
        if not self.synced.done():
            self.synced.set_exception(error)

    def send(self, frame: bytes) -> None:
        self.transport.send(WSMsgType.BINARY, frame)

    def close(self) -> None:
        self.transport.disconnect()


async def connect(make: Callable[[], ClientType]) -> ClientType:
    client = make()
    await ws_connect(
        lambda: client, client.dialect.url, max_frame_size=LARGEST_FRAME, websocket_handshake_timeout=DEADLINE
    )
    return client


async def connect_rooms(rooms: Sequence[Sequence[Callable[[], ClientType]]]) -> list[ClientType]:
    """Connect the first client of each room, then all others at once.

    One of the servers compared refuses clients who make a room at the same time.
    """
    first = await connect_all([room[0] for room in rooms])
    return first + await connect_all([make for room in rooms for make in room[1:]])


async def connect_all(makers: Sequence[Callable[[], ClientType]]) -> list[ClientType]:
    """Connect them at once and wait until each is synced."""
    gate = asyncio.Semaphore(HANDSHAKES)

    async def connect_one(make: Callable[[], ClientType]) -> ClientType:
        async with gate:
            return await connect(make)

    clients = await asyncio.wait_for(asyncio.gather(*map(connect_one, makers)), DEADLINE)
    await asyncio.wait_for(asyncio.gather(*(client.synced for client in clients)), DEADLINE)
    return clients


def dialect_of(options: argparse.Namespace, room: str, index: int) -> Dialect:
    """The document `room` as client number `index` sees it: nodes and users take turns."""
    token = options.token[index % len(options.token)] if options.token else ""
    return Dialect(options.dialect, options.url[index % len(options.url)], f"default/{room}", token)


def parser_of(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--url", action="append", required=True, help="ws://127.0.0.1:PORT and the dialect's path; one for each node"
    )
    parser.add_argument("--dialect", choices=DIALECTS, default=Y_WEBSOCKET)
    parser.add_argument("--token", action="append", help="a user's token; several users share the clients between them")
    parser.add_argument(
        "--pid", type=int, action="append", required=True, help="a node's process; its children are counted in"
    )
    parser.add_argument(
        "--service-pid", type=int, action="append", default=[], help="a process that nodes share, counted by itself"
    )
    return parser


def run(measure: Coroutine[Any, Any, Figures]) -> None:
    """Run a load program and print its figures as one line of JSON."""
    print(json.dumps(uvloop.run(measure)))
