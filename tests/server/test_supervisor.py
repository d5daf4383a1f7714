"""A supervisor over processes of the tests' own: it starts, replaces and ends them, and knows when to give up."""

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from typing import Any

import pytest
import supervised

from server import supervisor
from server.settings import Settings
from server.startup import StartError, bind_for_each
from server.supervisor import Main, Supervisor

DEADLINE = 30.0


class Running:
    """A supervisor in this process, and what it announced."""

    def __init__(self, main: Main, processes: int, **settings: float) -> None:
        chosen = Settings(port=0, workers=processes, **settings)  # type: ignore[arg-type]
        self.listeners = bind_for_each(chosen, processes)
        self.port = self.listeners[0].getsockname()[1]
        self.announced = asyncio.Event()
        self.announcements = 0
        self.supervisor = Supervisor(main, chosen, self.listeners, self._announce)
        self.task = asyncio.create_task(self.supervisor.run())

    def _announce(self) -> None:
        self.announcements += 1
        self.announced.set()

    @property
    def pids(self) -> list[int]:
        present = self.supervisor._present
        return [present[index].process.pid or 0 for index in sorted(present)]

    def ask(self) -> str:
        """The index of the worker that answers a new connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE) as asking:
            return asking.recv(10).decode()


@asynccontextmanager
async def running(main: Main, processes: int, **settings: float) -> AsyncIterator[Running]:
    started = Running(main, processes, **settings)
    try:
        async with asyncio.timeout(DEADLINE):
            yield started
    finally:
        for worker in started.supervisor._alive:
            worker.process.kill()
        for listener in started.listeners:
            listener.close()
        started.task.cancel()
        await asyncio.wait([started.task])


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes; the deadline is the block's
        await asyncio.sleep(0.01)


def play(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def test_every_process_gets_its_part_of_the_connections() -> None:
    async def scenario() -> None:
        async with running(supervised.serves, 2) as node:
            await node.announced.wait()
            answers = await asyncio.gather(*(asyncio.to_thread(node.ask) for _ in range(80)))
            # Each gets 40 in the mean; below 16 comes once in ten million runs.
            assert min(answers.count("0"), answers.count("1")) >= 16
            os.kill(os.getpid(), signal.SIGTERM)
            assert await node.task == 0
            assert node.announcements == 1

    play(scenario)


def test_another_program_on_the_port_is_noticed_in_spite_of_the_sharing() -> None:
    with closing(socket.socket()) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(StartError, match="in use"):
            bind_for_each(Settings(port=other.getsockname()[1]), 3)


def test_a_process_that_dies_is_started_again() -> None:
    async def scenario() -> None:
        async with running(supervised.serves, 2) as node:
            await node.announced.wait()
            before = node.pids
            os.kill(before[1], signal.SIGKILL)
            await until(lambda: node.pids[1] != before[1] and node.supervisor._present[1].ready.is_set())
            assert node.pids[0] == before[0]
            assert {await asyncio.to_thread(node.ask) for _ in range(40)} == {"0", "1"}

    play(scenario)


def test_processes_are_replaced_one_after_the_other_and_nobody_is_refused() -> None:
    async def scenario() -> None:
        async with running(supervised.serves, 2) as node:
            await node.announced.wait()
            before, answers = node.pids, []
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: node.supervisor._renewing is not None)
            while node.supervisor._renewing is not None and not node.supervisor._renewing.done():
                answers.append(await asyncio.to_thread(node.ask))
            assert set(node.pids).isdisjoint(before)
            assert len(answers) > 20
            assert set(answers) == {"0", "1"}

    play(scenario)


def test_processes_that_never_start_are_given_up_loudly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 0.01)

    async def scenario() -> None:
        async with running(supervised.ends_at_once, 1) as node:
            assert await node.task == 1
            assert not node.announced.is_set()

    with caplog.at_level(logging.ERROR):
        play(scenario)
    assert "ended with exit code 3" in caplog.messages[-1]
    assert "the server stops" in caplog.messages[-1]
    assert len(caplog.messages) == supervisor.MOST_EARLY_ENDS


def test_a_process_that_does_not_end_is_killed_in_time(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with running(supervised.stays, 1, shutdown_timeout=1.0, drain_seconds=0.1) as node:
            await node.announced.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            started = time.monotonic()
            assert await node.task == 1
            assert time.monotonic() - started < 1.5

    play(scenario)
    assert "did not end and is killed" in caplog.text


def test_at_a_second_signal_nobody_waits() -> None:
    async def scenario() -> None:
        async with running(supervised.stays, 2) as node:
            await node.announced.wait()
            os.kill(os.getpid(), signal.SIGINT)
            await until(node.supervisor._stopping.is_set)
            started = time.monotonic()
            os.kill(os.getpid(), signal.SIGINT)
            assert await node.task == 1
            assert time.monotonic() - started < 5

    play(scenario)
