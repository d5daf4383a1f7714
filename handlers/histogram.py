"""How long things took, counted in ranges: cheap enough for what happens thousands of times a second."""

from __future__ import annotations

import contextlib
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence

# Upper bounds in seconds. A key typed alone goes out within the first, a commit takes some of the middle.
LATENCIES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Histogram:
    """`counts[i]` values were at most `bounds[i]` and above the bound before it; the last count has no bound."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = LATENCIES) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Observes how long the block took in seconds, if it raises nothing."""
        started = time.monotonic()
        yield
        self.observe(time.monotonic() - started)

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)
