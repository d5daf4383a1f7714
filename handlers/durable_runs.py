"""Durable runs: started once however often one says so, executed by one process at a time, and taken over when it dies.

What is to be run is a row of ours, made in the caller's transaction. Processes hand the rows to the engine, which
deals them out, records their steps and recovers them: run_service.py, run_execution.py, run_engine.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.jobs import Job
from handlers.registry import Conflict, InvalidRequest
from handlers.run_service import RunService
from handlers.run_signals import RunSignals
from storage import runs
from storage.bus.channels import Bus
from storage.database import Database
from storage.errors import AlreadyExists
from storage.runs import Run

if TYPE_CHECKING:
    from handlers.parts import Parts

# The bus's channel on which nodes tell each other that a run was started or cancelled.
CHANNEL = "runs"


class DurableRuns:
    """What the slices have of runs. `jobs` are those that there are, by name."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        jobs: Iterable[Job],
        now: Callable[[], datetime],
        *,
        folder: Path,
        takeover_seconds: float = 10.0,
    ) -> None:
        """`folder` is where jobs leave files. A process silent for `takeover_seconds` is taken for dead."""
        self.jobs: Mapping[str, Job] = {job.name: job for job in jobs}
        self.folder = folder
        self.news = asyncio.Event()
        self._database = database
        self._bus = bus
        self._now = now
        self.signals = RunSignals(database, bus, now)
        self.service = RunService(database, bus.node_id, self.news, now, takeover_seconds, self.jobs)

    def job(self, name: str) -> Job:
        """Raises InvalidRequest."""
        job = self.jobs.get(name)
        if job is None:
            raise InvalidRequest(
                f"job: there is no job {name!r}; there are {', '.join(sorted(self.jobs)) or 'none'}.",
                code="unknown_job",
                details={"parameter": "job", "known": sorted(self.jobs)},
            )
        return job

    def checked(self, job: Job, arguments: Mapping[str, Any]) -> Any:
        """The arguments in their full form. Raises InvalidRequest for what the job does not take."""
        known = job.arguments.__struct_encode_fields__
        unknown = sorted(set(arguments) - set(known))
        if unknown:
            raise InvalidRequest(
                f"arguments: the job {job.name!r} takes no {unknown[0]!r}; it takes {', '.join(known) or 'nothing'}.",
                code="bad_arguments",
                details={"parameter": "arguments", "known": list(known)},
            )
        try:
            return msgspec.to_builtins(msgspec.convert(dict(arguments), job.arguments), str_keys=True)
        except msgspec.ValidationError as error:
            raise InvalidRequest(
                f"arguments: {error}.", code="bad_arguments", details={"parameter": "arguments"}
            ) from None

    async def add(
        self,
        connection: AsyncConnection,
        run_id: str,
        job: str,
        arguments: Any,
        *,
        workspace_id: str | None,
        created_by: str,
        schedule_id: int | None = None,
        due_at: datetime | None = None,
        parent_id: str | None = None,
    ) -> tuple[Run, bool]:
        """The run of this id, in the caller's transaction, and whether it is new; call `tell` after the commit.

        Raises Conflict if the id stands for a run of something else.
        """
        try:
            return await runs.add(
                connection,
                run_id,
                job,
                arguments,
                workspace_id=workspace_id,
                created_by=created_by,
                at=self._now(),
                schedule_id=schedule_id,
                due_at=due_at,
                parent_id=parent_id,
            )
        except AlreadyExists:
            raise Conflict(f"The id {run_id!r} stands for another run.", code="run_exists") from None

    def tell(self) -> None:
        """Runs were added or cancelled, and that is committed: whoever executes runs looks at once."""
        self.news.set()
        self._bus.publish(CHANNEL, self._bus.node_id.encode())

    async def start(
        self, run_id: str, job: str, arguments: Any, *, workspace_id: str | None, created_by: str
    ) -> tuple[Run, bool]:
        """`add`, in a transaction of its own."""
        async with self._database.write() as connection:
            run, is_new = await self.add(
                connection, run_id, job, arguments, workspace_id=workspace_id, created_by=created_by
            )
        self.tell()
        return run, is_new

    async def cancel(self, run_id: str) -> bool:
        """Ends the run; whoever executes it stops within a second. Whether it had not ended by itself."""
        async with self._database.write() as connection:
            was_alive = await runs.cancel(connection, run_id, at=self._now())
        self.tell()
        self.signals.tell(run_id)
        return was_alive

    async def run(self, parts: Parts) -> None:
        """The service: runs are executed until it is cancelled, or closed."""
        hints = _Hints(self._bus.node_id.encode(), self.news)
        self._bus.subscribe(CHANNEL, hints)
        leave = self.signals.listen()
        try:
            await self.service.run(parts)
        finally:
            leave()
            self._bus.unsubscribe(CHANNEL, hints)

    async def close(self, seconds: float) -> None:
        """No step is begun here any more; those under way have so long to end. Others go on with what is left."""
        await self.service.close(seconds)


class _Hints:
    """Another node said that there is something to do."""

    def __init__(self, own: bytes, news: asyncio.Event) -> None:
        self._own = own
        self._news = news

    def received(self, message: bytes) -> None:
        if message != self._own:
            self._news.set()

    def resumed(self) -> None:
        self._news.set()
