"""How often a busy server looks for what has come: seldom enough that each look finds several messages.

A network card does the same with its interrupts. Waking up, polling and going back to sleep costs the process and the
kernel more than a message does, and code that has just run for one message is still in the caches for the next.
"""

import asyncio
import time
from collections.abc import Callable

# How many reads must on average come within an interval for waiting to be worth it.
WORTH_READS = 4
# Over how many intervals that is counted.
WINDOW_INTERVALS = 8


class ReadPacing:
    """Told of each read by ``note``; while there are many it lets the loop poll only once each `interval` seconds.

    Nothing waits on a server with little to do, and on one that is busy without a pause the interval is over anyway.
    The loop's timers may be late by the interval.
    """

    __slots__ = ("_clock", "_interval", "_is_busy", "_is_due", "_polled", "_reads", "_since", "_sleep")

    def __init__(
        self,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = interval
        self._clock = clock
        self._sleep = sleep
        self._reads = 0
        self._since = self._polled = clock()
        self._is_busy = False
        # Whether the end of this turn was asked for already; always where there is no interval.
        self._is_due = interval <= 0

    def note(self) -> None:
        """Something was read. Runs for every read of every connection."""
        self._reads += 1
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self.end_turn)

    def end_turn(self) -> None:
        """Runs before the loop polls again."""
        self._is_due = False
        now = self._clock()
        window = now - self._since
        if window >= self._interval * WINDOW_INTERVALS:
            self._is_busy = self._reads * self._interval >= WORTH_READS * window
            self._reads, self._since = 0, now
        if self._is_busy:
            # Blocks on purpose: what comes meanwhile waits in the kernel, and is found together.
            self._sleep(max(0.0, self._polled + self._interval - now))
            now = self._clock()
        self._polled = now
