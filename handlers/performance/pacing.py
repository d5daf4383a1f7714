"""When a source is visited, and how much is asked of it then: pure arithmetic over the clock, no waiting.

Visits are at the same place of each interval, so that steps of a chart have as many samples each. A source that
answers slowly is visited less often, and one that does not answer is left alone for longer each time.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.performance.figures import Level

# A visit takes a tenth of the time at most: what watches a database must not be what it does.
COST_FACTOR = 9.0
# So many failures in a row may be a restart; then the source is left alone for some time.
BREAKS_AFTER = 3
FIRST_REST_SECONDS = 30.0
# For so long a source that is back may still be told as away, and people be called for nothing.
LONGEST_REST_SECONDS = 60.0
# Sources are spread over the first part of an interval, well inside of it, by the golden section.
_GOLDEN = 0.618033988749895
_SPREAD = 0.5
_MARGIN = 0.1
_EARLY = 0.05


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds between two visits of a level; each a multiple of the one before."""

    fast: float
    medium: float
    slow: float

    def of(self, level: Level) -> float:
        return {Level.FAST: self.fast, Level.MEDIUM: self.medium, Level.SLOW: self.slow}[level]


class State(enum.StrEnum):
    """How it goes: not visited yet, as it should, failing, or left alone for a time after several failures."""

    WAITING = "waiting"
    WORKING = "working"
    FAILING = "failing"
    PAUSED = "paused"


def phase_of(source_id: int) -> float:
    """The place of a source in each interval, as a share of it."""
    return _MARGIN + _SPREAD * (source_id * _GOLDEN % 1.0)


class Pace:
    """The times of one source's visits. Times are seconds since 1970.

    `next_at` is when to do something: to visit, or, while the source is left alone, only to say that it is away.
    """

    def __init__(self, intervals: Intervals, source_id: int, at: float, *, failures: int = 0) -> None:
        self._intervals = intervals
        self._phase = phase_of(source_id)
        self._done: dict[Level, int] = {}
        self._visited = False
        self.failures = failures
        self._rests_until = at
        # Somebody waits for the first one.
        self.next_at = at

    @property
    def state(self) -> State:
        if self.failures >= BREAKS_AFTER:
            return State.PAUSED
        if self.failures:
            return State.FAILING
        return State.WORKING if self._visited else State.WAITING

    def is_left_alone(self, at: float) -> bool:
        """Whether it is not to be visited now, as it has failed too often."""
        return self.failures >= BREAKS_AFTER and at < self._rests_until

    def due(self, at: float) -> Sequence[Level]:
        """What is to be asked for, the cheapest first. After a failure only that, which tells if the source is back."""
        if self.failures:
            return (Level.FAST,)
        return [level for level in Level if self._done.get(level) != self._turn(level, at)] or (Level.FAST,)

    def succeeded(self, levels: Sequence[Level], began: float, seconds: float) -> None:
        """A visit that took so long. A slow one puts the next one off by whole intervals."""
        self._visited, self.failures = True, 0
        self._done |= {level: self._turn(level, began) for level in levels}
        self.next_at = self._next(began, began + seconds + COST_FACTOR * seconds)

    def failed(self, began: float, seconds: float) -> None:
        """A visit that came to nothing; what it was for is still due once the source is back."""
        self._visited, self.failures = True, self.failures + 1
        rest = FIRST_REST_SECONDS * 2.0 ** max(0, min(self.failures - BREAKS_AFTER, 10))
        self._rests_until = began + seconds + min(rest, LONGEST_REST_SECONDS)
        self.next_at = self._next(began, began + seconds)

    def left_alone(self, at: float) -> None:
        """Its turn has passed without a visit."""
        self.next_at = self._next(at, at)

    def _turn(self, level: Level, at: float) -> int:
        """The number of the interval that a time lies in; one that is a moment early belongs to what it is for."""
        fast = self._intervals.fast
        return math.floor((at - self._phase * fast + fast * _EARLY) / self._intervals.of(level))

    def _next(self, after: float, not_before: float) -> float:
        fast, offset = self._intervals.fast, self._phase * self._intervals.fast
        turn = max(self._turn(Level.FAST, after) + 1, math.ceil((not_before - offset) / fast))
        return turn * fast + offset
