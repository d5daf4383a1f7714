"""Requests of each user: so many a second, some more at once, counted over all nodes as far as they can be.

A node takes tokens for a user from Redis in small lots and spends them without asking. Without Redis, or while it is
away, each node counts for itself; then a user who asks all of them gets as many times as much, and nobody waits.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from handlers.registry import RateLimited
from server.bootstrap import installation_name
from server.limits import TokenBucket
from server.settings import Settings
from storage.database import Database
from storage.errors import Unavailable
from storage.shared_limits import RedisTokens

# A request may wait so long for tokens from Redis; then it is counted here. Their own lot is not lost by that.
PATIENCE_SECONDS = 0.005
# Each node may keep this part of a burst: a round trip serves that many requests, and over many nodes a user gets at
# most that much more from each.
LOT = 1 / 20
# An account is some 400 bytes; the least recently used goes first.
MAX_ACCOUNTS = 20_000


async def open_request_limit(settings: Settings, database: Database) -> RequestLimit:
    """The limit that the settings want; where there is a Redis, all nodes of this installation count together."""
    shared = None
    if settings.redis_url is not None:
        shared = RedisTokens(settings.redis_url, f"studio:{await installation_name(database)}")
    return RequestLimit(settings.request_rate, settings.request_burst, shared)


class Allowance(NamedTuple):
    """What is left of a user's tokens, as far as this node knows."""

    left: int
    rate: float
    burst: int

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers-10 has them: quota and window, tokens left, seconds until all are."""
        window = math.ceil(self.burst / self.rate)
        full_in = math.ceil((self.burst - self.left) / self.rate)
        return {
            "RateLimit-Policy": f'"requests";q={self.burst};w={window}',
            "RateLimit": f'"requests";r={self.left};t={full_in}',
        }


class TooManyRequests(RateLimited):
    """The user has used up what it may ask for; `details.retry_after` says for how many seconds."""

    def __init__(self, allowance: Allowance, wait: float) -> None:
        super().__init__(
            f"You may make {allowance.rate:g} requests a second, {allowance.burst} at once; wait for {wait:.2f} s.",
            details={"retry_after": round(wait, 3), "limit": allowance.rate, "burst": allowance.burst},
        )
        self.allowance = allowance


class _Account:
    """What this node holds for a user: tokens taken from Redis, and a bucket of its own for when Redis is away."""

    __slots__ = ("asking", "bucket", "elsewhere", "held", "none_before")

    def __init__(self, bucket: TokenBucket) -> None:
        self.bucket = bucket
        self.held = 0
        # Left in Redis, as of the last lot.
        self.elsewhere = 0
        # Redis had none to give; it is not asked again before this.
        self.none_before = 0.0
        self.asking: asyncio.Task[None] | None = None


class RequestLimit:
    """Counts requests by user. `shared` is where all nodes take tokens from, None on a node alone."""

    def __init__(
        self, rate: float, burst: int, shared: RedisTokens | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._lot = max(1, int(burst * LOT))
        self._shared = shared
        self._clock = clock
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        # Requests that were refused, and those that were counted here because Redis was away or slow.
        self.refused = 0
        self.counted_here = 0

    async def take(self, user: str, amount: int = 1) -> Allowance:
        """Count so many requests of a user. Raises RateLimited, with `retry_after`, and counts nothing then."""
        amount = min(amount, self._burst)
        account = self._account(user)
        while self._shared is not None and self._shared.is_available:
            if account.held >= amount:
                account.held -= amount
                return self._allowance(account.held + account.elsewhere)
            if (wait := account.none_before - self._clock()) > 0:
                raise self._refusal(wait, account.held)
            if not await self._fetch(user, account, amount):
                break
        return self._take_here(account, amount)

    async def close(self) -> None:
        if self._shared is not None:
            await self._shared.close()

    def _account(self, user: str) -> _Account:
        account = self._accounts.get(user)
        if account is None:
            account = self._accounts[user] = _Account(TokenBucket(self._rate, self._burst, self._clock()))
            if len(self._accounts) > MAX_ACCOUNTS:
                self._accounts.popitem(last=False)
        else:
            self._accounts.move_to_end(user)
        return account

    def _take_here(self, account: _Account, amount: int) -> Allowance:
        now = self._clock()
        self.counted_here += self._shared is not None
        if not account.bucket.try_take(now, amount):
            raise self._refusal(account.bucket.wait(now, amount), 0)
        return self._allowance(int(account.bucket.level(now)))

    async def _fetch(self, user: str, account: _Account, amount: int) -> bool:
        """Have tokens for this many requests, or know that there are none. False if Redis does not say so in time."""
        if account.asking is None:
            account.asking = asyncio.create_task(self._fill(user, account, amount))
        done, _ = await asyncio.wait([account.asking], timeout=PATIENCE_SECONDS)
        return bool(done) and self._shared is not None and self._shared.is_available

    async def _fill(self, user: str, account: _Account, amount: int) -> None:
        assert self._shared is not None
        wanted = max(amount - account.held, self._lot)
        try:
            lot = await self._shared.take(user, wanted, rate=self._rate, burst=self._burst)
        except Unavailable:
            return
        finally:
            account.asking = None
        account.held += lot.taken
        account.elsewhere = lot.left
        if lot.taken < wanted:
            account.none_before = self._clock() + max(1, amount - account.held) / self._rate

    def _allowance(self, left: int) -> Allowance:
        return Allowance(max(0, min(left, self._burst)), self._rate, self._burst)

    def _refusal(self, wait: float, left: int) -> TooManyRequests:
        self.refused += 1
        return TooManyRequests(self._allowance(left), wait)
