"""One process's executing of runs: a job's function is called on the engine's loop, its steps on the server's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from handlers.jobs import StepFailed, as_failure, recordable
from handlers.parts import Parts
from handlers.run_attempt import MAX_MESSAGE, Attempt
from storage import runs
from storage.errors import StorageError
from storage.runs import Ending

if TYPE_CHECKING:
    from handlers.run_engine import Engine

logger = logging.getLogger(__name__)

T = TypeVar("T")

# A run under which so many processes died is most likely why they did.
MOST_LOSSES = 5
# Of the steps of all runs that may have any number under way, as of a wide graph.
STEPS_AT_ONCE = 16
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
# What a step may still do once it was cancelled.
CLEAN_UP_SECONDS = 1.0


class Execution:
    """The runs that this process executes. All of it, but for what is said to, is for the server's loop."""

    def __init__(self, engine: Engine, parts: Parts, now: Callable[[], datetime]) -> None:
        self.engine = engine
        self.parts = parts
        self.folder = parts.runs.folder
        self._jobs = parts.runs.jobs
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._current: dict[str, Attempt] = {}
        self.places = asyncio.Semaphore(STEPS_AT_ONCE)
        self._stops = False
        # What has begun, until the engine has recorded what came of it.
        self._under_way: dict[object, asyncio.Task[Any]] = {}
        # Of these, what only waits: it does not hold up whoever stops.
        self._waiting: set[asyncio.Task[Any]] = set()
        self._all_recorded = asyncio.Event()

    @property
    def active(self) -> set[str]:
        """The ids of the runs that are being executed."""
        return set(self._current)

    def abort(self, run_id: str) -> None:
        """End what the run's steps are doing; the engine was told before that it is cancelled."""
        if attempt := self._current.get(run_id):
            attempt.abort()

    async def stop(self, seconds: float) -> None:
        """No step is begun any more; those under way have so long to end, and are cancelled then."""
        self._stops = True
        for task in self._waiting:
            task.cancel()
        if not self._under_way:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._all_recorded.wait()
        except TimeoutError:
            unfinished = [task for task in self._under_way.values() if not task.done()]
            for task in unfinished:
                task.cancel()
            if unfinished:
                await asyncio.wait(unfinished, timeout=CLEAN_UP_SECONDS)

    # On the engine's loop

    async def execute(self, run_id: str) -> None:
        """The engine's workflow: called again after each death, from the beginning."""
        await self.unless_stopping()
        attempt = await self.on_server(self._begin(run_id))
        if attempt is None:
            return
        try:
            ending = await self._worked(attempt)
        except BaseException:  # cancelled, moved to another process, or this one stops: the end is not this one's
            self._loop.call_soon_threadsafe(attempt.close)
            raise
        await self.on_server(self._end(attempt, ending))

    async def _worked(self, attempt: Attempt) -> Ending:
        row = attempt.row
        job = self._jobs.get(row.job)
        if job is None:
            return failed(StepFailed(f"This version of the server has no job {row.job!r}.", code="unknown_job"))
        if row.losses >= MOST_LOSSES:
            return failed(StepFailed(f"{row.losses} processes died while they executed it.", code="deadly"))
        try:
            try:
                result = await job.function(attempt, msgspec.json.decode(row.arguments, type=job.arguments))
            finally:
                await attempt.let_go()
            shown = None if result is None else recordable(result, "the job")
            return Ending(runs.SUCCEEDED, None if shown is None else msgspec.json.encode(shown).decode())
        except StepFailed as error:
            return failed(error)
        except Exception as error:
            logger.exception("the job %s failed in the run %s", row.job, row.id)
            return failed(as_failure(error))

    async def on_server(self, work: Coroutine[Any, Any, T]) -> T:
        """The answer of what runs on the server's loop. Cancelled with the caller."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def unless_stopping(self) -> None:
        """Does not return once the process stops: what comes next is another process's."""
        if self._stops:
            await asyncio.get_running_loop().create_future()

    def recorded(self, step: object) -> None:
        """The engine is done with a step, one way or another."""
        self._loop.call_soon_threadsafe(self._forget, step)

    # On the server's loop

    async def begin_step(self, step: object, work: Coroutine[Any, Any, T], *, waits: bool) -> T:
        """The work, unless the process stops."""
        if self._stops:
            work.close()
            raise asyncio.CancelledError
        task = self._under_way[step] = cast("asyncio.Task[Any]", asyncio.current_task())
        if waits:
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)
        return await work

    def _forget(self, step: object) -> None:
        self._under_way.pop(step, None)
        if self._stops and not self._under_way:
            self._all_recorded.set()

    async def _begin(self, run_id: str) -> Attempt | None:
        async def begin() -> runs.Run | None:
            async with self.parts.database.write() as connection:
                return await runs.begin(connection, run_id, node_id=self.engine.executor_id, at=self._now())

        row = await _patiently(begin)
        if row is None:
            return None
        if stale := self._current.get(run_id):
            stale.close()
        job = self._jobs.get(row.job)
        attempt = self._current[run_id] = Attempt(self, row, is_shared=job is not None and job.waits)
        return attempt

    async def _end(self, attempt: Attempt, ending: Ending) -> None:
        async def end() -> bool:
            async with self.parts.database.write() as connection:
                return await runs.end(
                    connection, attempt.id, attempt.row.attempt, ending, attempt.progress, at=self._now()
                )

        attempt.close()
        await _patiently(end)
        self.parts.runs.signals.tell(attempt.id)
        self.parts.changes.tell("runs", attempt.workspace_id)

    def closed(self, attempt: Attempt) -> None:
        """The attempt is over, one way or another."""
        if self._current.get(attempt.id) is attempt:
            del self._current[attempt.id]


async def _patiently(attempt: Callable[[], Awaitable[T]]) -> T:
    """The answer, once the database gives one: an outage is no reason for a run to fail."""
    pause = FIRST_PAUSE
    while True:
        try:
            return await attempt()
        except StorageError as error:
            logger.warning("a run waits for the database: %s", error)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def failed(error: StepFailed) -> Ending:
    """How a run ends that could not be done."""
    return Ending(runs.FAILED, error_code=error.code, error_message=error.message[:MAX_MESSAGE])
