"""What a provider publishes, kept for a while: asked for once by all who wait, and no oftener than is decent."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from server.limits import TokenBucket
from server.openid.failures import SignInFailed

logger = logging.getLogger(__name__)

T = TypeVar("T")

# A key that was withdrawn is believed for this long at most.
FRESH_SECONDS = 3600.0
# A provider that is away for less than this disturbs nobody whose keys are the same.
STALE_SECONDS = 24 * 3600.0
# Keys that are not known make the server look again. Whoever makes them up makes it look so often at most: three
# times at once, then each quarter of a minute.
LOOKS = 3
LOOK_SECONDS = 15.0


class Kept(Generic[T]):
    """The newest that `fetch` got. It raises SignInFailed where it gets nothing."""

    def __init__(self, fetch: Callable[[], Awaitable[T]], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._value: T | None = None
        self._fetched_at = 0.0
        self._looks = TokenBucket(1 / LOOK_SECONDS, LOOKS, clock())
        self._failure: SignInFailed | None = None
        self._fetching = asyncio.Lock()

    async def get(self) -> T:
        """What was got within the hour, or is now. Raises SignInFailed if there is none of today."""
        if (value := self._of_age(FRESH_SECONDS)) is not None:
            return value
        async with self._fetching:
            if (value := self._of_age(FRESH_SECONDS)) is not None:
                return value
            return await self._look() or self._last()

    async def newer(self, than: T) -> T | None:
        """What is there now instead of `than`; None if it was looked for too often, or is not to be had."""
        async with self._fetching:
            if self._value is not than and self._value is not None:
                return self._value
            return await self._look()

    async def _look(self) -> T | None:
        if not self._looks.try_take(self._clock()):
            return None
        try:
            self._value = await self._fetch()
        except SignInFailed as failure:
            self._failure = failure
            logger.warning("the OpenID provider's answer is of no use: %s", failure.detail)
            return None
        self._fetched_at = self._clock()
        return self._value

    def _of_age(self, seconds: float) -> T | None:
        return self._value if self._clock() < self._fetched_at + seconds else None

    def _last(self) -> T:
        if (value := self._of_age(STALE_SECONDS)) is not None:
            return value
        assert self._failure is not None
        raise self._failure
