"""Scripts that are run in Redis, several with one round trip.

What Redis does for a node is an addition: it is never waited for long, and not asked for a while after a failure.
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


class _Wish(NamedTuple):
    script: str
    keys: tuple[str, ...]
    arguments: tuple[str, ...]
    answer: asyncio.Future[Any]


class RedisScripts:
    """Whatever is wished for meanwhile goes with the next round trip; there is one at a time."""

    def __init__(self, url: str, prefix: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Keys begin with the prefix: installations may share a Redis."""
        self._prefix = prefix
        self._client = redis.asyncio.from_url(
            url,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            # It may have been done before the answer was lost: whoever waits is served otherwise.
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

    async def run(self, script: str, keys: tuple[str, ...], *arguments: float) -> Any:
        """What the script answers. Raises Unavailable, at once while Redis is known to be away."""
        if not self.is_available:
            raise Unavailable("Redis was away a moment ago")
        named = tuple(self._prefix + key for key in keys)
        wish = _Wish(script, named, tuple(map(str, arguments)), asyncio.get_running_loop().create_future())
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
                answers = await self._run(wishes)
            except (RedisError, OSError, TimeoutError) as error:
                self._fail(wishes, error)
            else:
                for wish, answer in zip(wishes, answers, strict=True):
                    if not wish.answer.done():
                        wish.answer.set_result(answer)
        self._asking = None

    async def _run(self, wishes: list[_Wish]) -> list[Any]:
        self.round_trips += 1
        async with self._client.pipeline(transaction=False) as pipeline:
            for wish in wishes:
                pipeline.eval(wish.script, len(wish.keys), *wish.keys, *wish.arguments)
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
