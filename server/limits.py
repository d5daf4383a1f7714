"""How much one connection and one user may take. Pure counting: the clock is passed in, nothing here awaits."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from handlers.registry import RateLimited

# Whoever is told to wait for longer gives up, or comes back earlier all the same.
LONGEST_TURN_SECONDS = 20.0


class TokenBucket:
    """`rate` tokens a second flow in, up to `burst`. Times are seconds of any clock that never goes back."""

    __slots__ = ("_burst", "_level", "_rate", "_seen")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._seen = now

    def take(self, now: float, amount: float = 1.0) -> float:
        """Take in any case; the answer is how many seconds to wait before taking again (0.0 = go on).

        For messages that must not be lost: the reader pauses, and the sender's own buffer fills instead of ours.
        """
        self._refill(now)
        self._level -= amount
        return 0.0 if self._level >= 0 else -self._level / self._rate

    def try_take(self, now: float, amount: float = 1.0) -> bool:
        """Take only what is there. For requests, which may be refused."""
        self._refill(now)
        if self._level < amount:
            return False
        self._level -= amount
        return True

    def wait(self, now: float, amount: float = 1.0) -> float:
        """Seconds until `try_take` of this amount would succeed: what a refusal tells as Retry-After."""
        self._refill(now)
        return max(0.0, (amount - self._level) / self._rate)

    def level(self, now: float) -> float:
        """What is there to be taken."""
        self._refill(now)
        return self._level

    def _refill(self, now: float) -> None:
        if now > self._seen:
            self._level = min(self._burst, self._level + (now - self._seen) * self._rate)
            self._seen = now


class ArrivalLimit:
    """How many newcomers a second are let in; those beyond are told when to come again.

    They are told so as if they stood in a queue, so that a crowd comes back as a stream, and each with a part left to
    chance, so that those who were told the same do not come at the same moment.
    """

    def __init__(self, rate: float, burst: float, now: float, rand: Callable[[], float] = random.random) -> None:
        self._arrivals = TokenBucket(rate, burst, now)
        self._queue = TokenBucket(rate, 1, now)
        self._rand = rand
        self.turned_away = 0

    def admit(self, now: float) -> int | None:
        """None lets one in; otherwise the whole seconds after which to come again."""
        if self._arrivals.try_take(now):
            return None
        self.turned_away += 1
        turn = self._queue.wait(now)
        if turn < LONGEST_TURN_SECONDS:
            self._queue.take(now)
        return 1 + int(turn * (0.5 + self._rand()))


class ConnectionLimit:
    """Counts the open connections of each user on this node."""

    def __init__(self, per_user: int) -> None:
        self._per_user = per_user
        self._open: Counter[str] = Counter()

    def open_of(self, user_id: str) -> int:
        return self._open[user_id]

    def acquire(self, user_id: str) -> None:
        """Count one more, or raise RateLimited and count nothing."""
        if self._open[user_id] >= self._per_user:
            raise RateLimited(
                f"{user_id} has {self._per_user} open connections here already, which is the limit; close one.",
                code="too_many_connections",
                details={"limit": self._per_user},
            )
        self._open[user_id] += 1

    def release(self, user_id: str) -> None:
        """Forget one; users without connections take no memory."""
        if self._open[user_id] > 1:
            self._open[user_id] -= 1
        else:
            del self._open[user_id]

    @contextmanager
    def holding(self, user_id: str) -> Iterator[None]:
        self.acquire(user_id)
        try:
            yield
        finally:
            self.release(user_id)
