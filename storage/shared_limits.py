"""A rate that all nodes count together: tokens in Redis, taken from there in lots.

Each key has a bucket into which tokens flow at a rate, up to a burst. What Redis keeps of it is one time: when the
bucket will be full again (the generic cell rate algorithm); a bucket that nobody takes from is no key at all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from storage.errors import Unavailable

# Redis answers in less than a millisecond; what takes this long is lost, or its machine hangs.
ANSWER_SECONDS = 0.25
# After a failure it is not asked for so long.
PAUSE_SECONDS = 1.0

# Takes as many whole tokens as there are, up to the number wanted; answers how many, and how many are left. All times
# are microseconds of Redis's own clock, which is the same for all nodes.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local each, full, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local there = math.floor((full - (full_at - now)) / each)
local taken = math.max(0, math.min(there, wanted))
if taken > 0 then
  full_at = full_at + taken * each
  redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
end
return {taken, math.max(0, there - taken)}
"""


class Lot(NamedTuple):
    """How many tokens were taken, and how many are left for everybody."""

    taken: int
    left: int


class _Wish(NamedTuple):
    key: str
    microseconds: float
    burst: int
    wanted: int
    answer: asyncio.Future[Lot]


class RedisTokens:
    """Buckets in Redis. Whatever is wished for meanwhile goes with the next round trip; there is one at a time."""

    def __init__(self, url: str, prefix: str = "studio", *, clock: Callable[[], float] = time.monotonic) -> None:
        """Keys begin with the prefix: installations may share a Redis."""
        self._prefix = f"{prefix}:rate:"
        self._client = redis.asyncio.from_url(
            url,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            # Tokens may have been taken before the answer was lost: whoever waits is served otherwise.
            retry=Retry(NoBackoff(), 0),
        )
        self._clock = clock
        self._wishes: list[_Wish] = []
        self._asking: asyncio.Task[None] | None = None
        self._ask_again_at = 0.0
        # Round trips, and those that failed.
        self.round_trips = 0
        self.failures = 0

    @property
    def is_available(self) -> bool:
        """Whether it is worth asking: not within a second after a failure."""
        return self._clock() >= self._ask_again_at

    async def take(self, key: str, wanted: int, *, rate: float, burst: int) -> Lot:
        """Up to so many tokens of the key's bucket. Raises Unavailable, at once while Redis is known to be away."""
        if not self.is_available:
            raise Unavailable("Redis was away a moment ago")
        wish = _Wish(self._prefix + key, 1e6 / rate, burst, wanted, asyncio.get_running_loop().create_future())
        self._wishes.append(wish)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return await wish.answer

    async def close(self) -> None:
        if self._asking is not None:
            await asyncio.wait([self._asking])
        await self._client.aclose()

    async def _ask(self) -> None:
        while self._wishes:
            wishes, self._wishes = self._wishes, []
            try:
                lots = await self._take(wishes)
            except (RedisError, OSError, TimeoutError) as error:
                self._fail(wishes, error)
            else:
                for wish, lot in zip(wishes, lots, strict=True):
                    if not wish.answer.done():
                        wish.answer.set_result(Lot(*lot))
        self._asking = None

    async def _take(self, wishes: list[_Wish]) -> list[Any]:
        self.round_trips += 1
        async with self._client.pipeline(transaction=False) as pipeline:
            for wish in wishes:
                full = wish.burst * wish.microseconds
                pipeline.eval(_TAKE, 1, wish.key, str(wish.microseconds), str(full), str(wish.wanted))
            return await pipeline.execute()

    def _fail(self, wishes: list[_Wish], error: Exception) -> None:
        self.failures += 1
        self._ask_again_at = self._clock() + PAUSE_SECONDS
        wishes, self._wishes = [*wishes, *self._wishes], []
        for wish in wishes:
            if not wish.answer.done():
                wish.answer.set_exception(Unavailable(f"Redis is away: {error}"))
                # Whoever waited may have been served otherwise by now.
                wish.answer.exception()
