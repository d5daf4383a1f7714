"""How many requests a user may make: alone, over several nodes, while Redis hangs, over HTTP and over a socket."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hand_transport import HandTransport
from node_in_process import Node, running_node
from redis_server import RedisServer

from crdt.lib0 import read_varuint, write_varuint
from server.hocuspocus import HocuspocusDialect
from server.request_limit import LOT, MAX_ACCOUNTS, RequestLimit, TooManyRequests
from server.studio_frames import ERROR, HELLO, REQUEST, RESULT, STUDIO_PREFIX
from storage.shared_limits import RedisTokens

# Slow enough that no token flows in while a test runs.
NEVER = 0.001


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def passed(limit: RequestLimit, user: str, attempts: int) -> int:
    """How many of so many requests in a row are not refused."""
    count = 0
    for _ in range(attempts):
        try:
            await limit.take(user)
            count += 1
        except TooManyRequests:
            continue
    return count


def test_a_node_alone_counts_for_itself() -> None:
    async def scenario() -> None:
        clock = Clock()
        limit = RequestLimit(10, 5, clock=clock)
        assert await passed(limit, "ada", 8) == 5
        assert await passed(limit, "bob", 1) == 1
        with pytest.raises(TooManyRequests) as caught:
            await limit.take("ada")
        assert caught.value.details == {"retry_after": 0.1, "limit": 10, "burst": 5}
        clock.now = 0.1
        assert await passed(limit, "ada", 2) == 1
        assert limit.refused == 5

    asyncio.run(scenario())


def test_a_batch_counts_for_what_it_holds_and_never_more_than_can_be_had() -> None:
    async def scenario() -> None:
        limit = RequestLimit(10, 5, clock=Clock())
        await limit.take("ada", 4)
        with pytest.raises(TooManyRequests):
            await limit.take("ada", 2)
        await limit.take("ada", 1)
        await limit.take("bob", 100)

    asyncio.run(scenario())


def test_users_who_left_are_forgotten() -> None:
    async def scenario() -> None:
        limit = RequestLimit(10, 5, clock=Clock())
        for number in range(MAX_ACCOUNTS + 10):
            await limit.take(f"user {number}")
        assert len(limit._accounts) == MAX_ACCOUNTS

    asyncio.run(scenario())


@asynccontextmanager
async def nodes(url: str, count: int, rate: float, burst: int) -> AsyncIterator[list[RequestLimit]]:
    limits = [RequestLimit(rate, burst, RedisTokens(url)) for _ in range(count)]
    try:
        async with asyncio.timeout(60):
            yield limits
    finally:
        for limit in limits:
            await limit.close()


def test_o6_nodes_count_together_and_seldom_ask(redis_url: str) -> None:
    async def scenario() -> None:
        async with nodes(redis_url, 3, NEVER, 400) as limits:
            counts = await asyncio.gather(*(passed(limit, "ada", 400) for limit in limits))
            # While the connection to Redis is made, or the machine is busy, a node counts some for itself.
            here = sum(limit.counted_here for limit in limits)
            assert 400 <= sum(counts) <= 400 + here
            assert here < 100
            assert all(count > 0 for count in counts)
            trips = sum(limit._shared.round_trips for limit in limits if limit._shared is not None)
            assert trips <= 1 / LOT + 2 * len(limits)

    asyncio.run(scenario())


def test_all_at_once_get_no_more_and_no_less(redis_url: str) -> None:
    async def scenario() -> None:
        async with nodes(redis_url, 2, NEVER, 100) as limits:
            attempts = [limit.take("ada") for limit in limits for _ in range(100)]
            answers = await asyncio.gather(*attempts, return_exceptions=True)
            refused = [answer for answer in answers if isinstance(answer, TooManyRequests)]
            # Those who had no patience were counted by their node instead: on a busy machine a few may be.
            here = sum(limit.counted_here for limit in limits)
            assert 100 <= len(answers) - len(refused) <= 100 + here
            assert len(refused) >= 100 - here

    asyncio.run(scenario())


def test_tokens_flow_in_on_all_nodes_together(redis_url: str) -> None:
    async def scenario() -> None:
        async with nodes(redis_url, 2, 200, 10) as limits:
            began_at, count = time.monotonic(), 0
            # Should no tokens flow in, the deadline is the test's.
            while count < 100:
                for limit in limits:
                    count += await passed(limit, "ada", 1)
                await asyncio.sleep(0.001)
                here = sum(limit.counted_here for limit in limits)
                assert count <= 10 + 200 * (time.monotonic() - began_at) + 1 + here

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["pause", "kill"])
def test_a_redis_that_is_away_costs_nobody_much(how: str) -> None:
    async def scenario(server: RedisServer) -> None:
        async with nodes(f"{server.url}/0", 1, NEVER, 40) as (limit,):
            await limit.take("ada")
            before = limit.counted_here
            getattr(server, how)()
            slowest = 0.0
            for number in range(60):
                began_at = time.monotonic()
                assert await passed(limit, f"user {number}", 1) == 1
                slowest = max(slowest, time.monotonic() - began_at)
            # The patience is 5 ms; the rest is for machines with other things to do.
            assert slowest < 0.2
            assert limit.counted_here == before + 60
            assert await passed(limit, "bob", 50) == 40

    with RedisServer() as server:
        asyncio.run(scenario(server))


# Over the transports


def client(node: Node, user: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {node.token(user)}"}
    transport = httpx.ASGITransport(app=node.studio.app)
    return httpx.AsyncClient(transport=transport, base_url="http://studio", headers=headers)


def test_o6_http_says_what_is_left_and_refuses_what_is_too_much(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_node(tmp_path, request_rate=1, request_burst=5) as node:
            await node.enlist("ada")
            await node.enlist("bob")
            async with client(node, "ada") as ada, client(node, "bob") as bob:
                first = await ada.get("/me")
                assert first.headers["RateLimit-Policy"] == '"requests";q=5;w=5'
                assert first.headers["RateLimit"] == '"requests";r=4;t=1'
                assert [(await ada.get("/me")).status_code for _ in range(4)] == [200] * 4
                refused = await ada.get("/me")
                assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
                assert refused.headers["Retry-After"] == "1"
                assert refused.headers["RateLimit"] == '"requests";r=0;t=5'
                assert (await bob.get("/me")).status_code == 200

    asyncio.run(scenario())


def test_o6_a_batch_is_no_way_around(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_node(tmp_path, request_rate=1, request_burst=10) as node:
            await node.enlist("ada")
            calls = [{"id": number, "operation": "users.me"} for number in range(6)]
            async with client(node, "ada") as ada:
                assert (await ada.post("/batch", json=calls)).status_code == 200
                assert (await ada.post("/batch", json=calls)).status_code == 429

    asyncio.run(scenario())


def ask(dialect: HocuspocusDialect, number: int) -> None:
    body = msgspec.msgpack.encode({"id": number, "operation": "users.me", "parameters": {}})
    dialect.receive(STUDIO_PREFIX + write_varuint(REQUEST) + body)


def answers_in(line: HandTransport) -> list[tuple[int, Any]]:
    frames = [data for data in line.sent if data.startswith(STUDIO_PREFIX)]
    found = []
    for frame in frames:
        kind, at = read_varuint(frame, len(STUDIO_PREFIX))
        found.append((kind, msgspec.msgpack.decode(frame[at:])))
    return [(kind, body) for kind, body in found if kind in (RESULT, ERROR)]


def test_o6_a_socket_and_http_count_together(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_node(tmp_path, request_rate=1, request_burst=5) as node:
            await node.enlist("ada")
            line = HandTransport()
            dialect = HocuspocusDialect(node.studio.gateway, line)
            hello = msgspec.msgpack.encode({"token": node.token("ada")})
            dialect.receive(STUDIO_PREFIX + write_varuint(HELLO) + hello)
            await node.studio.gateway.idle()
            async with client(node, "ada") as ada:
                assert [(await ada.get("/me")).status_code for _ in range(3)] == [200] * 3
            for number in range(4):
                ask(dialect, number)
            await node.studio.gateway.idle()
            kinds = [kind for kind, _ in answers_in(line)]
            assert sorted(kinds) == [RESULT, RESULT, ERROR, ERROR]
            refused = next(body for kind, body in answers_in(line) if kind == ERROR)
            assert (refused["code"], refused["details"]["burst"]) == ("rate_limited", 5)
            assert not line.closing

    asyncio.run(scenario())
