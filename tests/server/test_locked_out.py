"""Whoever guesses is shut out by every way in alike, and let in by each when the time is over."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
from hand_transport import HandTransport
from node_in_process import Node, running_node

from crdt.lib0 import write_var_string
from handlers.credentials import new_push_key
from server.hocuspocus import HocuspocusDialect
from server.visitors import Visitor
from server.y_websocket import YWebSocketDialect

NAME = "default/notes"
PLACE, ELSEWHERE = "192.0.2.7", "198.51.100.9"
PUSHES = "/performance/sources/1/samples"


class Ways:
    """All ways in, from one address."""

    def __init__(self, node: Node, address: str) -> None:
        self.node, self.address = node, address

    async def ask(self, credential: str, path: str = "/me", method: str = "GET") -> httpx.Response:
        transport = httpx.ASGITransport(self.node.studio.app, client=(self.address, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://studio") as client:
            return await client.request(method, path, headers={"Authorization": f"Bearer {credential}"})

    async def open(self, credential: str, *, is_hocuspocus: bool) -> HandTransport:
        gateway, line = self.node.studio.gateway, HandTransport()
        line.visitor = Visitor(self.address)
        if is_hocuspocus:
            HocuspocusDialect(gateway, line).receive(
                write_var_string(NAME) + b"\x02\x00" + write_var_string(credential)
            )
        else:
            plain = YWebSocketDialect(gateway, line)
            gateway.admit(line, credential, None, NAME, plain.admitted, plain.denied)
        await gateway.idle()
        return line

    async def answers(self, credential: str, push_key: str) -> list[int]:
        """By HTTP, a stream's head, a push, and the codes that sockets are closed with, 0 for those that are not."""
        asked = [
            await self.ask(credential),
            await self.ask(credential, "/notifications/stream", "HEAD"),
            await self.ask(push_key, PUSHES, "POST"),
        ]
        lines = [await self.open(credential, is_hocuspocus=is_hocuspocus) for is_hocuspocus in (True, False)]
        return [answer.status_code for answer in asked] + [code for line in lines for code in (line.codes or [0])]


def test_every_way_in_is_closed_and_opens_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_node(tmp_path, failed_credentials=6) as node:
            await node.enlist("ada")
            lockouts: Any = node.studio.gateway._admission._authenticator.lockouts
            now = 1e6
            lockouts._clock = lambda: now
            here, there, right = Ways(node, PLACE), Ways(node, ELSEWHERE), node.token("ada")
            # One wrong one by each way, and one more.
            assert await here.answers("csk_one", new_push_key()) == [401, 401, 401, 0, 4401]
            for number in range(4):
                await here.ask(f"csk_more{number}")
            refused = await here.ask(right)
            assert (refused.status_code, refused.json()["code"]) == (429, "locked_out")
            assert refused.headers["retry-after"] == "30"
            assert await here.answers(right, new_push_key()) == [429, 429, 429, 4430, 4430]
            assert await there.answers(right, new_push_key()) == [200, 200, 401, 0, 0]
            now += 30
            assert await here.answers(right, new_push_key()) == [200, 200, 401, 0, 0]

    asyncio.run(scenario())
