"""What a bus between nodes is: named channels that carry bytes to whoever listens at the moment.

A bus may lose anything: what it carries is a word about something that the database holds, or presence, which is
repeated. A listener is therefore told whenever it may have missed messages, and reads what it missed elsewhere.
"""

from collections.abc import Callable
from typing import Protocol


class Listener(Protocol):
    """Called on the event loop, in the order of the channel, and raises nothing."""

    def received(self, message: bytes) -> None:
        """A message, the node's own included. Never before the first `resumed`."""

    def resumed(self) -> None:
        """Messages arrive from here on; those before, since the last one received, may be lost.

        Called when the subscription is first confirmed, and each time it is made again after a lost connection.
        """


class Bus(Protocol):
    """The channels. One connection to the bus is shared by everything on a node."""

    # Identifies this node, or worker process, on the bus for as long as it runs.
    node_id: str
    # Messages that were given to `publish` and could not be sent.
    dropped: int

    @property
    def is_connected(self) -> bool:
        """Whether messages get through at the moment, as far as is known."""

    def publish(self, channel: str, message: bytes) -> None:
        """Send soon, in the order of the calls. Without a connection, or while too much waits, the message is lost."""

    def subscribe(self, channel: str, listener: Listener) -> None:
        """Listen from some moment soon, which `resumed` tells. Several may listen to one channel, each once."""

    def unsubscribe(self, channel: str, listener: Listener) -> None:
        """Not called after this. The channel is given up with its last listener."""

    def on_state_change(self, listener: Callable[[bool], None]) -> None:
        """Called with `is_connected` whenever that has changed."""

    async def run(self) -> None:
        """Carry messages until cancelled or closed, connecting again as often as needed."""

    async def close(self) -> None:
        """Send what waits, as far as the connection stands, and end it. Safe to call twice."""
