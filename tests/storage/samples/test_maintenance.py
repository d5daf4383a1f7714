"""Sealing, closing and forgetting: what they leave, broken off anywhere, and by one node at a time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, func, select

from storage import leases
from storage.database import Database
from storage.errors import TrimmedTail
from storage.metric_tables import metric_batches, metric_chunks, metric_series, metric_sources
from storage.samples.columns import SeriesKey
from storage.samples.maintenance import LEASE, LEASE_TIME
from storage.samples.policy import Policy
from storage.samples.store import SampleStore
from tests.storage.opened import NOW, with_database
from tests.storage.samples.appender import KEYS as APPENDED
from tests.storage.samples.appender import SOURCE
from tests.storage.samples.measured import (
    CALLS,
    CPU,
    NOW_MS,
    Clock,
    Model,
    assert_as_in_model,
    columns,
    everything,
    store,
)

# In groups of their own.
KEYS = [SeriesKey(f"m{n}", kind="counter" if n % 2 else "gauge") for n in range(17)]
ROOT = Path(__file__).parents[3]


class BrokenOff(Exception):
    """The process ends here."""


@contextlib.contextmanager
def broken_off(database: Database, statement: int) -> Iterator[None]:
    """The statement of this number, from 1 on, is not run, and what was to come after it does not come."""
    count = 0

    def look(*_: Any) -> None:
        nonlocal count
        count += 1
        if count == statement:
            raise BrokenOff

    event.listen(database.engine.sync_engine, "before_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", look)


async def counted(database: Database) -> dict[str, int]:
    async with database.read() as connection:
        return {
            table.name: await connection.scalar(select(func.count()).select_from(table)) or 0
            for table in (metric_batches, metric_chunks, metric_series)
        }


def test_work_that_is_broken_off_anywhere_loses_nothing_and_doubles_nothing(database_url: str) -> None:
    async def body(database: Database) -> None:
        clock = Clock()
        samples = store(database, clock=clock)
        model = Model()

        async def add(*rows: tuple[SeriesKey, int, float]) -> None:
            await samples.append(2, columns(*rows))
            model.add(*rows)

        await add(*((key, at, float(at // 1000)) for key in KEYS for at in range(-60_000, 1, 20_000)))
        clock.forward(hours=7)
        await samples.maintenance("before").work()
        # Late ones, in a window that is closed, and new ones.
        await add((KEYS[1], -30_000, 7.5), (KEYS[16], -70_000, 8.5), (KEYS[0], 7 * 3_600_000, 9.5))
        clock.forward(hours=7)
        statement = 0
        is_done = False
        while not is_done:
            statement += 1
            keeper = samples.maintenance(f"node {statement}")
            with broken_off(database, statement):
                try:
                    await keeper.work()
                    is_done = True
                except BrokenOff:
                    clock.forward(seconds=LEASE_TIME.total_seconds())
            await assert_as_in_model(store(database, clock=clock), 2, model)
        assert statement > 20
        assert (await counted(database))["metric_batches"] == 0

    with_database(database_url, body)


@pytest.mark.parametrize("appends", [10, 25])
def test_a_process_that_is_killed_loses_nothing_that_it_said_was_stored(sqlite_url: str, appends: int) -> None:
    command = [sys.executable, "-m", "tests.storage.samples.appender", sqlite_url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = list(itertools.islice(process.stdout, appends))
        process.kill()
        said += process.stdout.readlines()
    last, seq = map(int, [line for line in said if line.endswith("\n")][-1].split())

    async def body(database: Database) -> None:
        clock = Clock()
        samples = store(database, clock=clock)
        head = (await samples.heads())[SOURCE]
        # One more may have been stored, of which nobody was told.
        assert (last, seq) <= (head, head) <= (last + 1, seq + 1)
        model = Model()
        model.add(*((key, n * 1000, float(n)) for key in APPENDED for n in range(1, head + 1)))
        await assert_as_in_model(samples, SOURCE, model)
        clock.forward(days=2)
        await samples.maintenance("next").work()
        await assert_as_in_model(samples, SOURCE, model)
        assert (await counted(database))["metric_batches"] == 0

    with_database(sqlite_url, body)


def test_who_lost_the_lease_changes_nothing(database_url: str) -> None:
    async def body(database: Database) -> None:
        clock = Clock()
        samples = store(database, clock=clock)
        await samples.append(1, columns((CPU, 0, 1)))
        late, other = samples.maintenance("late"), samples.maintenance("other")
        assert await late.work() == 0
        assert await other.work() == 0
        clock.forward(minutes=6)
        async with database.write() as connection:
            assert await leases.take(connection, LEASE, "other", at=clock.at, until=clock.at + LEASE_TIME)
        # As a process that stood still knows it.
        late._until = clock.at + LEASE_TIME
        before = await counted(database)
        assert await late.work() == 0
        assert await counted(database) == before
        clock.forward(minutes=1)
        assert await other.work() == 1
        assert (await counted(database))["metric_chunks"] == 1
        await other.close()
        assert await late.work() == 0

    with_database(database_url, body)


def test_who_follows_has_ten_minutes_then_batches_go(database_url: str) -> None:
    async def body(database: Database) -> None:
        clock = Clock()
        samples = store(database, clock=clock)
        keeper = samples.maintenance("node")
        await samples.append(1, columns((CPU, 0, 1)))
        clock.forward(minutes=9)
        await samples.append(1, columns((CPU, 1, 2)))
        await keeper.work()
        assert [batch.seq for batch in await samples.batches_after(1, 0)] == [1, 2]
        clock.forward(minutes=2)
        await keeper.work()
        assert [batch.seq for batch in await samples.batches_after(1, 1)] == [2]
        for seq in (-1, 0):
            with pytest.raises(TrimmedTail):
                await samples.batches_after(1, seq)
        clock.forward(minutes=11)
        await keeper.work()
        with pytest.raises(TrimmedTail):
            await samples.batches_after(1, 1)
        assert await samples.batches_after(1, 2) == []
        assert await samples.heads() == {1: 2}
        assert await everything(samples, 1) == {CPU: {0: 1, 1: 2}}

    with_database(database_url, body)


def test_each_tier_is_kept_for_its_age(database_url: str) -> None:
    hour = 3600.0
    policy = Policy(raw_age=12 * hour, minute_age=48 * hour, quarter_age=30 * 24 * hour, six_hour_age=600 * 24 * hour)

    async def body(database: Database) -> None:
        clock = Clock()
        samples = store(database, policy, clock)
        keeper = samples.maintenance("node")
        await samples.append(1, columns(*((CALLS, at * 1000, float(at)) for at in range(-3600, 1, 100))))

        async def left() -> list[int]:
            await keeper.work()
            async with database.read() as connection:
                found = await connection.scalars(select(metric_chunks.c.tier).distinct().order_by(metric_chunks.c.tier))
                return list(found)

        clock.forward(hours=7)
        assert await left() == [0, 1, 2, 3]
        (calls,) = await samples.series(1)
        clock.forward(hours=24)
        assert await left() == [1, 2, 3]
        assert len((await samples.read([calls], 0, 2 * NOW_MS))[calls.id].at_ms) == 0
        found = await samples.read_rollup([calls], 0, 2 * NOW_MS, samples.tiers()[1])
        assert found[calls.id].increase.sum() == 3600
        clock.forward(days=4)
        assert await left() == [2, 3]
        clock.forward(days=60)
        assert await left() == [3]
        clock.forward(days=900)
        assert await left() == []
        assert await counted(database) == {"metric_batches": 0, "metric_chunks": 0, "metric_series": 0}

    with_database(database_url, body)


def test_a_series_that_was_forgotten_is_made_anew_by_who_remembers_it(database_url: str) -> None:
    async def body(database: Database) -> None:
        clock = Clock()
        remembers, forgets = store(database, clock=clock), store(database, clock=clock)
        await remembers.append(1, columns((CPU, 0, 1), (CALLS, 0, 1)))
        keeper = forgets.maintenance("node")
        await keeper.work()
        for _ in range(3):
            clock.forward(days=600)
            await keeper.work()
        assert await remembers.series(1) == []
        at = int((clock.at - NOW) / timedelta(milliseconds=1))
        await remembers.append(1, columns((CPU, at, 2)))
        (cpu,) = await remembers.series(1)
        assert await everything(forgets, 1) == {CPU: {at: 2}}
        assert cpu.id & 0xFF == 2, "numbers are not given twice"
        async with database.read() as connection:
            assert await connection.scalar(select(metric_sources.c.series)) == 3

    with_database(database_url, body)


def test_many_samples_of_few_series_are_closed_piece_by_piece(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As few as make it look at pieces: what it finds is the same."""
    monkeypatch.setattr("storage.samples.closing._WHOLE", 10)
    monkeypatch.setattr("storage.samples.closing.MOST_POINTS", 64)

    async def body(database: Database) -> None:
        clock = Clock()
        samples = store(database, clock=clock)
        keeper = samples.maintenance("node")
        model = Model()
        rng = np.random.default_rng(5)
        for turn in range(40):
            rows = [
                (key, turn * 600_000 + n * 7_000, float(value))
                for key in (CPU, CALLS)
                for n, value in enumerate(rng.integers(0, 50, 20))
            ]
            await samples.append(1, columns(*rows))
            model.add(*rows)
            clock.forward(minutes=10)
            await keeper.work()
        clock.forward(hours=7)
        await keeper.work()
        await assert_as_in_model(samples, 1, model)
        async with database.read() as connection:
            points = list(await connection.scalars(select(metric_chunks.c.points).where(metric_chunks.c.tier == 0)))
        assert sum(points) == 1600
        assert max(points) <= 64

    with_database(sqlite_url, body)


def test_appends_go_on_while_samples_are_sealed(database_url: str) -> None:
    async def body(database: Database) -> None:
        clock = Clock()
        samples: SampleStore = store(database, clock=clock)
        keeper = samples.maintenance("node")
        model = Model()

        async def appending() -> None:
            for n in range(30):
                rows = [(key, n * 1000, float(n)) for key in KEYS]
                await samples.append(1, columns(*rows))
                model.add(*rows)
                clock.forward(seconds=30)

        appended = asyncio.ensure_future(appending())
        while not appended.done():
            await keeper.work()
        await appended
        await assert_as_in_model(samples, 1, model)

    with_database(database_url, body)
