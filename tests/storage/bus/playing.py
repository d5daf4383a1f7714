"""What the tests of the bus share: two nodes' buses that run, and listeners that write down what they hear."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import uvloop

from storage.bus.channels import Bus

# Long enough for a slow machine, short enough to fail before the test's own limit.
DEADLINE = 20.0


class Ear:
    """A Listener that writes down the messages, and None for each `resumed`."""

    def __init__(self) -> None:
        self.heard: list[bytes | None] = []
        self._changed = asyncio.Event()

    @property
    def messages(self) -> list[bytes]:
        return [message for message in self.heard if message is not None]

    @property
    def times_resumed(self) -> int:
        return self.heard.count(None)

    def received(self, message: bytes) -> None:
        self.heard.append(message)
        self._changed.set()

    def resumed(self) -> None:
        self.heard.append(None)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Returns when the condition holds after something was heard; the test's deadline ends it."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def until_resumed(self, times: int = 1) -> None:
        await self.until(lambda: self.times_resumed >= times)

    async def until_any(self, message: bytes) -> None:
        """Returns when this is among the messages."""
        await self.until(lambda: message in self.messages)

    async def until_heard(self, *messages: bytes) -> None:
        """Returns when the last messages are these."""
        await self.until(lambda: tuple(self.messages[-len(messages) :]) == messages)


class StateLog:
    """What a bus said of its connection."""

    def __init__(self, bus: Bus) -> None:
        self.states: list[bool] = []
        self._bus = bus
        self._changed = asyncio.Event()
        bus.on_state_change(self._take)

    def _take(self, state: bool) -> None:
        assert state == self._bus.is_connected
        self.states.append(state)
        self._changed.set()

    async def until(self, state: bool) -> None:
        while self._bus.is_connected != state:
            self._changed.clear()
            await self._changed.wait()


@contextlib.asynccontextmanager
async def running(*buses: Bus) -> AsyncIterator[None]:
    """The buses carry messages until the block ends."""
    async with asyncio.TaskGroup() as group:
        for bus in buses:
            group.create_task(bus.run())
        try:
            yield
        finally:
            for bus in buses:
                await bus.close()


async def until(condition: Callable[[], bool]) -> None:
    """Returns when the condition holds."""
    while not condition():  # noqa: ASYNC110 - the surrounding deadline ends it
        await asyncio.sleep(0.005)


async def listen(bus: Bus, channel: str) -> Ear:
    """A listener that hears from now on."""
    ear = Ear()
    bus.subscribe(channel, ear)
    await ear.until_resumed()
    return ear


async def connected(bus: Bus) -> None:
    await StateLog(bus).until(True)


def play(scenario: Coroutine[Any, Any, None]) -> None:
    """Runs a scenario with a deadline, on the event loop that the server runs on."""

    async def run() -> None:
        async with asyncio.timeout(DEADLINE):
            await scenario

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
