"""Requests in numbers: how many of each operation ended how, and how long they took."""

from __future__ import annotations

from collections import Counter

from handlers.histogram import Histogram

# An operation each: few enough that all of them together stay a small page.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class RequestCounts:
    """Requests that came one way, over HTTP or over sockets. Whoever adds sees to it that names are few."""

    def __init__(self) -> None:
        self.running = 0
        # By operation, method and status.
        self.ended: Counter[tuple[str, str, int]] = Counter()
        self.durations: dict[str, Histogram] = {}

    def add(self, operation: str, method: str, status: int, seconds: float) -> None:
        """A request has ended."""
        self.ended[operation, method, status] += 1
        durations = self.durations.get(operation)
        if durations is None:
            durations = self.durations[operation] = Histogram(SECONDS)
        durations.observe(seconds)
