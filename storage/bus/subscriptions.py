"""Who listens to which channel, and what the server has been told of it. Pure bookkeeping: nothing is sent here."""

from __future__ import annotations

from collections import Counter

from storage.bus.channels import Listener
from storage.bus.delivery import deliver, resume


class Subscriptions:
    """Listeners by channel: those that hear, and those that wait until their channel is confirmed."""

    def __init__(self) -> None:
        self._hearing: dict[bytes, list[Listener]] = {}
        self._waiting: dict[bytes, list[Listener]] = {}
        self._changed: set[bytes] = set()
        # What the last command about a channel was, if it was to subscribe.
        self._told: set[bytes] = set()
        self._unconfirmed: Counter[bytes] = Counter()

    def add(self, channel: bytes, listener: Listener) -> None:
        self._waiting.setdefault(channel, []).append(listener)
        self._changed.add(channel)

    def remove(self, channel: bytes, listener: Listener) -> None:
        for listeners in (self._hearing, self._waiting):
            if listener in (found := listeners.get(channel, [])):
                found.remove(listener)
                if not found:
                    del listeners[channel]
        self._changed.add(channel)

    def start_over(self) -> None:
        """A new connection: the server knows of nothing, and everybody waits."""
        self._told.clear()
        self._unconfirmed.clear()
        for channel, listeners in self._hearing.items():
            self._waiting[channel] = listeners + self._waiting.get(channel, [])
        self._hearing.clear()
        self._changed = set(self._waiting)

    def take_changes(self) -> tuple[list[bytes], list[bytes]]:
        """The channels to subscribe to, and those to give up, counted as told from now on."""
        wanted, given_up = [], []
        for channel in self._changed:
            is_wanted, is_told = channel in self._hearing or channel in self._waiting, channel in self._told
            if is_wanted and not is_told:
                wanted.append(channel)
            elif is_told and not is_wanted:
                given_up.append(channel)
        self._told.update(wanted)
        self._told.difference_update(given_up)
        self._unconfirmed.update(wanted)
        self._resume_confirmed()
        return wanted, given_up

    def _resume_confirmed(self) -> None:
        """Listeners that came to a channel which is heard already."""
        changed, self._changed = self._changed, set()
        for channel in changed:
            if channel in self._told and not self._unconfirmed[channel]:
                self._resume(channel)

    def confirmed(self, channel: bytes) -> None:
        """The server has subscribed us. Where it was asked again meanwhile, only the last answer counts."""
        self._unconfirmed[channel] -= 1
        if self._unconfirmed[channel] <= 0:
            del self._unconfirmed[channel]
            if channel in self._told:
                self._resume(channel)

    def _resume(self, channel: bytes) -> None:
        if (waiting := self._waiting.pop(channel, None)) is None:
            return
        self._hearing.setdefault(channel, []).extend(waiting)
        for listener in waiting:
            # An earlier one may have sent it away.
            if listener in self._hearing.get(channel, []):
                resume(listener)

    def deliver(self, channel: bytes, message: bytes) -> None:
        if (listeners := self._hearing.get(channel)) is not None:
            deliver(listeners, message)
