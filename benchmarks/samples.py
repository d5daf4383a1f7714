"""Samples stored, read and rolled up: CPU time, bytes and query times, beside VictoriaMetrics where it is installed.

`python -m benchmarks.samples` measures and keeps the tables in benchmarks/METRICS.md; named parts only (`ingest`,
`sizes`, `queries`, `peer`) measure and keep those. `--days 1` is quick, and keeps nothing. A thousand series of a week
take minutes to fill in: `--file` keeps the database they are in, and finds it again. `sample_data.py` says what the
series are. Figures are CPU times of one process, so that others on the machine hardly matter.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from benchmarks.metric_report import keep_section
from benchmarks.sample_data import KINDS, STEP_MS, Kind, times
from benchmarks.sample_peer import measured_peer
from storage.database import Database
from storage.samples.columns import SampleColumns, SeriesKey
from storage.samples.store import SampleStore

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
SEED = 11
# Of each kind, for its size; and of all together, for queries.
SERIES_OF_KIND = 16
SERIES = 1000


@dataclass
class Clock:
    """The time that the store is told."""

    at_ms: int

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.at_ms / 1000, UTC)


@dataclass(frozen=True)
class Opened:
    """A store in a file of its own."""

    database: Database
    store: SampleStore
    clock: Clock

    async def tidy(self) -> None:
        """Everything sealed, closed, and no batch left."""
        self.clock.at_ms += 7 * HOUR_MS
        await self.store.maintenance("benchmark").work()

    async def pages(self) -> tuple[int, int]:
        """Bytes of pages in use, and of the file."""
        async with self.database.read() as connection:
            size, free, count = [
                int(await connection.scalar(text(f"PRAGMA {name}")) or 0)
                for name in ("page_size", "freelist_count", "page_count")
            ]
        return (count - free) * size, count * size


async def in_a_file(start_ms: int, body: Callable[[Opened], Awaitable[None]]) -> None:
    """Runs the body with a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        database = await Database.open(f"sqlite:///{Path(folder) / 'samples.sqlite3'}")
        try:
            await database.migrate()
            clock = Clock(start_ms)
            await body(Opened(database, SampleStore(database, clock), clock))
        finally:
            await database.close()


async def fill(
    opened: Opened, keys: Sequence[SeriesKey], at_ms: NDArray[np.int64], values: NDArray[np.float64], step: int
) -> None:
    """Appends (series, times) values, so many times at once, sealing meanwhile."""
    index = np.arange(len(keys), dtype=np.int32)
    keeper = opened.store.maintenance("benchmark")
    for place in range(0, len(at_ms), step):
        part = at_ms[place : place + step]
        opened.clock.at_ms = int(part[-1])
        count = len(part)
        columns = SampleColumns(
            keys, np.tile(index, count), np.repeat(part, len(keys)), values[:, place : place + count].T.ravel()
        )
        await opened.store.append(1, columns)
        await keeper.work()
    await keeper.close()


async def ingest(senders: int, batches: int) -> float:
    """CPU microseconds a sample, of batches of one sample of each of 1,000 series, durable each."""
    spent = 0.0

    async def body(opened: Opened) -> None:
        nonlocal spent
        keys = [SeriesKey("load", (("host", f"host-{n}"),)) for n in range(SERIES)]
        index = np.arange(SERIES, dtype=np.int32)
        values = np.round(np.random.default_rng(SEED).normal(50, 10, (50, SERIES)), 2)

        async def send(at_ms: int, row: int) -> None:
            columns = SampleColumns(keys, index, np.full(SERIES, at_ms), values[row % 50])
            assert (await opened.store.append(1, columns)).stored == SERIES

        async def sender(first: int) -> None:
            for number in range(first, batches, senders):
                await send(opened.clock.at_ms - 100_000 + number, number)

        await send(opened.clock.at_ms, 0)
        before = time.process_time()
        await asyncio.gather(*(sender(first) for first in range(senders)))
        spent = time.process_time() - before

    await in_a_file(int(time.time() * 1000), body)
    return spent / batches / SERIES * 1e6


