"""How often wrong credentials came from a place, or in a name, and for how long whoever goes on has to wait.

Pure counting; the clock is passed in. `storage.shared_failures` counts the same in Redis.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

# A place or a name is some 300 bytes; the one that was quiet for the longest is forgotten first.
MOST_KEYS = 20_000


class Patience(NamedTuple):
    """So many failures are borne within `longest` seconds; then the wait is `first` seconds, doubled each time."""

    failures: int
    first: float
    longest: float

    @property
    def leak(self) -> float:
        """Failures that are forgotten in a second."""
        return self.failures / self.longest

    def wait(self, times: int) -> float:
        """Seconds to wait after it has been too much so many times before."""
        return min(self.first * 2.0 ** min(times, 60), self.longest)


@dataclass(slots=True)
class _Count:
    """What is not forgotten at the time `since`, which lies ahead while somebody has to wait."""

    level: float
    since: float
    times: int


class FailureCounts:
    """Counts by key. While a key waits nothing is counted of it, and nothing forgotten."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, key: str, weight: float, now: float) -> float:
        """Count a failure of this weight; the answer is for how many seconds the key has to wait (0.0 = it has not).

        What is more than enough, `Patience.failures`, makes it wait. It is then let try again, and once only: whoever
        goes on waits for twice as long. Whoever is quiet for `longest` has begun anew.
        """
        patience = self._patience
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = _Count(0.0, now, 0)
            if len(self._counts) > MOST_KEYS:
                self._counts.popitem(last=False)
        else:
            self._counts.move_to_end(key)
        if count.since > now:
            return count.since - now
        count.level = max(0.0, count.level - (now - count.since) * patience.leak)
        if not count.level:
            count.times = 0
        count.level += weight
        count.since = now
        # Half a one may have leaked away meanwhile.
        if count.level < patience.failures - 0.5:
            return 0.0
        wait = patience.wait(count.times)
        count.times += 1
        count.level = patience.failures - 0.75
        count.since = now + wait
        return wait
