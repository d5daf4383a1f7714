"""Tokens in a real Redis: never more than rate and burst, however many nodes take them, and quick when it is away."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
import redis.asyncio
from redis_server import RedisServer

from storage.errors import Unavailable
from storage.redis_scripts import ANSWER_SECONDS, PAUSE_SECONDS
from storage.shared_limits import RedisTokens

RATE, BURST = 50.0, 20


def play(url: str, scenario: Callable[[RedisTokens, RedisTokens], Awaitable[None]]) -> None:
    async def run() -> None:
        one, other = RedisTokens(url, "here"), RedisTokens(url, "here")
        try:
            async with asyncio.timeout(60):
                await scenario(one, other)
        finally:
            await one.close()
            await other.close()

    asyncio.run(run())


async def take(tokens: RedisTokens, wanted: int, key: str = "ada") -> tuple[int, int]:
    return await tokens.take(key, wanted, rate=RATE, burst=BURST)


def test_nodes_take_from_one_bucket(redis_url: str) -> None:
    async def scenario(one: RedisTokens, other: RedisTokens) -> None:
        assert await one.take("ada", 15, rate=0.001, burst=20) == (15, 5)
        assert await other.take("ada", 15, rate=0.001, burst=20) == (5, 0)
        assert await one.take("ada", 1, rate=0.001, burst=20) == (0, 0)
        assert await one.take("bob", 1, rate=0.001, burst=20) == (1, 19)

    play(redis_url, scenario)


def test_no_pattern_gets_more_than_rate_and_burst(redis_url: str) -> None:
    async def scenario(one: RedisTokens, other: RedisTokens) -> None:
        began_at, taken = time.monotonic(), 0
        # Until more have flowed in than could at once; should they not, the deadline is the test's.
        while taken < BURST + RATE * 0.5:
            lots = await asyncio.gather(*(take(tokens, 3) for tokens in (one, other, one, other)))
            taken += sum(lot[0] for lot in lots)
            assert taken <= BURST + RATE * (time.monotonic() - began_at) + 1

    play(redis_url, scenario)


def test_a_bucket_that_is_full_again_is_no_key(redis_url: str) -> None:
    async def scenario(one: RedisTokens, _: RedisTokens) -> None:
        client = redis.asyncio.from_url(redis_url)
        await one.take("ada", 1, rate=0.02, burst=5)
        left = await client.pttl("here:rate:ada")
        await client.aclose()
        assert 0 < left <= 50_001

    play(redis_url, scenario)


def test_installations_on_one_redis_count_apart(redis_url: str) -> None:
    async def scenario(one: RedisTokens, _: RedisTokens) -> None:
        elsewhere = RedisTokens(redis_url, "there")
        assert await one.take("ada", 9, rate=0.001, burst=9) == (9, 0)
        assert await elsewhere.take("ada", 9, rate=0.001, burst=9) == (9, 0)
        await elsewhere.close()

    play(redis_url, scenario)


def test_wishes_of_one_moment_share_a_round_trip(redis_url: str) -> None:
    async def scenario(one: RedisTokens, _: RedisTokens) -> None:
        await take(one, 1, "first")
        lots = await asyncio.gather(*(take(one, 1, f"user {number}") for number in range(200)))
        assert lots == [(1, BURST - 1)] * 200
        assert one.round_trips <= 4

    play(redis_url, scenario)


def test_a_redis_that_is_gone_costs_one_attempt_a_second() -> None:
    async def scenario(one: RedisTokens, _: RedisTokens) -> None:
        for _attempt in range(50):
            with pytest.raises(Unavailable):
                await take(one, 1)
        assert (one.round_trips, one.failures) == (1, 1)
        assert not one.is_available

    play("redis://127.0.0.1:1/0", scenario)


def test_a_redis_that_hangs_is_given_up_soon_and_found_again() -> None:
    with RedisServer() as server:

        async def scenario(one: RedisTokens, _: RedisTokens) -> None:
            assert (await take(one, 1))[0] == 1
            server.pause()
            began_at = time.monotonic()
            lots = await asyncio.gather(*(take(one, 1) for _ in range(20)), return_exceptions=True)
            assert all(isinstance(lot, Unavailable) for lot in lots)
            assert time.monotonic() - began_at < ANSWER_SECONDS + 2
            server.resume()
            while not one.is_available:  # noqa: ASYNC110 - only time tells
                await asyncio.sleep(PAUSE_SECONDS / 20)
            assert (await take(one, 1))[0] == 1

        play(f"{server.url}/0", scenario)
