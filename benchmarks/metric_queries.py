"""How much CPU questions about measurements take, over samples in an SQLite database.

`python -m benchmarks.metric_queries` stores a week of one metric each 10 s and of 1,000 series each minute, seals them,
and asks each question once for the first time and then warm. Times are of this process's CPU, threads included, from
the question to the encoded answer; only who may ask is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from analysis.timeseries.rows import longest_hold
from benchmarks.metric_report import keep_section
from handlers.performance.measuring import Read, read_all, read_on, told
from handlers.performance.planning import plan_of
from handlers.performance.points import points_between
from handlers.performance.questions import GetMetrics
from handlers.performance.reading import StoredReader
from storage.database import Database
from storage.samples.columns import SampleColumns, SeriesKey
from storage.samples.store import SampleStore

SEED = 20_260
# A full minute in the past: nothing of what is stored is in the future.
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
NOW_MS = round(NOW.timestamp() * 1000)
SOURCE = 1
_ABOUT = """CPU of the process in ms, threads included, from the question to the encoded answer (`python -m
benchmarks.metric_queries --series {series} --interval {interval} --keep`): one metric each 10 s, and {series} gauges
and {series} counters each {interval} s, for a week, sealed, in SQLite. Warm is the median of {rounds}. Of a new point
the first column is what each watcher is sent.

