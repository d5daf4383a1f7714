"""Everybody comes back at once, as after a restart: most are told to come later, all get in, and nothing falls over."""

import asyncio
import contextlib
import time
from pathlib import Path

import httpx
import pytest
from server_process import ServerProcess
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

CROWD = 300
RATE, BURST = 150, 100


class Comer:
    """Somebody who wants in, and comes back when told to."""

    def __init__(self) -> None:
        self.statuses: set[int] = set()
        self.told: list[int] = []
        self.came_in_at = 0.0

    async def come(self, url: str, stack: contextlib.AsyncExitStack) -> None:
        while not self.came_in_at:
            try:
                socket = connect(f"{url}/ws", compression=None, ping_interval=None, open_timeout=60)
                await stack.enter_async_context(socket)
                self.came_in_at = time.monotonic()
            except InvalidStatus as refusal:
                self.statuses.add(refusal.response.status_code)
                self.told.append(int(refusal.response.headers["Retry-After"]))
                await asyncio.sleep(self.told[-1])


async def come_all(server: ServerProcess) -> tuple[list[Comer], float, float]:
    """The crowd, how long it took, and the longest that somebody else waited for an answer meanwhile."""
    comers, slowest, began_at = [Comer() for _ in range(CROWD)], 0.0, time.monotonic()
    async with asyncio.timeout(60), contextlib.AsyncExitStack() as stack, httpx.AsyncClient(timeout=30) as client:
        coming = asyncio.gather(*(comer.come(server.socket_url, stack) for comer in comers))
        while not coming.done():
            asked_at = time.monotonic()
            (await client.get(f"{server.url}/health")).raise_for_status()
            slowest = max(slowest, time.monotonic() - asked_at)
            await asyncio.wait([coming], timeout=0.05)
        await coming
        return comers, time.monotonic() - began_at, slowest


@pytest.mark.timeout(120)
def test_p5_a_crowd_comes_in_as_a_stream(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, "--accept-rate", str(RATE), "--accept-burst", str(BURST))
    server.start()
    try:
        comers, seconds, slowest = asyncio.run(come_all(server))
    finally:
        server.kill()
    assert {status for comer in comers for status in comer.statuses} == {503}
    at_once = sum(not comer.told for comer in comers)
    assert BURST <= at_once <= BURST + RATE * 2
    assert seconds >= 1
    first_answers = {comer.told[0] for comer in comers if comer.told}
    assert len(first_answers) > 1, "all were told to come back at the same moment"
    assert max(len(comer.told) for comer in comers) <= 5
    assert slowest < 5
