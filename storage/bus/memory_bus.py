"""The bus of nodes in one process: the embedded server's only node, or several nodes of a test."""

import asyncio
from collections.abc import Callable

from storage.bus.channels import Listener


class Hub:
    """What the buses of one process meet in."""

    def __init__(self) -> None:
        self.listeners: dict[str, list[Listener]] = {}


class MemoryBus:
    """A Bus that loses nothing. Messages arrive in a later turn of the event loop, as they would from afar."""

    def __init__(self, node_id: str, hub: Hub | None = None) -> None:
        self.node_id = node_id
        self._hub = hub or Hub()
        self._mine: set[tuple[str, Listener]] = set()
        self._closed = False

    @property
    def is_connected(self) -> bool:
        return not self._closed

    def publish(self, channel: str, message: bytes) -> None:
        if not self._closed and channel in self._hub.listeners:
            asyncio.get_running_loop().call_soon(self._deliver, channel, message)

    def _deliver(self, channel: str, message: bytes) -> None:
        for listener in list(self._hub.listeners.get(channel, ())):
            listener.received(message)

    def subscribe(self, channel: str, listener: Listener) -> None:
        self._hub.listeners.setdefault(channel, []).append(listener)
        self._mine.add((channel, listener))
        asyncio.get_running_loop().call_soon(self._confirm, channel, listener)

    def _confirm(self, channel: str, listener: Listener) -> None:
        if (channel, listener) in self._mine:
            listener.resumed()

    def unsubscribe(self, channel: str, listener: Listener) -> None:
        if (channel, listener) not in self._mine:
            return
        self._mine.discard((channel, listener))
        listeners = self._hub.listeners[channel]
        listeners.remove(listener)
        if not listeners:
            del self._hub.listeners[channel]

    def on_state_change(self, listener: Callable[[bool], None]) -> None:
        """Never called: what is in one process is always connected."""

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        self._closed = True
        for channel, listener in list(self._mine):
            self.unsubscribe(channel, listener)
