"""How a node leaves: who is parted when, how the time is shared out, and that it is over in the end."""

import asyncio
import logging
import os
import random
import threading
import time
from collections.abc import Callable
from typing import cast

import pytest
import uvicorn
from hand_transport import HandTransport

from server.drain import AT_ONCE, GONE, REQUESTS, STEP_SECONDS, STORED, Departure, part_connections
from server.gateway import Gateway
from server.listening import Server


class Leaver(HandTransport):
    """Notes when it was parted."""

    parted_at = 0.0

    def shutdown(self) -> None:
        super().shutdown()
        self.parted_at = time.monotonic()


def test_few_are_parted_at_once() -> None:
    async def scenario() -> None:
        sockets = [Leaver() for _ in range(AT_ONCE)]
        parting = asyncio.ensure_future(part_connections(sockets, 60.0))
        await asyncio.sleep(0)
        assert parting.done()
        assert await parting == AT_ONCE
        assert {code for socket in sockets for code in socket.codes} == {1012}

    asyncio.run(scenario())


def test_few_are_parted_after_a_notice_where_there_are_other_nodes() -> None:
    async def scenario() -> None:
        sockets = [Leaver() for _ in range(3)]
        began_at = time.monotonic()
        async with asyncio.timeout(30):
            assert await part_connections(sockets, 10 * STEP_SECONDS, has_others=True) == len(sockets)
        assert min(socket.parted_at for socket in sockets) - began_at >= 0.9 * STEP_SECONDS

    asyncio.run(scenario())


def test_many_are_parted_a_few_at_a_time_after_a_notice() -> None:
    async def scenario() -> None:
        sockets = [Leaver() for _ in range(AT_ONCE * 3)]
        seconds = 10 * STEP_SECONDS
        began_at = time.monotonic()
        async with asyncio.timeout(30):
            assert await part_connections(sockets, seconds, chance=random.Random(1)) == len(sockets)
        parted = sorted(socket.parted_at - began_at for socket in sockets)
        assert parted[0] >= seconds * 0.09
        assert len({round(at, 3) for at in parted}) >= 4, "they were parted in one go"
        halfway = [socket.parted_at for socket in sockets[: len(sockets) // 2]]
        # In random order: the first half of those who came is not the first half of those who go.
        assert max(halfway) > sorted(socket.parted_at for socket in sockets)[-len(sockets) // 3]

    asyncio.run(scenario())


def test_whoever_leaves_meanwhile_is_not_parted_again() -> None:
    async def scenario() -> None:
        sockets = [Leaver() for _ in range(AT_ONCE + 50)]
        parting = asyncio.ensure_future(part_connections(sockets, STEP_SECONDS))
        await asyncio.sleep(0)
        for socket in sockets[:50]:
            socket.close(1000, "")
        assert await parting == AT_ONCE
        assert all(len(socket.codes) == 1 for socket in sockets)

    asyncio.run(scenario())


def test_the_time_is_shared_out_from_the_moment_of_leaving() -> None:
    now = 100.0
    departure = Departure(10.0, lambda: now)
    assert not departure.begun.is_set()
    departure.begin()
    assert departure.begun.is_set()
    now = 103.0
    departure.begin()
    assert departure.left(REQUESTS) == pytest.approx(2.0)
    assert departure.left(STORED) == pytest.approx(5.0)
    now = 120.0
    assert departure.left(GONE) == 0.0


def test_whoever_is_parted_last_has_all_the_time_that_is_left_for_an_answer() -> None:
    now = 100.0

    class Unhurried(Departure):
        def end_in_any_case(self, end: Callable[[int], object] = os._exit) -> None:
            """The process is the tests'."""

    class Leaving:
        departure = Unhurried(10.0, lambda: now)

        async def drain(self) -> None:
            nonlocal now
            now += 3.1

    async def scenario() -> None:
        config = uvicorn.Config("", lifespan="off", log_config=None)
        server = Server(config, cast(Gateway, Leaving()), lambda _: None, hurries=False)
        server.servers, server.force_exit = [], True
        await server.shutdown()
        assert config.timeout_graceful_shutdown == pytest.approx(1.9)

    asyncio.run(scenario())


def test_whatever_hangs_the_process_ends(caplog: pytest.LogCaptureFixture) -> None:
    ended = threading.Event()
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    departure = Departure(0.05)
    departure.begin()
    with caplog.at_level(logging.ERROR):
        departure.end_in_any_case(end)
        assert ended.wait(30)
    assert codes == [1]
    assert "did not end by itself" in caplog.text


def test_the_exit_code_tells_whether_something_was_lost() -> None:
    departure = Departure(10.0)
    assert departure.exit_code == 0
    departure.unstored = {"default/notes": 3}
    assert departure.exit_code == 1
