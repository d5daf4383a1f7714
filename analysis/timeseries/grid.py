"""The times that an answer is told for: whole steps since 1970 in UTC, so that all who ask share them.

UTC has no daylight saving time: a day is 86,400 s, and steps of a day begin at midnight in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Steps in ms that are chosen among: 1 s to 30 s, minutes, hours, a day.
LADDER_MS = tuple(1000 * s for s in (1, 5, 10, 15, 30, 60, 300, 900, 1800, 3600, 21_600, 86_400))
# As many as Prometheus gives.
MOST_POINTS = 11_000


@dataclass(frozen=True, slots=True)
class Grid:
    """`count` stretches of `step_ms`, the first from `start_ms` on, which is a multiple of the step."""

    start_ms: int
    step_ms: int
    count: int

    @property
    def end_ms(self) -> int:
        """Where the last stretch ends."""
        return self.start_ms + self.step_ms * self.count

    @property
    def times(self) -> NDArray[np.int64]:
        """Where each stretch begins."""
        return np.arange(self.start_ms, self.end_ms, self.step_ms, dtype=np.int64)

    def shifted(self, ms: int) -> Grid:
        """As many stretches, earlier or later by a multiple of the step."""
        return Grid(self.start_ms + ms, self.step_ms, self.count)

    def since(self, ms: int) -> Grid:
        """The stretches from the one that holds this time on."""
        first = max(0, (ms - self.start_ms) // self.step_ms)
        return Grid(self.start_ms + first * self.step_ms, self.step_ms, max(0, self.count - first))


def aligned(start_ms: int, end_ms: int, step_ms: int) -> Grid:
    """The stretches that hold the times from `start_ms` on and before `end_ms`, whole ones at both ends."""
    first = start_ms // step_ms
    return Grid(first * step_ms, step_ms, max(0, -(-end_ms // step_ms) - first))


def choose_step(span_ms: int, max_points: int) -> int:
    """The shortest step of the ladder that makes at most so many points of a span; beyond a day, whole days."""
    for step in LADDER_MS:
        if span_ms <= step * max_points:
            return step
    day = LADDER_MS[-1]
    return day * -(-span_ms // (day * max_points))
