"""When to connect again, and when not to."""

import random
from collections.abc import Callable

from websockets.exceptions import ConnectionClosed, InvalidStatus

from collab_studio.errors import ConnectionEnded, NotAllowed, NotAuthenticated

# Seconds. The first pause is about a quarter of one, so that a restart is hardly noticed; the last keeps a crowd of
# clients from leaning on a server that cannot stand up.
SHORTEST = 0.25
LONGEST = 30.0


class Backoff:
    """Pauses that double, each shortened at random by up to a half."""

    def __init__(self, rand: Callable[[], float] = random.random) -> None:
        """`rand` returns a number from 0 to 1."""
        self._rand = rand
        self._failures = 0

    def reset(self) -> None:
        """The server is well."""
        self._failures = 0

    def next(self) -> float:
        """Seconds to wait before the next attempt."""
        pause: float = min(LONGEST, SHORTEST * 2**self._failures)
        # Beyond this the pause is the longest; counting on would make a huge power.
        self._failures = min(self._failures + 1, 16)
        return pause * (0.5 + self._rand() / 2)

    def within(self, milliseconds: int) -> float:
        """Seconds to wait where the server asked to be left alone for up to so many milliseconds."""
        return self._rand() * min(LONGEST, milliseconds / 1000)


def ending_of_close(closed: ConnectionClosed) -> ConnectionEnded | None:
    """Why not to connect again after this close, or None where trying again makes sense."""
    if closed.rcvd is None:
        return None
    code, reason = closed.rcvd.code, closed.rcvd.reason
    match code:
        case 4401:
            return NotAuthenticated(reason or "the server does not accept the token")
        case 4403:
            return NotAllowed(reason or "the server does not allow the connection")
        case 1009:
            return ConnectionEnded(f"the server refuses a message as too big: {reason}")
        case _:
            return None


def ending_of_handshake(error: InvalidStatus) -> ConnectionEnded | None:
    """Why not to connect again after this answer to the handshake, or None where trying again makes sense."""
    match error.response.status_code:
        case 401:
            return NotAuthenticated("the server does not accept the token")
        case 403:
            return NotAllowed("the server does not allow the connection")
        case _:
            return None
