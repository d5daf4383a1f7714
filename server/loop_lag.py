"""How late the event loop is: a timer that notes how long after its time it was called."""

from __future__ import annotations

import asyncio
import time

from handlers.histogram import Histogram

# Often enough to see a stall of half a second, and 4 wake-ups a second cost nothing.
INTERVAL_SECONDS = 0.25


class LoopLag:
    """Everything that waits for the loop, edits above all, waits as long as this says."""

    def __init__(self) -> None:
        self.late = Histogram()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            due = time.monotonic() + INTERVAL_SECONDS
            await asyncio.sleep(INTERVAL_SECONDS)
            # The loop counts in milliseconds and may be a fraction early.
            self.late.observe(max(0.0, time.monotonic() - due))
