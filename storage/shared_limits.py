"""A rate that all nodes count together: tokens in Redis, taken from there in lots.

Each key has a bucket into which tokens flow at a rate, up to a burst. What Redis keeps of it is one time: when the
bucket will be full again (the generic cell rate algorithm); a bucket that nobody takes from is no key at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from storage.redis_scripts import RedisScripts

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


class RedisTokens(RedisScripts):
    """Buckets in Redis."""

    def __init__(self, url: str, prefix: str = "studio", *, clock: Callable[[], float] = time.monotonic) -> None:
        """Keys begin with the prefix: installations may share a Redis."""
        super().__init__(url, f"{prefix}:rate:", clock=clock)

    async def take(self, key: str, wanted: int, *, rate: float, burst: int) -> Lot:
        """Up to so many tokens of the key's bucket. Raises Unavailable, at once while Redis is known to be away."""
        each = 1e6 / rate
        return Lot(*await self.run(_TAKE, (key,), each, burst * each, wanted))
