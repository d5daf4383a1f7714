"""A client of the Studio's own frames on a connection under a whole node: frames in, frames out."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from hand_transport import HandTransport
from node_in_process import Node

from handlers.registry import Principal
from server.hocuspocus import HocuspocusDialect
from server.studio_frames import STUDIO_PREFIX

DEADLINE = 10.0
Frame = tuple[int, dict[str, Any]]


class Line(HandTransport):
    """A socket of which the Studio's own frames are read one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()
        self._read = 0

    def send(self, message: bytes) -> None:
        super().send(message)
        self._news.set()

    async def hear(self) -> Frame:
        """The next frame."""
        async with asyncio.timeout(DEADLINE):
            while len(self.sent) == self._read:
                self._news.clear()
                await self._news.wait()
        frame = self.sent[self._read]
        self._read += 1
        assert frame.startswith(STUDIO_PREFIX)
        rest = frame.removeprefix(STUDIO_PREFIX)
        return rest[0], msgspec.msgpack.decode(rest[1:])

    @property
    def unheard(self) -> int:
        return len(self.sent) - self._read


class StudioClient:
    """A connection, and who it is for."""

    def __init__(self, node: Node, user: str | None = "ada", **principal: Any) -> None:
        self.line = Line()
        self.dialect = HocuspocusDialect(node.studio.gateway, self.line)
        if user is not None:
            self.dialect.signed_in(Principal(user, False, principal.pop("via", "token"), **principal))

    def say(self, kind: int, **body: Any) -> None:
        self.dialect.receive(STUDIO_PREFIX + bytes([kind]) + msgspec.msgpack.encode(body))

    async def hear(self, expected: int) -> dict[str, Any]:
        kind, body = await self.line.hear()
        assert kind == expected, (kind, body)
        return body
