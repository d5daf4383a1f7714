"""Work that is only for its caller ends with its caller's connection, over HTTP and over a socket."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from http_node import serving
from node_in_process import running_node
from studio_client import StudioClient

from handlers.registry import Context, Operation, Permission
from server.studio_frames import REQUEST

DEADLINE = 10.0


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """No parameters."""


class Endless:
    """An operation's handler that never answers; says when it is begun and when it is cancelled."""

    def __init__(self) -> None:
        self.begun, self.cancelled = asyncio.Event(), asyncio.Event()

    async def __call__(self, _: Context, __: Nothing) -> Nothing:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return Nothing()

    def operation(self, *, stops: bool) -> Operation:
        return Operation(
            "endless.get",
            Nothing,
            Nothing,
            self,
            "GET /endless",
            Permission.SIGNED_IN,
            "Wait for ever.",
            stops_with_caller=stops,
        )


def test_over_http(tmp_path: Path) -> None:
    async def scenario() -> None:
        endless = Endless()
        async with asyncio.timeout(DEADLINE), serving(tmp_path, operations=[endless.operation(stops=True)]) as node:
            left = asyncio.Event()
            messages = [{"type": "http.request", "body": b"", "more_body": False}]

            async def receive() -> dict[str, Any]:
                if messages:
                    return messages.pop()
                await left.wait()
                return {"type": "http.disconnect"}

            sent: list[Any] = []

            async def send(message: Any) -> None:
                sent.append(message)

            headers = [(b"authorization", f"Bearer {node.token('ada')}".encode()), (b"host", b"studio")]
            scope = {
                "type": "http",
                "method": "GET",
                "path": "/endless",
                "query_string": b"",
                "headers": headers,
                "http_version": "1.1",
            }
            asking = asyncio.create_task(node.app(scope, receive, send))
            await endless.begun.wait()
            left.set()
            await endless.cancelled.wait()
            await asking
            assert sent[0]["status"] == 499

    asyncio.run(scenario())


def test_over_a_socket(tmp_path: Path) -> None:
    async def scenario() -> None:
        stopping, going_on = Endless(), Endless()
        async with asyncio.timeout(3 * DEADLINE), running_node(tmp_path) as node:
            await node.enlist("ada")
            operations: Any = node.studio.gateway.operations
            operations["endless.get"] = stopping.operation(stops=True)
            operations["other.get"] = replace(going_on.operation(stops=False), name="other.get")
            client = StudioClient(node)
            client.say(REQUEST, id=1, operation="endless.get", parameters={})
            client.say(REQUEST, id=2, operation="other.get", parameters={})
            await stopping.begun.wait()
            await going_on.begun.wait()
            client.dialect.closed()
            await stopping.cancelled.wait()
            assert not going_on.cancelled.is_set()
            for task in tuple(node.studio.gateway._tasks):
                task.cancel()

    asyncio.run(scenario())
