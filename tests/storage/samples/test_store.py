"""Samples come back as they were appended, whoever appended them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import numpy as np
import pytest

from storage.database import Database
from storage.errors import TrimmedTail
from storage.samples.columns import Appended, SeriesKey
from storage.samples.policy import Policy
from tests.storage.opened import NOW, with_database
from tests.storage.samples.measured import CALLS, CPU, NOW_MS, Clock, columns, everything, store


def test_samples_come_back_by_series_and_time_and_the_last_one_counts(database_url: str) -> None:
    async def body(database: Database) -> None:
        samples = store(database)
        given = columns((CPU, 0, 1.5), (CALLS, 0, 7), (CPU, -1000, 0.5), (CPU, -1000, 0.25))
        assert await samples.append(3, given) == Appended(1, 4)
        assert await samples.append(3, columns((CPU, 0, 2.5), (CPU, 1000, np.nan))) == Appended(2, 2)
        assert await samples.append(4, columns((CPU, 0, 9))) == Appended(1, 1)
        found = await everything(samples, 3)
        assert found[CALLS] == {0: 7}
        assert list(found[CPU]) == [-1000, 0, 1000]
        assert (found[CPU][-1000], found[CPU][0], np.isnan(found[CPU][1000])) == (0.25, 2.5, True)
        assert await everything(samples, 4) == {CPU: {0: 9}}
        (cpu,) = await samples.series(3, "cpu")
        read = await samples.read([cpu], NOW_MS - 1000, NOW_MS)
        assert read[cpu.id].at_ms.tolist() == [NOW_MS - 1000]
        assert (cpu.first_ms, cpu.source_id, cpu.key) == (NOW_MS - 1000, 3, CPU)

    with_database(database_url, body)


def test_who_follows_the_tail_misses_nothing(database_url: str) -> None:
    async def body(database: Database) -> None:
        here, there = store(database), store(database)
        assert await here.heads() == {}
        appends = [(here if i % 2 else there).append(1, columns((CPU, i, i))) for i in range(40)]
        results = await asyncio.gather(*appends)
        head = (await here.heads())[1]
        assert max(result.seq for result in results) == head <= 40
        assert await here.heads([2]) == {}
        seen: list[float] = []
        batches = await there.batches_after(1, 0, limit=3)
        while batches:
            seen += [value for batch in batches for value in batch.value.tolist()]
            seq = batches[-1].seq
            batches = await there.batches_after(1, seq, limit=3)
        assert seq == head
        assert sorted(seen) == list(range(40))
        (series,) = await here.series(1)
        assert await here.series_with_ids([series.id, series.id + 1]) == [series]
        with pytest.raises(TrimmedTail):
            await here.batches_after(1, -1)

    with_database(database_url, body)


def test_a_source_has_a_limit_of_series_and_says_what_it_refused(database_url: str) -> None:
    async def body(database: Database) -> None:
        samples = store(database, Policy(series_of_source=3))
        keys = [SeriesKey("m", (("n", str(n)),)) for n in range(5)]
        result = await samples.append(1, columns(*((key, 0, 1) for key in keys)))
        assert result == Appended(1, 3, refused_series=2)
        assert await samples.append(1, columns((keys[4], 0, 1))) == Appended(0, 0, refused_series=1)
        assert await samples.append(1, columns((keys[2], 1, 1))) == Appended(2, 1)
        # Another node refuses the same, and other sources have room.
        assert (await store(database, Policy(series_of_source=3)).append(1, columns((keys[3], 0, 1)))).refused_series
        assert await samples.append(2, columns((keys[4], 0, 1))) == Appended(1, 1)

    with_database(database_url, body)


def test_samples_of_times_that_are_not_kept_are_refused(database_url: str) -> None:
    async def body(database: Database) -> None:
        samples = store(database)
        day = 86_400_000
        given = columns((CPU, -9 * day, 1), (CPU, -7 * day, 2), (CPU, 0, 3), (CPU, day, 4))
        assert await samples.append(1, given) == Appended(1, 2, refused_times=2)
        assert await everything(samples, 1) == {CPU: {-7 * day: 2, 0: 3}}
        assert await samples.append(1, columns((CALLS, day, 4))) == Appended(0, 0, refused_times=1)
        assert await samples.heads() == {1: 1}
        later = store(database, clock=Clock(NOW + timedelta(days=1)))
        assert await later.append(1, columns((CPU, day, 4))) == Appended(2, 1)

    with_database(database_url, body)


def test_a_series_is_of_the_kind_it_was_last_said_to_be(database_url: str) -> None:
    async def body(database: Database) -> None:
        samples = store(database)
        await samples.append(1, columns((SeriesKey("m"), 0, 1)))
        counter = SeriesKey("m", kind="counter", unit="s")
        await samples.append(1, columns((counter, 1, 2)))
        assert await everything(samples, 1) == {counter: {0: 1, 1: 2}}

    with_database(database_url, body)


def test_counters_are_rolled_up_without_resets_and_gaps(database_url: str) -> None:
    async def body(database: Database) -> None:
        samples = store(database)
        nan = float("nan")
        values = [10, 20, 25, 5, 6, nan, 100, 130]
        minute_began = -(NOW_MS % 60_000)
        await samples.append(
            1, columns(*((CALLS, minute_began - 15_000 + at * 30_000, v) for at, v in enumerate(values)))
        )
        minute = samples.tiers()[1]
        (calls,) = await samples.series(1)
        rollup = (await samples.read_rollup([calls], NOW_MS - 120_000, NOW_MS + 300_000, minute))[calls.id]
        assert rollup.count.tolist() == [1, 2, 2, 1, 1]
        assert rollup.increase.tolist() == [0, 15, 1, 0, 30]
        assert rollup.observed_ms.tolist() == [0, 60_000, 30_000, 0, 30_000]
        assert (rollup.gaps & 2).tolist() == [0, 0, 0, 0, 0]
        assert (rollup.gaps > 0).tolist() == [False, False, True, True, False]

    with_database(database_url, body)
