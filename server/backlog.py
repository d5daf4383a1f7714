"""What waits for a connection whose peer does not read as fast as it is sent something."""

import asyncio

# Above this a connection is congested: nothing more is read from it, edits are held back for it, and nothing large is
# begun. An answer that goes out whole fits in twice.
CONGESTED_BYTES = 1024 * 1024


class Backlog:
    """The bytes that the kernel did not take, from the first of them until none is left."""

    __slots__ = ("_left_before", "_moved_at", "added", "ended", "is_congested")

    def __init__(self, now: float) -> None:
        self.is_congested = False
        self.ended = asyncio.Event()
        # Bytes that came to it since the last look.
        self.added = 0
        self._moved_at = now
        self._left_before = 0

    def is_stuck(self, now: float, left: int, patience: float) -> bool:
        """Whether the peer has taken nothing for so many seconds. `left` is what waits; asked now and then."""
        if left < self._left_before + self.added:
            self._moved_at = now
        self._left_before, self.added = left, 0
        return now - self._moved_at > patience
