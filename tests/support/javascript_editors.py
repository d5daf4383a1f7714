"""A Node process with many stock clients that edit, seen from the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Self

from javascript import JAVASCRIPT, NODE


class JavaScriptEditors:
    """`async with`: the clients edit until `settled` is asked for."""

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        self._options = json.dumps({**options, "url": url})
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            NODE,
            "editors.mjs",
            self._options,
            cwd=JAVASCRIPT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=64 * 1024 * 1024,
        )
        await self._line()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def settled(self, within: float) -> dict[str, Any]:
        """Stop typing; what every document holds, once nothing waits and all clients agree."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(b"stop\n")
        last: dict[str, Any] = {}
        try:
            async with asyncio.timeout(within):
                while not last.get("settled"):
                    last = await self._line()
        except TimeoutError:
            raise AssertionError(f"the clients did not settle within {within:.0f} s: {last}") from None
        return last

    async def _line(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, "the clients ended"
        said: dict[str, Any] = json.loads(line)
        return said
