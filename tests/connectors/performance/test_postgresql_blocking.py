"""Sessions that wait for others, made on purpose, with who they wait for, for what and since when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
from followed_source import settings_of
from postgres_server import PostgresServer

from connectors.performance.figures import Blocking
from connectors.performance.postgresql.reader import PostgresqlReader

SECRET = "Ada's secret"


@asynccontextmanager
async def blocked(server: PostgresServer) -> AsyncIterator[tuple[Any, Any, Any]]:
    """Three connections: the second waits for the first, the third for the second."""
    first, second, third = [await asyncpg.connect(server.url) for _ in range(3)]
    tasks: list[asyncio.Task[Any]] = []
    try:
        await first.execute("CREATE TABLE IF NOT EXISTS accounts AS SELECT 1 AS id, '' AS owner")
        await first.execute("BEGIN")
        await first.execute("UPDATE accounts SET owner = 'x' WHERE id = 1")
        update = f"UPDATE accounts SET owner = '{SECRET.replace(chr(39), chr(39) * 2)}' WHERE id = 1"
        tasks = [asyncio.create_task(second.execute(update))]
        await waiting(server, 1)
        tasks.append(asyncio.create_task(third.execute("BEGIN; LOCK accounts IN EXCLUSIVE MODE")))
        await waiting(server, 2)
        yield first, second, third
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in (first, second, third):
            await connection.close()


async def waiting(server: PostgresServer, count: int) -> None:
    deadline = time.monotonic() + 10
    while await server.execute_soon("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted") != [count]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def seen_by(server: PostgresServer, user: str) -> Blocking:
    reader = PostgresqlReader(settings_of(server, user))
    try:
        return await reader.blocking()
    finally:
        await reader.aclose()


def test_who_waits_for_whom(counted: PostgresServer) -> None:
    async def scenario() -> None:
        async with blocked(counted) as connections:
            first, second, third = (str(one.get_server_pid()) for one in connections)
            found = await seen_by(counted, "monitor")
            sessions = {session.id: session for session in found.sessions}
            assert set(sessions) == {first, second, third}
            assert found.roots == [first]
            assert sessions[second].blocked_by == (first,)
            assert first in sessions[third].blocked_by or second in sessions[third].blocked_by
            assert sessions[first].state == "idle in transaction"
            assert sessions[second].on == "transactionid"
            assert sessions[third].on == "relation public.accounts"
            assert sessions[third].lock == "ExclusiveLock"
            since = sessions[second].waiting_since_ms
            assert since is not None
            assert found.at_ms - 20_000 < since <= found.at_ms
            assert sessions[first].waiting_since_ms is None
            assert "Ada" in str(sessions[second].statement)
            # Without a literal, for those who may not see rows.
            assert sessions[second].normalised == "UPDATE accounts SET owner = ? WHERE id = ?"
            assert list(found.unsupported) == []

    asyncio.run(scenario())


def test_an_account_without_rights_sees_who_but_not_what(counted: PostgresServer) -> None:
    async def scenario() -> None:
        async with blocked(counted) as connections:
            first = str(connections[0].get_server_pid())
            found = await seen_by(counted, "plain")
            assert found.roots == [first]
            assert len(found.sessions) == 3
            assert {session.statement for session in found.sessions} == {None}
            assert [one.what for one in found.unsupported] == ["blocking.statements"]

    asyncio.run(scenario())


@pytest.mark.parametrize("user", ["monitor", "plain"])
def test_nobody_waits(counted: PostgresServer, user: str) -> None:
    found = asyncio.run(seen_by(counted, user))
    assert list(found.sessions) == []
    assert found.roots == []
