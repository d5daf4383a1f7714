"""Redis counts as a node does, and forgets what has leaked away."""

import asyncio
import random

import redis.asyncio

from server.failure_counts import FailureCounts, Patience
from storage.shared_failures import Bounds, RedisFailures

BOUNDS = Bounds(of_place=4, of_name=9, first=30.0, longest=900.0)
# Between two calls some milliseconds pass.
SLACK_SECONDS = 5.0


def test_it_counts_as_a_node_does(redis_url: str) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    rand = random.Random(seed)
    places, names = FailureCounts(Patience(4, 30.0, 900.0)), FailureCounts(Patience(9, 30.0, 900.0))

    async def scenario() -> None:
        shared = RedisFailures(redis_url)
        for _ in range(300):
            place, name = f"192.0.2.{rand.randrange(40)}", rand.choice(["ada", "bob", None])
            weight = rand.choice([1.0, 1.0, 0.02])
            at_once = name is not None and names.add(name, weight, 0.0) > 0
            expected = places.add(place, 4 if at_once else weight, 0.0)
            assert abs(await shared.count(place, name, weight, BOUNDS) - expected) < SLACK_SECONDS
        await shared.close()

    asyncio.run(scenario())


def test_what_has_leaked_away_is_no_key(redis_url: str) -> None:
    async def scenario() -> None:
        shared, client = RedisFailures(redis_url, "here"), redis.asyncio.from_url(redis_url)
        assert await shared.count("192.0.2.7", "ada", 1.0, BOUNDS) == 0.0
        assert 200_000 < await client.pttl("here:failed:at:192.0.2.7") <= 225_001
        assert 90_000 < await client.pttl("here:failed:as:ada") <= 100_001
        for _ in range(3):
            wait = await shared.count("192.0.2.7", None, 1.0, BOUNDS)
        assert wait == 30.0
        # It waits, and then it takes as long as is looked back for until all is forgotten.
        assert await client.pttl("here:failed:at:192.0.2.7") <= (30 + 900) * 1000
        await client.aclose()
        await shared.close()

    asyncio.run(scenario())
