"""The bus of nodes in one process: the embedded server's only node, or several nodes of a test."""

import asyncio
from collections.abc import Callable

from storage.bus.channels import Listener
from storage.bus.delivery import deliver, resume


class Hub:
    """What the buses of one process meet in."""

    def __init__(self) -> None:
        self.listeners: dict[str, list[Listener]] = {}


class MemoryBus:
    """A Bus that loses nothing. Messages arrive in a later turn of the event loop, as they would from afar."""

    def __init__(self, node_id: str, hub: Hub | None = None) -> None:
        self.node_id = node_id
        self.dropped = 0
        self.hub = hub or Hub()
        self._mine: set[tuple[str, Listener]] = set()
        self._closed = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        return not self._closed.is_set()

    def publish(self, channel: str, message: bytes) -> None:
        if self._closed.is_set():
            self.dropped += 1
        elif channel in self.hub.listeners:
            asyncio.get_running_loop().call_soon(self._deliver, channel, message)

    def _deliver(self, channel: str, message: bytes) -> None:
        deliver(self.hub.listeners.get(channel, []), message)

    def subscribe(self, channel: str, listener: Listener) -> None:
        self._mine.add((channel, listener))
        asyncio.get_running_loop().call_soon(self._confirm, channel, listener)

    def _confirm(self, channel: str, listener: Listener) -> None:
        if (channel, listener) not in self._mine:
            return
        listeners = self.hub.listeners.setdefault(channel, [])
        if listener not in listeners:
            listeners.append(listener)
            resume(listener)

    def unsubscribe(self, channel: str, listener: Listener) -> None:
        self._mine.discard((channel, listener))
        listeners = self.hub.listeners.get(channel, [])
        if listener in listeners:
            listeners.remove(listener)
            if not listeners:
                del self.hub.listeners[channel]

    def on_state_change(self, listener: Callable[[bool], None]) -> None:
        """Never called: what is in one process is always connected."""

    async def run(self) -> None:
        await self._closed.wait()

    async def close(self) -> None:
        self._closed.set()
        for channel, listener in list(self._mine):
            self.unsubscribe(channel, listener)
