"""Somebody who watches an operation on a connection, and keeps the answer as patches change it."""

from __future__ import annotations

import asyncio
from typing import Any

from node_in_process import Node
from studio_client import StudioClient

from server.answer_frames import ANSWER, ANSWER_CHANGED
from server.studio_frames import ERROR, RESULT

DEADLINE = 60.0


class Watcher(StudioClient):
    """One that keeps the answer as patches change it."""

    answer: dict[str, Any]

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.node = node

    async def when(self, *path: str, holds: Any) -> Any:
        """The member of the answer once `holds` is true of it."""
        async with asyncio.timeout(DEADLINE):
            while True:
                value: Any = self.answer
                for name in path:
                    value = value[name] if value is not None else None
                if holds(value):
                    return value
                kind, body = await self.line.hear()
                if kind == ANSWER:
                    self.answer = body["value"]
                elif kind == ANSWER_CHANGED:
                    self.answer = merged(self.answer, body["patch"])


def merged(before: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    made = dict(before) if isinstance(before, dict) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), value)
    return made


async def answered(client: StudioClient) -> Any:
    """The next result, whatever answers change meanwhile."""
    async with asyncio.timeout(DEADLINE):
        while True:
            kind, body = await client.line.hear()
            assert kind != ERROR, body
            if kind == RESULT:
                return body
