"""Processes killed at random under graphs made by chance: each run ends like one under which nobody died.

WORKFLOW_KILLS says how often, WORKFLOW_SEED which graphs and moments.
"""

import asyncio
import hashlib
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from random_graphs import Drawing
from run_jobs import lines
from run_nodes import RunProcess, asking, run_when, start, until
from workflow_graphs import form, node, publish, work

from handlers.durable_runs import DurableRuns
from handlers.workflow_runs.waiting_nodes import topic_of
from storage import run_signals, workflow_approvals, workflow_runs
from storage.database import Database

KILLS = int(os.environ.get("WORKFLOW_KILLS", "2"))
SEED = int(os.environ.get("WORKFLOW_SEED", str(time.time_ns() % 1_000_000)))
GRAPHS = 3
SILENCE = 1.0
INSIDE = form({"s": node("start"), "w": work(value="${inputs.n}"), "e": node("end", output="nodes.w")}, "s>w", "w>e")


@asynccontextmanager
async def deciding(asker: DurableRuns) -> AsyncIterator[None]:
    """Somebody decides whatever is asked, always alike for the same node."""
    database = asker.service._database

    async def decide() -> None:
        while True:
            async with database.read() as connection:
                asked = await workflow_approvals.list_of(connection, "lab", state="pending", limit=100)
            for one in asked:
                verdict = ("approved", "rejected")[hashlib.sha256(one.place.encode()).digest()[0] % 2]
                async with database.write() as connection:
                    await workflow_approvals.end(connection, one.id, verdict, at=datetime.now(UTC))
                    await run_signals.answer(connection, one.run_id, topic_of(one.place), {"decision": verdict})
            await asyncio.sleep(0.05)

    task = asyncio.create_task(decide())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def picture(database: Database, run_id: str) -> dict[str, Any]:
    """What the run came to, without times and without how often."""
    run = await run_when(database, run_id)
    async with database.read() as connection:
        rows = await workflow_runs.nodes_of(connection, run_id)
    nodes = {row.place: (row.state, row.port, row.output, row.error_code) for row in rows}
    return {"state": run.state, "error": run.error_code, "result": run.result, "nodes": nodes}


async def finished(database: Database, run_ids: list[str]) -> dict[str, set[str]]:
    """The places of each run that are recorded as done."""
    found = {}
    for run_id in run_ids:
        async with database.read() as connection:
            rows = await workflow_runs.nodes_of(connection, run_id)
        found[run_id] = {row.place for row in rows if row.state in ("succeeded", "failed")}
    return found


def begun(folder: Path, run_id: str) -> Counter[str]:
    return Counter(line.split()[1] for line in lines(folder, run_id) if line.startswith("began "))


async def one_kill(
    random: Random, asker: DurableRuns, url: str, folder: Path, processes: list[RunProcess], number: int, inside: int
) -> None:
    database = asker.service._database
    names = [f"{number}x{graph}" for graph in range(GRAPHS)]
    flows = {}
    for name in names:
        flows[name] = await publish(database, Drawing(random, inside).draw(), name)
        await start(asker, f"whole{name}", "workflow.run", workflow_id=flows[name])
    wanted = {name: await picture(database, f"whole{name}") for name in names}
    for name in names:
        await start(asker, f"cut{name}", "workflow.run", workflow_id=flows[name])
    # By what was done and not by the clock, so that a slow machine is killed as far into its work as a fast one.
    total = sum(len(lines(folder, f"whole{name}")) for name in names)
    enough = random.randint(min(1, total), max(1, total - 1))
    await until(lambda: sum(len(lines(folder, f"cut{name}")) for name in names) >= enough, lambda: str((SEED, number)))
    at = random.randrange(len(processes))
    processes[at].kill()
    cut = [f"cut{name}" for name in names]
    done = await finished(database, cut)
    before = {run_id: begun(folder, run_id) for run_id in cut}
    processes[at] = RunProcess(url, folder, takeover_seconds=SILENCE).ready()
    for name in names:
        found = await picture(database, f"cut{name}")
        assert found == wanted[name], (SEED, number, name)
        once, twice = begun(folder, f"whole{name}"), begun(folder, f"cut{name}")
        again = {place: twice[place] - before[f"cut{name}"][place] for place in twice}
        assert not {place for place in done[f"cut{name}"] if again.get(place)}, (SEED, number, name)
        assert all(twice[place] <= 2 * once[place] for place in twice), (SEED, number, name, once, twice)
        keys = Counter(line.rpartition(" ")[2] for line in set(lines(folder, f"cut{name}")) if " as " in line)
        assert set(keys.values()) <= {1}


@pytest.mark.timeout(60 + 60 * KILLS)
def test_runs_end_alike_whoever_dies_under_them(database_url: str, tmp_path: Path) -> None:
    print(f"WORKFLOW_SEED={SEED}")
    random = Random(SEED)
    # A file is opened by one server.
    count = 1 if database_url.startswith("sqlite") else 2
    processes: list[RunProcess] = []

    async def scenario() -> None:
        async with asking(database_url, tmp_path) as asker, deciding(asker):
            inside = await publish(asker.service._database, INSIDE, "inside")
            processes.extend(RunProcess(database_url, tmp_path, takeover_seconds=SILENCE) for _ in range(count))
            for process in processes:
                process.ready()
            for number in range(KILLS):
                await one_kill(random, asker, database_url, tmp_path, processes, number, inside)

    try:
        asyncio.run(scenario())
    finally:
        for process in processes:
            process.kill()
