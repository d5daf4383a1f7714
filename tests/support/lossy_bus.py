"""A bus that loses what it is told to lose: the real one in every other respect."""

from __future__ import annotations

import random
from collections.abc import Callable

from storage.bus.memory_bus import Hub, MemoryBus


class LossyBus(MemoryBus):
    """Loses a share of the messages, 0 to 1, at random, and everything while it is cut off."""

    def __init__(self, node_id: str, hub: Hub, random_numbers: random.Random, share: float = 0.0) -> None:
        super().__init__(node_id, hub)
        self._random = random_numbers
        self._state_listeners: list[Callable[[bool], None]] = []
        self.share = share
        self.is_cut_off = False
        self.lost = 0

    @property
    def is_connected(self) -> bool:
        return not self.is_cut_off

    def on_state_change(self, listener: Callable[[bool], None]) -> None:
        self._state_listeners.append(listener)

    def publish(self, channel: str, message: bytes) -> None:
        if self.is_cut_off or self._random.random() < self.share:
            self.lost += 1
        else:
            super().publish(channel, message)

    def cut_off(self) -> None:
        self.is_cut_off = True
        self._tell()

    def connect_again(self) -> None:
        self.is_cut_off = False
        self._tell()
        for _, listener in sorted(self._mine, key=lambda pair: pair[0]):
            listener.resumed()

    def _tell(self) -> None:
        for listener in self._state_listeners:
            listener(self.is_connected)
