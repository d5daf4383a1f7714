"""What collecting from PostgreSQL costs both sides, and how its figures agree with those of pgbench.

`python -m benchmarks.collection` measures beside a server of its own: a small database and one of thousands of tables,
indexes and statements; CPU time of this process and of the server's process for our session. `--keep` keeps the table
in benchmarks/METRICS.md, `--seconds` is how long pgbench runs.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import re
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import psutil  # type: ignore[import-untyped]

from benchmarks.backing_services import postgres_program, running_postgres
from benchmarks.metric_report import keep_section
from connectors.performance.figures import Level
from connectors.performance.postgresql.reader import PostgresqlReader
from connectors.performance.postgresql.session import APPLICATION
from connectors.settings import SourceSettings

SETTINGS = ("shared_preload_libraries=pg_stat_statements", "track_io_timing=on")
TABLES, STATEMENTS = 2000, 4500
RATE, STEP = 300, 10
CORE = 1
# Seconds between two of them, unless a source is set otherwise; who waits for whom is asked while it is watched.
INTERVALS = {"fast": 10, "medium": 60, "slow": 300, "statements": 60, "blocking": 1}


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of CPU for each question, on our side and on the server's."""

    name: str
    ours: float
    server: float
    rows: int

    @property
    def row(self) -> str:
        every = INTERVALS[self.name]
        share = (self.ours + self.server) / 10 / every
        return f"| {self.name} | {self.rows:,} | {self.ours:.2f} | {self.server:.2f} | {every} | {share:.4f} % |"


async def cost_of(name: str, backend: Any, ask: Callable[[], Awaitable[int]], times: int) -> Cost:
    for _ in range(3):
        rows = await ask()
    used, server = time.process_time(), sum(backend.cpu_times()[:2])
    for _ in range(times):
        rows = await ask()
    ours = (time.process_time() - used) / times
    return Cost(name, ours * 1e3, (sum(backend.cpu_times()[:2]) - server) / times * 1e3, rows)


async def costs(settings: SourceSettings, superuser: str) -> list[Cost]:
    reader = PostgresqlReader(settings)
    await reader.visit(Level.FAST)
    connection = await asyncpg.connect(superuser)
    pid = await connection.fetchval("SELECT pid FROM pg_stat_activity WHERE application_name = $1", APPLICATION)
    await connection.close()
    backend = psutil.Process(pid)

    def visit(level: Level) -> Callable[[], Awaitable[int]]:
        async def ask() -> int:
            return sum(len(group.figures) for group in (await reader.visit(level)).groups)

        return ask

    async def statements() -> int:
        snapshot = await reader.statements()
        return len(getattr(snapshot, "keys", ()))

    async def blocking() -> int:
        return len((await reader.blocking()).sessions)

    found = [await cost_of(level.value, backend, visit(level), 300 if level is Level.FAST else 60) for level in Level]
    found.append(await cost_of("statements", backend, statements, 40))
    found.append(await cost_of("blocking", backend, blocking, 300))
    await reader.aclose()
    return found


async def fill(superuser: str) -> None:
    """Many tables with two indexes each, and many statements."""
    connection = await asyncpg.connect(superuser)
    for first in range(0, TABLES, 200):
        await connection.execute(
            ";".join(
                f"CREATE TABLE many_{n} (id int PRIMARY KEY, a int); CREATE INDEX ON many_{n} (a)"
                for n in range(first, first + 200)
            )
        )
    for number in range(STATEMENTS):
        columns = ", ".join(f"{number} AS c{place}" for place in range(1 + number % 40))
        await connection.execute(f"SELECT {columns}, 1 AS s{number}")
    await connection.execute("ANALYZE")
    await connection.close()


async def agreement(port: int, settings: SourceSettings, seconds: int) -> str:
    """What pgbench reports of a load that it holds at one rate, beside our figures of each 10 s of it."""
    command = [postgres_program("pgbench"), "--host=127.0.0.1", f"--port={port}", "--username=postgres", "postgres"]
    subprocess.run([*command, "--initialize", "--quiet", "--scale=5"], check=True, capture_output=True)
    reader = PostgresqlReader(settings)
    seen = [await commits(reader)]
    options = ["--no-vacuum", f"--time={seconds}", f"--rate={RATE}", "--client=2", "--protocol=prepared"]
    load = await asyncio.create_subprocess_exec(
        *command, *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    await asyncio.sleep(2.0)
    for _ in range(seconds // STEP):
        seen.append(await commits(reader))
        await asyncio.sleep(STEP)
    output, _ = await load.communicate()
    # Sessions tell what they counted when they end.
    await asyncio.sleep(2.0)
    seen.append(await commits(reader))
    await reader.aclose()
    reported = re.search(r"number of transactions actually processed: (\d+)", output.decode())
    if reported is None:
        raise SystemExit(f"pgbench said: {output.decode()}")
    counted, steps = (
        seen[-1][1] - seen[0][1],
        [(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.pairwise(seen[1:-1])],
    )
    return (
        f"pgbench reported {int(reported[1]):,} transactions at {RATE} a second; our figures {counted:,.0f}"
        f" ({counted / int(reported[1]) - 1:+.2%}, our own questions among them), and in steps of {STEP} s"
        f" {min(steps):,.1f} to {max(steps):,.1f} a second: sessions tell what they counted once a second."
    )


async def commits(reader: PostgresqlReader) -> tuple[float, float]:
    """When, in seconds, and how many there were."""
    visit = await reader.visit(Level.FAST)
    [found] = [
        figure.value
        for group in visit.groups
        for figure in group.figures
        if figure.metric == "postgresql.commits" and ("database", "postgres") in figure.labels
    ]
    return visit.at_ms / 1000, found


def table(name: str, found: list[Cost]) -> str:
    total = sum((cost.ours + cost.server) / 10 / INTERVALS[cost.name] for cost in found if cost.name != "blocking")
    head = "| question | rows | ms CPU ours | ms CPU server's | every s | of a core |\n|---|---|---|---|---|---|"
    rows = "\n".join(cost.row for cost in found)
    return f"**{name}**\n\n{head}\n{rows}\n\nBoth sides together, all but blocking: {total:.3f} % of a core."


def measure(seconds: int) -> str:
    with tempfile.TemporaryDirectory(prefix="studio-collection-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with running_postgres(folder, CORE, SETTINGS) as port:
            superuser = f"postgresql://postgres@127.0.0.1:{port}/postgres"
            asyncio.run(_prepare(superuser))
            settings = SourceSettings(host="127.0.0.1", port=port, database="postgres", user="monitor")
            parts = [table("A small database", asyncio.run(costs(settings, superuser)))]
            asyncio.run(fill(superuser))
            large = f"{TABLES:,} tables, {2 * TABLES:,} indexes, {STATEMENTS:,} statements"
            parts.append(table(large, asyncio.run(costs(settings, superuser))))
            parts.append(asyncio.run(agreement(port, settings, seconds)))
    return "\n\n".join(parts)


async def _prepare(superuser: str) -> None:
    connection = await asyncpg.connect(superuser)
    await connection.execute("CREATE EXTENSION pg_stat_statements; CREATE ROLE monitor LOGIN IN ROLE pg_monitor")
    await connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="seconds of pgbench")
    parser.add_argument("--keep", action="store_true", help="keep the table in benchmarks/METRICS.md")
    options = parser.parse_args()
    text = measure(options.seconds)
    print(text)
    if options.keep:
        keep_section("collection", "Collecting from PostgreSQL", text)


if __name__ == "__main__":
    main()
