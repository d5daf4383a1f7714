"""Wrong credentials that all nodes count together, in Redis: by the place they come from and the name they are in.

A key is a level that leaks, since when, and how often it was too much; one that has leaked away is no key at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from storage.redis_scripts import RedisScripts

# Counts a failure for a name, where there is one, and for a place; for the latter it weighs as much as is enough if the
# name is tried too often. Answers for how many milliseconds the place has to wait. All times are milliseconds of the
# clock of Redis. While a key waits, `since` lies ahead, and nothing is counted of it. Half a failure may leak away.
_COUNT = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local first, longest = tonumber(ARGV[1]), tonumber(ARGV[2])
local function count(key, weight, enough)
  local held = redis.call('HMGET', key, 'level', 'since', 'times')
  local level, since, times = tonumber(held[1] or 0), tonumber(held[2] or now), tonumber(held[3] or 0)
  if since > now then return since - now end
  local leak = enough / longest
  level = math.max(0, level - (now - since) * leak)
  if level == 0 then times = 0 end
  level = level + weight
  local wait = 0
  if level >= enough - 0.5 then
    wait = math.min(first * 2 ^ math.min(times, 60), longest)
    times = times + 1
    level = enough - 0.75
  end
  local full = string.format('%.0f', now + wait)
  redis.call('HSET', key, 'level', tostring(level), 'since', full, 'times', string.format('%.0f', times))
  redis.call('PEXPIRE', key, string.format('%.0f', math.ceil(wait + level / leak)))
  return wait
end
local weight, enough = tonumber(ARGV[3]), tonumber(ARGV[4])
if KEYS[2] and count(KEYS[2], weight, tonumber(ARGV[5])) > 0 then weight = math.max(weight, enough) end
return string.format('%.0f', count(KEYS[1], weight, enough))
"""


class Bounds(NamedTuple):
    """How much is enough of a place and of a name; waits, the first and the longest, are seconds."""

    of_place: int
    of_name: int
    first: float
    longest: float


class RedisFailures(RedisScripts):
    """Counts in Redis."""

    def __init__(self, url: str, prefix: str = "studio", *, clock: Callable[[], float] = time.monotonic) -> None:
        """Keys begin with the prefix: installations may share a Redis."""
        super().__init__(url, f"{prefix}:failed:", clock=clock)

    async def count(self, place: str, name: str | None, weight: float, bounds: Bounds) -> float:
        """Count a failure; the answer is for how many seconds the place has to wait. Raises Unavailable."""
        keys = (f"at:{place}",) if name is None else (f"at:{place}", f"as:{name}")
        first, longest = bounds.first * 1000, bounds.longest * 1000
        answer = await self.run(_COUNT, keys, first, longest, weight, bounds.of_place, bounds.of_name)
        return int(answer) / 1000
