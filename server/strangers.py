"""Connections that have not said who they are: each may take its time, but not for ever."""

from __future__ import annotations

from server.transport import Dialect, Transport


class Strangers:
    """Until when each has time, the oldest first. One that is gone is not kept."""

    def __init__(self, patience: float) -> None:
        """`patience` in seconds."""
        self._patience = patience
        self._waiting: dict[Transport, tuple[float, Dialect]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, socket: Transport, dialect: Dialect, now: float) -> None:
        """A connection was opened. `now` never goes back."""
        self._waiting[socket] = (now + self._patience, dialect)

    def forget(self, socket: Transport) -> None:
        """The connection ends."""
        self._waiting.pop(socket, None)

    def part(self, now: float) -> None:
        """Close those whose time is over and of whom it is still not known who they are."""
        while self._waiting:
            socket, (until, dialect) = next(iter(self._waiting.items()))
            if until > now:
                return
            del self._waiting[socket]
            if not dialect.is_known and not socket.closing:
                socket.close(4408, "nobody signed in in time")
