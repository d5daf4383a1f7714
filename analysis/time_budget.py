"""How long an analysis may take: it stops between steps and hands out what it has."""

from __future__ import annotations

import time
from collections.abc import Callable


class TimeBudget:
    """Runs from when it is made. `check` is called at every look and may raise: the caller's way to cancel."""

    def __init__(self, seconds: float, check: Callable[[], None], now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._check = now, check
        self._began = now()
        self._seconds = seconds

    def spent(self) -> bool:
        """Whether the time is over. Cheap enough to be asked before every step."""
        self._check()
        return self._now() - self._began >= self._seconds

    def part(self, share: float) -> TimeBudget:
        """A budget of this share of what is left, for one of several parts."""
        left = max(0.0, self._seconds - (self._now() - self._began))
        return TimeBudget(left * share, self._check, self._now)
