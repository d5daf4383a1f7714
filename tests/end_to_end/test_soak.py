"""Rooms that open and close all day leave nothing behind.

`make soak` runs it for ten minutes (SOAK_SECONDS); the everyday suite for some seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import statistics
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from answered_writer import Writer
from server_process import ServerProcess

SECONDS = float(os.environ.get("SOAK_SECONDS", "20"))
SEED = int(os.environ.get("SOAK_SEED", "0")) or random.randrange(1 << 32)
VISITORS = 12
VISIT_SECONDS = 0.4
SAMPLE_SECONDS = 0.25
# A fresh process still loads code and fills caches; what grows with the number of rooms goes far beyond this.
MAY_GROW = 1.10


class Visitors:
    """People who open a document, type for a moment and leave; seldom the same one again."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._chance = random.Random(SEED)
        self.visits = 0
        self.answered = 0

    async def come_and_go(self, until: float) -> None:
        while time.monotonic() < until:
            self.visits += 1
            writer = Writer(f"default/soak-{self._chance.randrange(self.visits + 20)}", f"v{self.visits}", pause=0.02)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(VISIT_SECONDS * self._chance.uniform(0.5, 1.5)):
                    await writer.run(self._url, self._token)
            self.answered += writer.answered


async def soak(server: ServerProcess, visitors: Visitors) -> list[float]:
    """The server's resident memory while they come and go, in MiB."""
    process = psutil.Process(server.pid)
    end = time.monotonic() + SECONDS
    tasks = [asyncio.create_task(visitors.come_and_go(end)) for _ in range(VISITORS)]
    samples = []
    while time.monotonic() < end:
        samples.append(process.memory_info().rss / 2**20)
        await asyncio.sleep(SAMPLE_SECONDS)
    await asyncio.gather(*tasks)
    return samples


@pytest.mark.timeout(SECONDS + 120)
def test_memory_stays_flat_while_rooms_open_and_close(tmp_path: Path) -> None:
    print(f"SOAK_SEED={SEED} SOAK_SECONDS={SECONDS}")
    server = ServerProcess(tmp_path, "--room-idle-seconds", "1s", "--max-connections-per-user", "1000")
    server.start()
    try:
        visitors = Visitors(server.socket_url, server.token("visitor"))
        samples = asyncio.run(soak(server, visitors))
    finally:
        server.kill()
    quarter = len(samples) // 4
    early, late = statistics.median(samples[quarter : 2 * quarter]), statistics.median(samples[-quarter:])
    print(f"{visitors.visits} visits, {visitors.answered} updates stored; {early:.1f} MiB early, {late:.1f} MiB late")
    assert visitors.answered > visitors.visits
    assert late < early * MAY_GROW, f"memory grew from {early:.1f} to {late:.1f} MiB"
