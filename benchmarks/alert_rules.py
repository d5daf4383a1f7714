"""Ten thousand alert rules over ten thousand series: what an evaluation costs, alone and with the database.

`python -m benchmarks.alert_rules` measures, and keeps its section in benchmarks/METRICS.md; `--quick` measures a tenth
of it and keeps nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import insert

from analysis.alerting.engine import Engine
from analysis.alerting.rules import Rule
from analysis.alerting.specs import Function, Matcher, Operator, Query, RateOfChange, RuleSpec, Selector, Threshold
from benchmarks.metric_report import keep_section
from handlers.access import Access
from handlers.alert_rules.evaluating import Evaluator
from handlers.alert_rules.reading import DOMAIN
from handlers.live_feeds import LiveFeeds
from handlers.parts import Parts
from storage import alerts, data_sources, workspaces
from storage.alert_tables import alert_rules
from storage.bus.memory_bus import MemoryBus
from storage.database import Database
from storage.samples.columns import SampleColumns, SeriesKey
from storage.samples.store import SampleStore

SEED = 11
START = datetime(2026, 3, 1, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
STEP_MS = 20_000
ROUNDS = 12
# Until windows of five minutes are full.
WARM = 15
FIRING = 100


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rules; keeps nothing")
    quick = parser.parse_args().quick
    rules = 1_000 if quick else 10_000
    lines = [*_head(rules), *_alone(rules), "", *asyncio.run(_stored(rules))]
    print("\n".join(lines))
    if not quick:
        keep_section("alert-rules", "Evaluating alert rules", "\n".join(lines))
    return 0


def _head(rules: int) -> list[str]:
    return [
        f"{rules:,} rules, each about one of {rules:,} series of its own, which give a sample each; all judged. CPU "
        f"of one process (Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} shared cores), "
        "the median and the worst of all rounds. `python -m benchmarks.alert_rules` makes it.",
        "",
    ]


def queries() -> dict[str, Callable[[int], Query]]:
    """Rules of some kinds, of one series each."""

    def over(
        function: Function, threshold: float | None = 90.0, condition: str | None = None
    ) -> Callable[[int], Query]:
        def query(number: int) -> Query:
            selector = Selector(metric="cpu", function=function, labels=_only(number), window_seconds=300)
            op: Operator | None = None if threshold is None else ">"
            return Threshold(selector=selector, op=op, threshold=threshold, condition=condition)

        return query

    return {
        "newest value, `cpu > 90`": over("last"),
        "newest value, in CEL": over("last", threshold=None, condition="value > 90.0 && labels.number != ''"),
        "`avg` of 5 min": over("avg"),
        "`rate` of 5 min": over("rate", threshold=1e6),
        "`p95` of 5 min": over("p95"),
        "change within 5 min": lambda number: RateOfChange(
            metric="cpu", labels=_only(number), change="absolute", op=">", threshold=90.0
        ),
    }


def _only(number: int) -> tuple[Matcher, ...]:
    return (Matcher(label="number", value=str(number)),)


def values_of(rng: np.random.Generator, count: int, step: int) -> np.ndarray:
    """Mostly well; some are bad for a few rounds."""
    values = rng.normal(50, 10, count)
    values[: FIRING if step % 6 >= 3 else 0] = 99
    return values


def _alone(count: int) -> list[str]:
    lines = ["| rules alone: kind | µs a rule | an evaluation, ms | worst, ms |", "|---|---:|---:|---:|"]
    for name, query in queries().items():
        spent = _evaluated(count, query)
        usual, worst = statistics.median(spent), max(spent)
        lines.append(f"| {name} | {usual / count * 1e6:.1f} | {usual * 1e3:.0f} | {worst * 1e3:.0f} |")
    return lines


def _evaluated(count: int, query: Callable[[int], Query]) -> list[float]:
    engine = Engine()
    for number in range(count):
        # A source of its own each: label matchers are compared when series are added, not when rules are evaluated.
        engine.add(Rule(number + 1, "Rule", "high", RuleSpec(query=query(number))), number)
    for number in range(count):
        engine.add_series(number, number + 1, "cpu", (("number", str(number)),))
    ids, rng, spent = np.arange(1, count + 1), np.random.default_rng(SEED), []
    for step in range(WARM + ROUNDS):
        at = START_MS + step * STEP_MS
        began = time.process_time()
        engine.take(ids, np.full(count, at), values_of(rng, count, step))
        engine.advance(at)
        if step >= WARM:
            spent.append(time.process_time() - began)
    return spent


# With the database: samples are read, alerts, events, cursors and the lease are written.


async def _stored(count: int) -> list[str]:
    lines = [
        "| as the service does it, SQLite | CPU, ms |",
        "|---|---:|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        database = await Database.open(f"sqlite:///{Path(folder) / 'studio.sqlite3'}")
        try:
            await database.migrate()
            bench = _Bench(database, count)
            await bench.prepare()
            lines += [f"| {name} | {seconds * 1e3:.0f} |" for name, seconds in (await bench.run()).items()]
        finally:
            await database.close()
    return lines


class _Bench:
    def __init__(self, database: Database, count: int) -> None:
        self._database, self._count = database, count
        self._clock = START
        self._rng = np.random.default_rng(SEED)
        self._keys = [SeriesKey("cpu", (("number", str(number)),)) for number in range(count)]
        self._samples = SampleStore(database, self._now)
        self._source = 0

    def _now(self) -> datetime:
        return self._clock

    async def prepare(self) -> None:
        async with self._database.write() as connection:
            await workspaces.create(connection, "lab", created_by="ada", at=START)
            source = await data_sources.create(
                connection,
                workspace_id="lab",
                name="shop",
                kind="sqlite",
                description=None,
                settings={},
                owner="ada",
                at=START,
            )
            self._source = source.id
            rows = [self._row(number) for number in range(self._count)]
            await connection.execute(insert(alert_rules), rows)

    def _row(self, number: int) -> dict[str, Any]:
        spec = RuleSpec(query=queries()["newest value, `cpu > 90`"](number))
        written = {"created_by": "ada", "created_at": START, "updated_by": "ada", "updated_at": START}
        said = {"name": f"Rule {number}", "source_id": self._source, "severity": "high", "labels": "{}"}
        stored = {"spec": msgspec.json.encode(spec).decode(), "enabled": True, "version": 1, "domain": DOMAIN}
        return written | said | stored | {"workspace_id": "lab"}

    async def run(self) -> dict[str, float]:
        bus = MemoryBus("node")
        feeds = LiveFeeds(self._database, bus, Access(self._database), self._now)
        parts = _parts(self._database, bus, feeds, self._samples)
        evaluator = Evaluator(parts, self._now)
        spent: dict[str, list[float]] = {}
        firing = 0
        for step in range(ROUNDS):
            self._clock = START + timedelta(milliseconds=STEP_MS * (step + 1))
            await self._push(step)
            began = time.process_time()
            await evaluator.turn()
            seconds = time.process_time() - began
            async with self._database.read() as connection:
                now_firing = len(await alerts.open_of(connection))
            if step == 0:
                name = f"the first evaluation after a start, with all {self._count:,} rules loaded"
            elif now_firing != firing:
                name = f"an evaluation in which {FIRING} alerts fire or are resolved"
            else:
                name = "an evaluation in which no alert changes"
            firing = now_firing
            spent.setdefault(name, []).append(seconds)
        return {name: statistics.median(seconds) for name, seconds in spent.items()}

    async def _push(self, step: int) -> None:
        at = np.full(self._count, START_MS + STEP_MS * (step + 1), dtype=np.int64)
        index = np.arange(self._count, dtype=np.int32)
        values = values_of(self._rng, self._count, step)
        await self._samples.append(self._source, SampleColumns(self._keys, index, at, values))


def _parts(database: Database, bus: MemoryBus, feeds: LiveFeeds, samples: SampleStore) -> Parts:
    """What an evaluator asks for; it does without the rest."""
    nothing: Any = None
    return Parts(database, nothing, nothing, nothing, nothing, bus, feeds, nothing, nothing, nothing, samples=samples)


if __name__ == "__main__":
    raise SystemExit(main())
