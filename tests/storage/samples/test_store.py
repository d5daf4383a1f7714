"""Samples come back as they were appended, whoever appended them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from storage.database import Database
from storage.errors import TrimmedTail
from storage.samples import batch_body
from storage.samples.admitting import UNKNOWN, KnownSeries
from storage.samples.columns import Appended, SampleColumns, SeriesKey
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


def test_series_are_known_by_their_names_and_not_by_the_objects_that_bring_them() -> None:
    """Objects that are gone leave their places to others."""
    known = KnownSeries(0, {SeriesKey("m", (("n", str(n)),)): n for n in range(7)})
    for turn in range(2000):
        numbers = [turn % 7, (turn + 3) % 9]
        keys = [SeriesKey("m", (("n", str(n)),)) for n in numbers]
        assert known.find(keys).tolist() == [n if n < 7 else UNKNOWN for n in numbers]
    assert len(known._objects) == len(known._of_objects) < 1100


def test_who_stops_waiting_takes_nobody_along(database_url: str) -> None:
    async def body(database: Database) -> None:
        samples = store(database)
        appends = [asyncio.ensure_future(samples.append(1, columns((CPU, n, n)))) for n in range(20)]
        await asyncio.sleep(0)
        for append in appends[::3]:
            append.cancel()
        results = await asyncio.gather(*appends, return_exceptions=True)
        kept = [result for result in results if isinstance(result, Appended)]
        assert len(kept) == 13
        assert {result.stored for result in kept} == {1}
        found = (await everything(samples, 1))[CPU]
        assert {n for n in range(20) if n % 3} <= set(found)

    with_database(database_url, body)


def test_an_append_that_fails_says_so_to_all_who_shared_it_and_the_next_one_goes_on(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [ZeroDivisionError()]
    encode = batch_body.encode

    def encode_later(*given: Any) -> bytes:
        if failures:
            raise failures.pop()
        return encode(*given)

    monkeypatch.setattr(batch_body, "encode", encode_later)

    async def body(database: Database) -> None:
        samples = store(database)
        appends = [samples.append(1, columns((CPU, n, n))) for n in range(3)]
        results = await asyncio.gather(*appends, return_exceptions=True)
        failed = [n for n, result in enumerate(results) if isinstance(result, ZeroDivisionError)]
        assert failed
        assert await samples.append(1, columns((CPU, 3, 3))) == Appended((await samples.heads())[1], 1)
        assert await everything(samples, 1) == {CPU: {n: n for n in range(4) if n not in failed}}

    with_database(sqlite_url, body)


def test_columns_that_do_not_fit_each_other_are_no_columns() -> None:
    one, two = np.zeros(1, np.int64), np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="lengths"):
        SampleColumns([CPU], one.astype(np.int32), two, one.astype(np.float64))
    for index in (1, -1):
        with pytest.raises(ValueError, match="not among the keys"):
            SampleColumns([CPU], np.array([index], np.int32), one, one.astype(np.float64))
