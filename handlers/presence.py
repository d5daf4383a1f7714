"""When presence is sent: gathered for a moment over all rooms, then encoded once a room."""

from __future__ import annotations

import asyncio
import logging
import time

from crdt.room import Room
from handlers.relay import Relay
from handlers.traffic import Traffic

logger = logging.getLogger(__name__)


class PresenceSender:
    """Sends what changed in rooms' presence, at most once an `interval` (seconds)."""

    def __init__(self, interval: float, relay: Relay | None, traffic: Traffic) -> None:
        self._interval = interval
        self._relay = relay
        self._traffic = traffic
        self._changed: set[Room] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._sent_at = 0.0

    def changed(self, room: Room, now: float) -> None:
        """The room has presence that was not sent yet. `now` in seconds of the monotonic clock."""
        self._changed.add(room)
        if self._timer is None:
            wait = max(0.0, self._sent_at + self._interval - now)
            self._timer = asyncio.get_running_loop().call_later(wait, self._send_all)

    def _send_all(self) -> None:
        self._timer = None
        self._sent_at = time.monotonic()
        changed, self._changed = self._changed, set()
        for room in changed:
            try:
                self._send(room)
            except Exception:
                logger.exception("the presence of document %d could not be sent", room.row_id)

    def _send(self, room: Room) -> None:
        if self._relay is not None and (own := room.awareness.own_changes()) is not None:
            self._relay.present(room, own)
        self._traffic.presence_sent += 1
        room.flush_awareness()