async def size_of(kind: Kind, days: int) -> tuple[float, float, float]:
    """Bytes a sample: of samples alone, of all pages in use, and of the file, whose free pages are used again."""
    found = (0.0, 0.0, 0.0)

    async def body(opened: Opened) -> None:
        nonlocal found
        rng = np.random.default_rng(SEED)
        count = days * DAY_MS // STEP_MS
        at_ms = times(rng, opened.clock.at_ms, count)
        values = np.stack([kind.make(rng, count) for _ in range(SERIES_OF_KIND)])
        empty, _ = await opened.pages()
        await fill(opened, kind.keys(SERIES_OF_KIND), at_ms, values, HOUR_MS // STEP_MS)
        await opened.tidy()
        used, file = await opened.pages()
        samples = SERIES_OF_KIND * count
        async with opened.database.read() as connection:
            raw = await connection.scalar(text("SELECT sum(length(body)) FROM metric_chunks WHERE tier = 0"))
        found = float(raw or 0) / samples, (used - empty) / samples, (file - empty) / samples

    await in_a_file(_midnight(), body)
    return found


@dataclass(frozen=True, slots=True)
class Queried:
    """Milliseconds of wall and of CPU time, the best of some rounds."""

    name: str
    wall_ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Queries:
    """What reading takes where there are 1,000 series of all kinds, and what it took to store these."""

    queried: list[Queried]
    cpu_us: float | None
    bytes_a_sample: float


async def queries(days: int, file: Path | None) -> Queries:
    """CPU microseconds a sample are those of appending, sealing, closing and rolling up; None where that was before."""
    with tempfile.TemporaryDirectory() as folder:
        path = file or Path(folder) / "samples.sqlite3"
        is_new = not path.exists()
        database = await Database.open(f"sqlite:///{path}")
        try:
            await database.migrate()
            clock = Clock(_midnight())
            opened = Opened(database, SampleStore(database, clock), clock)
            cost = await _fill_with_all(opened, days) if is_new else None
            every = await opened.store.series(1)
            clock.at_ms = max(one.last_ms for one in every)
            found = await _queried(opened, clock.at_ms, days)
            used, _ = await opened.pages()
            return Queries(found, cost, used / (len(every) * days * DAY_MS // STEP_MS))
        finally:
            await database.close()


async def _fill_with_all(opened: Opened, days: int) -> float:
    rng = np.random.default_rng(SEED)
    count = days * DAY_MS // STEP_MS
    kinds = [kind for kind in KINDS if kind.counts]
    at_ms = times(rng, opened.clock.at_ms, count)
    keys = [key for kind in kinds for key in kind.keys(SERIES // len(kinds))]
    values = np.stack([kind.make(rng, count) for kind in kinds for _ in range(SERIES // len(kinds))])
    before = time.process_time()
    await fill(opened, keys, at_ms, values, HOUR_MS // STEP_MS // 12)
    return (time.process_time() - before) / values.size * 1e6


async def _queried(opened: Opened, end_ms: int, days: int) -> list[Queried]:
    store = opened.store
    tiers = store.tiers()
    every = await store.series(1)
    one = every[:1]
    week, day, hour = end_ms - days * DAY_MS, end_ms - DAY_MS, end_ms - HOUR_MS
    questions: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("one series, an hour, samples", lambda: store.read(one, hour, end_ms)),
        ("one series, a day, samples", lambda: store.read(one, day, end_ms)),
        (f"one series, {days} days, samples", lambda: store.read(one, week, end_ms)),
        (f"one series, {days} days, minutes", lambda: store.read_rollup(one, week, end_ms, tiers[1])),
        (f"one series, {days} days, quarters of an hour", lambda: store.read_rollup(one, week, end_ms, tiers[2])),
        ("1,000 series, an hour, samples", lambda: store.read(every, hour, end_ms)),
        ("1,000 series, a day, minutes", lambda: store.read_rollup(every, day, end_ms, tiers[1])),
        (f"1,000 series, {days} days, quarters of an hour", lambda: store.read_rollup(every, week, end_ms, tiers[2])),
    ]
    return [await _best(name, ask) for name, ask in questions]


async def _best(name: str, ask: Callable[[], Awaitable[object]], rounds: int = 5) -> Queried:
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        await ask()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return Queried(name, min(walls) * 1000, min(cpus) * 1000)


def _midnight() -> int:
    """A day's beginning, a week ago."""
    return int(time.time() * 1000) // DAY_MS * DAY_MS - 7 * DAY_MS


async def ingest_part(_: argparse.Namespace) -> list[str]:
    """The table of appending."""
    lines = ["| batches of 1,000 samples, appended | CPU µs a sample |", "|---|---|"]
    lines += [f"| {senders} at once | {await ingest(senders, 320):.2f} |" for senders in (1, 4, 16)]
    return lines


async def sizes_part(options: argparse.Namespace) -> list[str]:
    """The table of sizes."""
    lines = [
        f"{SERIES_OF_KIND} series of each kind, each 10 s for {options.days} days. Pages hold all tiers and indexes.",
        "",
    ]
    lines += ["| kind of series | bytes a sample, samples alone | all pages in use | file |", "|---|---|---|---|"]
    for kind in KINDS:
        alone, used, file = await size_of(kind, options.days)
        lines.append(f"| {kind.name} | {alone:.2f} | {used:.2f} | {file:.2f} |")
    return lines


async def queries_part(options: argparse.Namespace) -> list[str]:
    """The table of queries."""
    found = await queries(options.days, options.file)
    lines = [f"1,000 series of the first ten kinds, each 10 s for {options.days} days."]
    if found.cpu_us is not None:
        lines[0] += f" Appended, sealed, closed and rolled up for {found.cpu_us:.2f} µs of CPU a sample."
    lines[0] += f" {found.bytes_a_sample:.2f} bytes a sample with all tiers and indexes."
    lines += ["", "| read | wall, ms | CPU, ms |", "|---|---|---|"]
    return lines + [f"| {one.name} | {one.wall_ms:.1f} | {one.cpu_ms:.1f} |" for one in found.queried]


async def peer_part(options: argparse.Namespace) -> list[str]:
    """The same samples in VictoriaMetrics."""
    if options.binaries is None:
        return ["Not measured: `--binaries` names a folder that Debian's package is unpacked in (`dpkg -x`)."]
    return await asyncio.to_thread(measured_peer, options.days, options.binaries)


PARTS = {
    "ingest": ("Samples: appending", ingest_part),
    "sizes": ("Samples: sizes", sizes_part),
    "queries": ("Samples: reading", queries_part),
    "peer": ("Samples: beside VictoriaMetrics", peer_part),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--binaries", type=Path)
    options = parser.parse_args()
    for name in options.parts or PARTS:
        title, part = PARTS[name]
        section = "\n".join(asyncio.run(part(options)))
        print(section, flush=True)
        if options.days == 7:
            keep_section(f"samples-{name}", title, section)


if __name__ == "__main__":
    main()
