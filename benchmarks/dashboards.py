"""How long the dashboards take over a large workspace, on SQLite and on PostgreSQL without statistics.

`python -m benchmarks.dashboards` fills a database of each kind with 20,000 datasets and 50,000 edges, then asks for
each dashboard a few times, and prints the first time and the median. Tables that were just loaded are the hardest case:
until PostgreSQL has counted their rows, it plans as if there were few.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.backing_services import running_services
from benchmarks.dashboard_data import WORKSPACE, fill
from handlers.dispatch import execute
from handlers.registry import Context, Operation, OperationError, Principal
from server.app import Studio, running
from server.bootstrap import prepare_first_use, signing_secret
from server.http import utc_now
from server.settings import Settings
from storage.database import Database

# What is to be reached, in seconds.
MOST_SECONDS = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=20_000)
    parser.add_argument("--edges", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    options = parser.parse_args()
    slow = 0
    for kind in options.database or ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory(prefix="studio-dashboards-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            folder.chmod(0o755)
            services = running_services(folder, 1, database=True) if kind == "postgresql" else nullcontext()
            with services as found:
                url = None if found is None else found.database_url
                slow += asyncio.run(_measure(kind, folder, url, options))
    return 1 if slow else 0


async def _measure(kind: str, folder: Path, url: str | None, options: argparse.Namespace) -> int:
    """Prints a line for each dashboard; how many were too slow."""
    slow = 0
    async with _node(folder, url) as studio:
        began = time.perf_counter()
        await fill(studio.parts.database, options.datasets, options.edges)
        print(f"{kind}: {options.datasets} datasets and {options.edges} edges in {time.perf_counter() - began:.0f} s")
        for operation in studio.gateway.operations.values():
            if operation.name.startswith("dashboard."):
                slow += await _time(studio, operation, options.rounds)
    return slow


@asynccontextmanager
async def _node(folder: Path, url: str | None) -> AsyncIterator[Studio]:
    data = folder / "data"
    data.mkdir(exist_ok=True)
    settings = Settings(data=data) if url is None else Settings(data=data, database_url=url)
    database = await Database.open(settings.database_url)
    try:
        await database.migrate()
        await prepare_first_use(database, utc_now())
        async with running(settings, database, await signing_secret(database, None)) as studio:
            yield studio
    finally:
        await database.close()


async def _time(studio: Studio, operation: Operation, rounds: int) -> bool:
    context = Context(Principal("admin", True, "cli"), studio.parts, "benchmark", lambda: datetime.now(UTC))
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        try:
            await execute(operation, context, {"workspace_id": WORKSPACE})
        except OperationError as error:
            print(f"  {operation.name:24} {error.code} after {time.perf_counter() - began:.2f} s")
            return True
        seconds.append(time.perf_counter() - began)
    print(f"  {operation.name:24} first {seconds[0]:6.3f} s   median {statistics.median(seconds):6.3f} s")
    return statistics.median(seconds) > MOST_SECONDS


if __name__ == "__main__":
    raise SystemExit(main())
