"""A task that is cancelled within a transaction, at every place where it waits, once and twice."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Collection, Coroutine, Generator
from typing import Any

import pytest

from storage import users
from storage.cancelling import undisturbed
from storage.database import Database
from tests.storage.opened import NOW, with_database

# More than any of the tasks here waits.
MOST_WAITS = 200


class Cancelled:
    """Runs a coroutine, and has its task cancelled while it waits for the nth time, for each n of `moments`."""

    def __init__(self, work: Coroutine[Any, Any, None], moments: Collection[int]) -> None:
        self.waits = 0
        self._work = work
        self._moments = moments

    def __await__(self) -> Generator[Any, None, None]:
        task = asyncio.current_task()
        assert task is not None
        error: BaseException | None = None
        while True:
            try:
                waits_for = self._work.send(None) if error is None else self._work.throw(error)
            except StopIteration:
                return
            error = None
            self.waits += 1
            if self.waits in self._moments:
                task.get_loop().call_soon(task.cancel)
            try:
                yield waits_for
            except BaseException as raised:
                error = raised


async def run(work: Coroutine[Any, Any, None], moments: Collection[int]) -> tuple[int, bool]:
    """How often it waited, and whether it was cancelled; any other error is raised."""
    cancelled = Cancelled(work, moments)

    async def whole() -> None:
        await cancelled

    (error,) = await asyncio.gather(asyncio.ensure_future(whole()), return_exceptions=True)
    if error is not None and not isinstance(error, asyncio.CancelledError):
        raise error
    return cancelled.waits, error is not None


@pytest.mark.parametrize("again", [None, 1, 2])
@pytest.mark.parametrize("kind", ["write", "read"])
def test_a_cancelled_transaction_is_undone_quietly_and_gives_its_connection_back(
    database_url: str, kind: str, again: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def body(database: Database) -> None:
        undone: list[str] = []

        async def work(user: str) -> None:
            undone.append(user)
            async with database.write() if kind == "write" else database.read() as connection:
                if kind == "write":
                    await users.ensure(connection, user, at=NOW)
                await users.count(connection)
            undone.remove(user)

        within = 0
        for first in range(1, MOST_WAITS):
            moments = {first} if again is None else {first, first + again}
            _, cancelled = await run(work(f"user {first}"), moments)
            assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
            if not cancelled:
                break
            within += 1
        assert within >= 4
        async with database.read() as connection:
            stored = {user.id for user in await users.list_all(connection, limit=1000)}
        # One that is cancelled after its commit is stored; before it, nothing is.
        assert len(stored & set(undone)) <= 3
        assert "user 1" not in stored

    before = threading.active_count()
    with caplog.at_level(logging.WARNING):
        with_database(database_url, body)
        gc.collect()
    assert [(record.name, record.getMessage()) for record in caplog.records] == []
    assert threading.active_count() <= before + 1  # the last of them may be about to end


def test_what_is_undisturbed_ends_before_its_caller_is_cancelled() -> None:
    async def body() -> None:
        begun, may_end = asyncio.Event(), asyncio.Event()
        ended: list[str] = []

        async def work() -> None:
            begun.set()
            await may_end.wait()
            ended.append("work")

        async def caller() -> None:
            try:
                await undisturbed(work())
            finally:
                ended.append("caller")

        task = asyncio.ensure_future(caller())
        await begun.wait()
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["work", "caller"]

    asyncio.run(body())


def test_an_error_of_what_is_undisturbed_is_the_callers() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        asyncio.run(undisturbed(work()))