"""
WEEK_MS = 7 * 86_400_000


@dataclass(frozen=True)
class Question:
    """`most` is what the answer may take warm, in ms of CPU."""

    name: str
    parameters: dict[str, Any]
    most: float | None = None


QUESTIONS = (
    Question("1 metric, 7 days at 10 s, 1,008 points", {"metrics": ["one"], "time_range": "7d", "step": "10m"}, 30.0),
    Question("1 metric, 7 days, steps chosen", {"metrics": ["one"], "time_range": "7d"}, 30.0),
    Question("1 metric, 24 h of samples, steps of 10 s", {"metrics": ["one"], "time_range": "24h", "step": "10s"}),
    Question("1,000 series summed, 7 days", {"metrics": ["many"], "time_range": "7d", "aggregate": "sum"}, 1000.0),
    Question(
        "1,000 series summed, 7 days, 1,008 points, from minutes",
        {"metrics": ["many"], "time_range": "7d", "aggregate": "sum", "step": "10m"},
    ),
    Question("1,000 rates by group, 24 h", {"metrics": ["total"], "time_range": "24h", "group_by": ["group"]}),
    Question("100 series apart, 24 h, 1,440 points", {"metrics": ["many"], "time_range": "24h", "step": "1m"}),
    Question("1 metric with its band, 24 h", {"metrics": ["one"], "time_range": "24h", "band": True}),
    Question(
        "100 series, 7 days, drawn with 300 points",
        {"metrics": ['many{group="g1"}'], "time_range": "7d", "max_points": 300, "downsample": "lttb"},
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--interval", type=int, default=60, help="seconds between samples of the many series")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--keep", action="store_true", help="write the table into METRICS.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="studio-metrics-", ignore_cleanup_errors=True) as name:
        return asyncio.run(_measure(Path(name), options))


async def _measure(folder: Path, options: argparse.Namespace) -> int:
    slow = 0
    database = await Database.open(f"sqlite:///{folder / 'studio.sqlite3'}")
    try:
        await database.migrate()
        store = SampleStore(database, lambda: NOW)
        await _fill(store, options)
        rows = ["| question | lines x points | first, ms | warm, ms |", "|---|---|---|---|"]
        for question in QUESTIONS:
            row, is_slow = await _time(store, question, options.rounds)
            slow += is_slow
            rows.append(row)
        rows += await _time_following(store, options)
        print("\n".join(rows))
        if options.keep:
            keep_section("queries", "Questions about measurements", _ABOUT.format(**vars(options)) + "\n".join(rows))
    finally:
        await database.close()
    return 1 if slow else 0


async def _fill(store: SampleStore, options: argparse.Namespace) -> None:
    print("seed", SEED)
    rng, began = np.random.default_rng(SEED), time.process_time()
    count = await _store(store, [SeriesKey("one", (), unit="%")], 10, lambda n: rng.normal(50, 5, n).round(2))
    many = [SeriesKey("many", (("group", f"g{i % 10}"), ("host", f"h{i}"))) for i in range(options.series)]
    count += await _store(store, many, options.interval, lambda n: rng.normal(50, 5, n).round(2))
    total = [SeriesKey("total", key.labels, "counter") for key in many]
    grown = np.zeros(options.series)

    def counted(n: int) -> NDArray[np.float64]:
        made = grown + rng.poisson(20, (n // options.series, options.series)).cumsum(axis=0)
        grown[:] = made[-1]
        return np.asarray(made.ravel(), float)

    count += await _store(store, total, options.interval, counted)
    maintenance = store.maintenance("benchmark")
    while await maintenance.work():
        pass
    await maintenance.close()
    print(f"{count:,} samples stored and sealed in {time.process_time() - began:.0f} s of CPU", flush=True)


async def _store(
    store: SampleStore, keys: list[SeriesKey], interval: int, values: Callable[[int], NDArray[np.float64]]
) -> int:
    """A week of samples of these series, in portions; how many they were."""
    stored, times = 0, np.arange(NOW_MS - WEEK_MS, NOW_MS, interval * 1000, dtype=np.int64)
    for some in np.array_split(times, max(1, len(times) * len(keys) // 500_000)):
        size = len(some) * len(keys)
        index = np.tile(np.arange(len(keys), dtype=np.int32), len(some))
        columns = SampleColumns(keys, index, np.repeat(some, len(keys)), values(size))
        stored += (await store.append(SOURCE, columns)).stored
    return stored


async def _ask(store: SampleStore, request: GetMetrics) -> tuple[Read, Any]:
    reader = StoredReader(store)
    read = await read_all(reader, request, plan_of(request, reader, NOW))
    return read, await told(reader, request, read, NOW)


async def _time(store: SampleStore, question: Question, rounds: int) -> tuple[str, bool]:
    """A row, and whether it took too long."""
    request = GetMetrics(data_source_id=SOURCE, **question.parameters)
    took, answer = [], b""
    for _ in range(rounds + 1):
        began = time.process_time()
        answer = msgspec.json.encode((await _ask(store, request))[1])
        took.append(1000 * (time.process_time() - began))
    warm, plain = statistics.median(took[1:]), msgspec.json.decode(answer)
    points = f"{len(plain['series'])} x {len(plain['times'])}"
    row = f"| {question.name} | {points} | {took[0]:.1f} | {warm:.1f} |"
    print(row, flush=True)
    return row, question.most is not None and warm > question.most


async def _time_following(store: SampleStore, options: argparse.Namespace) -> list[str]:
    """What a new point costs of an answer that is watched."""
    reader, rows = StoredReader(store), []
    for name, metric, aggregate in (("1 series", "one", None), (f"{options.series} series summed", "many", "sum")):
        request = GetMetrics(data_source_id=SOURCE, metrics=[metric], time_range="1h", aggregate=aggregate)
        read, answer = await _ask(store, request)
        before, keys = msgspec.to_builtins(answer), [each.key for each in read.series]
        took, size, at = [], 0, NOW
        for _ in range(options.rounds):
            at += timedelta(seconds=10)
            stamp = round(at.timestamp() * 1000) - 1000
            index = np.arange(len(keys), dtype=np.int32)
            columns = SampleColumns(keys, index, np.full(len(keys), stamp, np.int64), np.full(len(keys), 50.0))
            await store.append(SOURCE, columns)
            began = time.process_time()
            plan = plan_of(request, reader, at)
            read = await read_on(reader, request, read, plan, stamp - longest_hold(plan.grid.step_ms))
            after = msgspec.to_builtins(await told(reader, request, read, at))
            points = points_between(before, after)
            took.append(1000 * (time.process_time() - began))
            before, size = after, len(msgspec.msgpack.encode(points))
        rows.append(
            f"| a new point of {name}, watched for 1 h | {size} bytes | {took[0]:.1f} | {statistics.median(took):.1f} |"
        )
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
