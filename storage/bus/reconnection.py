"""When to connect again, and what the operator is told meanwhile: once what is wrong, and once that it is over."""

from __future__ import annotations

import logging
from random import Random

logger = logging.getLogger(__name__)

# A restarted server is back within a second or two: nobody should wait much longer than it takes.
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
# A connection that stood for so long was a good one. Others count as failed attempts.
GOOD_SECONDS = 10.0


class Reconnection:
    """Counts the attempts since there last was a good connection."""

    def __init__(self, what: str, random: Random) -> None:
        """`what` is what the log says it is about."""
        self._what = what
        self._random = random
        self._attempts = 0
        self._told: set[str] = set()

    def pause(self) -> float:
        """Seconds to wait before the next attempt: none before the first, then longer each time, never quite the same.

        Nodes that lost one server at one moment must not come back at one moment.
        """
        longest = min(FIRST_PAUSE_SECONDS * 2.0 ** (self._attempts - 1), LONGEST_PAUSE_SECONDS)
        pause = self._random.uniform(longest / 2, longest) if self._attempts else 0.0
        # So many attempts end at the longest pause; counting on would end in a number too large.
        self._attempts = min(self._attempts + 1, 16)
        return pause

    def failed(self, reason: str) -> None:
        """An attempt failed, or a connection was lost."""
        if reason not in self._told:
            self._told.add(reason)
            logger.warning("%s: %s; trying again until it works", self._what, reason.rstrip("."))

    def succeeded(self) -> None:
        if self._told:
            logger.info("%s: connected again", self._what)

    def ended(self, seconds: float) -> None:
        """A connection that stood for so long was lost."""
        if seconds >= GOOD_SECONDS:
            self._attempts = 0
            self._told.clear()
