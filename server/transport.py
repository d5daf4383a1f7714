"""The seam between a connection's bytes and what it speaks: transports below, dialects above."""

from typing import Protocol

from server.limits import ConnectionLimit
from server.visitors import Visitor


class Dialect(Protocol):
    """What a connection speaks above WebSocket frames. Synchronous; raises nothing."""

    @property
    def is_known(self) -> bool:
        """Whether the connection has said who it is."""

    def receive(self, message: bytes) -> None: ...

    def mute(self) -> None:
        """The peer is behind: send no presence until ``resume``."""

    def pause(self) -> None:
        """The peer is far behind: hold back whatever can be merged until ``resume``."""

    def resume(self) -> None:
        """The peer has taken everything: send what it missed."""

    def closed(self) -> None: ...
    def keep_alive(self, now: float) -> None: ...
    def going_away(self, reason: str) -> None: ...


class Transport(Protocol):
    """A WebSocket connection, whoever implements it."""

    closing: bool
    # The connections that the gateway looks at together with this one.
    share: "set[Transport] | None"
    # Where it comes from.
    visitor: Visitor

    def write(self, data: bytes) -> None:
        """Finished frames."""

    def send(self, message: bytes) -> None:
        """One message, as one binary frame."""

    def close(self, code: int, reason: str) -> None:
        """Say goodbye and leave every room at once."""

    def shutdown(self) -> None:
        """The server stops: say that coming back makes sense, and close."""

    def check(self, now: float, slow_seconds: float) -> None:
        """The periodic look: is the peer there, does it read, does it need to hear something?"""

    @property
    def is_congested(self) -> bool:
        """The peer does not take what it was sent: nothing large should be added."""

    async def drained(self) -> None:
        """Returns once what was written has left for the peer, or the connection is gone."""

    def count_for(self, user: str, limit: ConnectionLimit) -> None:
        """Count this connection for the first user that it serves, until it ends. Raises RateLimited."""

    def hold_reading(self) -> None:
        """Stop reading until ``release_reading`` has been called as often."""

    def release_reading(self) -> None: ...
