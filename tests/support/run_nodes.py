"""Processes that execute the tests' own jobs, and whoever waits for what they do."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from http_node import Node, executing
from run_jobs import JOBS
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.access import Role
from handlers.durable_runs import DurableRuns
from storage import members, runs, users, workspaces
from storage.bus.memory_bus import MemoryBus
from storage.database import Database
from storage.runs import Run

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0


class RunProcess:
    """A process of its own that executes runs; see run_jobs.py."""

    def __init__(self, url: str, folder: Path, *, takeover_seconds: float = 10.0) -> None:
        command = [
            sys.executable,
            str(Path(__file__).with_name("run_jobs.py")),
            url,
            str(folder),
            str(takeover_seconds),
        ]
        paths = f"{ROOT}:{ROOT / 'tests' / 'support'}"
        self._log = (folder / "process.log").open("ab")
        self.process = subprocess.Popen(
            command, cwd=folder, env={"PYTHONPATH": paths}, stdout=subprocess.PIPE, stderr=self._log
        )

    def ready(self) -> "RunProcess":
        """Once it looks for runs."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n", Path(self._log.name).read_text()
        return self

    @property
    def name(self) -> str:
        """As a run says where it is executed."""
        return f"process-{self.process.pid}"

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self.process.kill()
        self._end()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self._end()

    def _end(self) -> int:
        code = self.process.wait(timeout=DEADLINE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._log.close()
        return code


@asynccontextmanager
async def asking(url: str, folder: Path) -> AsyncIterator[DurableRuns]:
    """Somebody who starts and cancels runs in the workspace `lab`, and executes none."""
    database = await Database.open(url)
    try:
        async with database.write() as connection:
            await _make_lab(connection)
        yield DurableRuns(database, MemoryBus("asker"), JOBS, lambda: datetime.now(UTC), folder=folder)
    finally:
        await database.close()


@asynccontextmanager
async def working(url: str, folder: Path, **how: Any) -> AsyncIterator[Node]:
    """A node that executes runs in the workspace `lab`."""
    async with executing(url, jobs=JOBS, folder=folder, **how) as node:
        async with node.parts.database.write() as connection:
            await _make_lab(connection)
        yield node


async def _make_lab(connection: AsyncConnection) -> None:
    """In which `ada` may run things."""
    now = datetime.now(UTC)
    await workspaces.ensure(connection, "lab", created_by="admin", at=now)
    await users.ensure(connection, "ada", at=now)
    await members.put(connection, "lab", "ada", Role.EDITOR, added_by="admin", at=now)


async def start(asker: DurableRuns, run_id: str, job: str, **arguments: Any) -> Run:
    run, _ = await asker.start(run_id, job, arguments, workspace_id="lab", created_by="ada")
    return run


async def run_when(
    database: Database, run_id: str, condition: Callable[[Run], bool] = lambda run: run.finished_at is not None
) -> Run:
    """The run once the condition holds for it, unless told otherwise once it has ended."""
    found = None
    try:
        async with asyncio.timeout(DEADLINE):
            while True:
                async with database.read() as connection:
                    found = await runs.get(connection, run_id)
                if found is not None and condition(found):
                    return found
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{run_id} is still {found}") from None


async def until(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    try:
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(what()) from None
