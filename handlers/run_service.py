"""What executes durable runs in a process: the engine's life, what is handed to it, and what is kept of it.

The engine is started with the first run that there is to execute: an installation that runs nothing pays one small
query each few seconds for it, and not the half second and the threads of the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from handlers.changes import Changed
from handlers.jobs import Job, StepFailed
from handlers.run_execution import Execution, failed
from handlers.run_takeover import Takeover
from storage import durable_place, executors, runs
from storage.database import Database
from storage.errors import StorageError
from storage.runs import Progress

if TYPE_CHECKING:
    from handlers.parts import Parts
    from handlers.run_engine import Engine

logger = logging.getLogger(__name__)

T = TypeVar("T")
Call = Callable[..., Awaitable[Any]]

# Without a hint: how soon a started run is noticed, and a cancelled one by whoever executes it.
LOOK_SECONDS = 1.0
# Without the engine: nothing runs here that somebody could cancel.
IDLE_LOOK_SECONDS = 5.0
BUSY_LOOK_SECONDS = 0.25
AT_ONCE = 200
# The server waits for the engine on these: while it starts, is handed runs, takes over.
CALL_THREADS = 2
# What the engine itself needs to stop, once the steps have ended.
STOP_SECONDS = 5.0
# Runs and their steps are kept so long; longer than anybody looks for why something failed.
KEPT = timedelta(days=30)
TRIM_SECONDS = 600.0


class _Running:
    """The engine of this process, while it has one."""

    def __init__(self, engine: Engine, execution: Execution, watching: asyncio.Task[None]) -> None:
        self.engine = engine
        self.execution = execution
        self.watching = watching


class RunService:
    """Executes runs in `run`, from the first on, until `close`."""

    def __init__(
        self,
        database: Database,
        executor_id: str,
        news: asyncio.Event,
        now: Callable[[], datetime],
        takeover_seconds: float,
        jobs: Mapping[str, Job],
    ) -> None:
        """`news` is set when there may be something to do."""
        self._jobs = jobs
        self._database = database
        self._executor_id = executor_id
        self._news = news
        self._now = now
        self._takeover_seconds = takeover_seconds
        self._running: _Running | None = None
        self._changing = asyncio.Lock()
        self._closes = False
        self._calls: ThreadPoolExecutor | None = None
        self._trim_at = 0.0
        self._said_taken = False

    @property
    def is_executing(self) -> bool:
        """Whether this process has the engine."""
        return self._running is not None

    async def run(self, parts: Parts) -> None:
        leave = parts.changes.listen(self._hear)
        try:
            await self._look_for_ever(parts)
        finally:
            leave()

    def _hear(self, changed: Changed) -> None:
        # Most words of runs are about those that run: whoever executes them knows already.
        if self._running is None and changed.topic in (None, "runs"):
            self._news.set()

    async def _look_for_ever(self, parts: Parts) -> None:
        while not self._closes:
            self._news.clear()
            try:
                if self._running is not None or await self._started(parts):
                    await self._look()
            except StorageError as error:
                logger.warning("runs cannot be looked for, trying again: %s", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._news.wait()

    def _pause(self) -> float:
        if self._running is None:
            return IDLE_LOOK_SECONDS
        return BUSY_LOOK_SECONDS if self._running.execution.active else LOOK_SECONDS

    async def close(self, seconds: float) -> None:
        self._closes = True
        self._news.set()
        async with self._changing:
            running, self._running = self._running, None
            if running is None:
                return
            try:
                await running.execution.stop(seconds)
                async with asyncio.timeout(STOP_SECONDS):
                    await self._call(running.engine.stop)
                    running.watching.cancel()
                    async with self._database.write() as connection:
                        await executors.leave(connection, self._executor_id)
            except (TimeoutError, StorageError) as error:
                logger.warning("runs are not handed over in order: %s", str(error) or "no answer in time")
            finally:
                running.watching.cancel()
                await asyncio.wait((running.watching,))
        if self._calls is not None:
            self._calls.shutdown(wait=False)

    async def _call(self, function: Callable[..., T], *args: Any) -> T:
        """The engine's answer, from a thread of its own: the server's other threads are for others."""
        assert self._calls is not None
        return await asyncio.get_running_loop().run_in_executor(self._calls, functools.partial(function, *args))

    # The engine's life

    async def _started(self, parts: Parts) -> bool:
        """Starts the engine if there is something to execute. Whether it runs."""
        async with self._database.read() as connection:
            if not await runs.any_unfinished(connection):
                return False
        async with self._changing:
            if not self._closes:
                await self._start(parts)
        return self._running is not None

    async def _start(self, parts: Parts) -> None:
        if self._calls is None:
            self._calls = ThreadPoolExecutor(CALL_THREADS, thread_name_prefix="durable-calls")
        # Loading it takes half a second, which most processes of tests and tools never need.
        module = await self._call(importlib.import_module, "handlers.run_engine")
        url = await self._call(durable_place.prepare, self._database)
        engine: Engine = module.Engine(self._executor_id)
        execution = Execution(engine, parts, self._now)
        # Before anything can be claimed: what a process has begun that nobody knows of is never taken over.
        async with self._database.write() as connection:
            await executors.beat(connection, self._executor_id)
        try:
            await self._call(engine.start, url, execution.execute)
        except module.EngineTakenError:
            await self._do_without()
            return
        takeover = Takeover(self._database, engine, self._call, silence=self._takeover_seconds)
        watching = asyncio.create_task(takeover.run(), name="takeover of runs")
        self._running = _Running(engine, execution, watching)
        await self._find_lost(engine)
        logger.info("this process executes runs")

    async def _do_without(self) -> None:
        async with self._database.write() as connection:
            await executors.remove(connection, self._executor_id)
        if not self._said_taken:
            self._said_taken = True
            logger.warning("another node of this process executes runs; this one does not")

    async def _find_lost(self, engine: Engine) -> None:
        """Sets right what the engine does not know, as after one of the two databases was restored from a backup."""
        after = ""
        while True:
            async with self._database.read() as connection:
                handed_over = await runs.handed_over(connection, after=after, limit=AT_ONCE)
            if not handed_over:
                return
            known = await self._call(engine.find, [run.id for run in handed_over])
            async with self._database.write() as connection:
                for run in handed_over:
                    if run.id not in known:
                        await runs.wait_again(connection, run.id)
                    elif known[run.id].is_over:
                        lost = failed(StepFailed("The engine ended it without saying why.", code="engine"))
                        progress = Progress(run.done, run.total, run.note)
                        await runs.end(connection, run.id, run.attempt, lost, progress, at=self._now())
            after = handed_over[-1].id

    # What there is to do

    async def _look(self) -> None:
        running = self._running
        if running is None:
            return
        await self._hand_over(running.engine)
        await self._stop_ended(running)
        loop_time = asyncio.get_running_loop().time()
        if loop_time >= self._trim_at:
            self._trim_at = loop_time + TRIM_SECONDS
            await self._trim(running.engine)

    async def _hand_over(self, engine: Engine) -> None:
        while True:
            async with self._database.read() as connection:
                waiting = await runs.waiting(connection, limit=AT_ONCE)
            if not waiting or self._closes:
                return
            await self._call(_enqueue_all, engine, [(run_id, self._waits(job)) for run_id, job in waiting])
            async with self._database.write() as connection:
                await runs.taken_in(connection, [run_id for run_id, _ in waiting])

    def _waits(self, job: str) -> bool:
        return job in self._jobs and self._jobs[job].waits

    async def _stop_ended(self, running: _Running) -> None:
        """Runs that somebody cancelled are ended where they are executed."""
        if not (active := running.execution.active):
            return
        async with self._database.read() as connection:
            ended = await runs.ended_among(connection, active)
        for run_id in ended & running.execution.active:
            await self._call(running.engine.cancel, run_id)
            running.execution.abort(run_id)

    async def _trim(self, engine: Engine) -> None:
        while True:
            async with self._database.read() as connection:
                old = await runs.ended_before(connection, self._now() - KEPT, limit=AT_ONCE)
            if not old:
                return
            await self._call(engine.forget, old)
            async with self._database.write() as connection:
                await runs.remove(connection, old)


def _enqueue_all(engine: Engine, waiting: list[tuple[str, bool]]) -> None:
    # One that ended and still waits is of another life, in which our database was another.
    engine.forget([run_id for run_id, _ in waiting])
    for run_id, waits in waiting:
        engine.enqueue(run_id, waits=waits)
