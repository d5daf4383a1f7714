"""One process's executing of runs: a job's function is called on the engine's loop, its steps on the server's."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from handlers.jobs import ONCE, Retries, StepFailed, answer_type, as_failure, recordable
from handlers.parts import Parts
from storage import runs
from storage.errors import StorageError
from storage.runs import Ending, Progress

if TYPE_CHECKING:
    from handlers.run_engine import Engine

logger = logging.getLogger(__name__)

T = TypeVar("T")

# A run under which so many processes died is most likely why they did.
MOST_LOSSES = 5
# Whoever watches a run sees four pictures of it a second; each is a commit.
PROGRESS_SECONDS = 0.25
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
# What a step may still do once it was cancelled.
CLEAN_UP_SECONDS = 1.0
MAX_MESSAGE = 2000
MAX_NOTE = 200


class Execution:
    """The runs that this process executes. All of it, but for what is said to, is for the server's loop."""

    def __init__(self, engine: Engine, parts: Parts, now: Callable[[], datetime]) -> None:
        self.engine = engine
        self.parts = parts
        self.folder = parts.runs.folder
        self._jobs = parts.runs.jobs
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._current: dict[str, _Attempt] = {}
        self._stops = False
        # What has begun, until the engine has recorded what came of it.
        self._under_way: dict[object, asyncio.Task[Any]] = {}
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

    async def _worked(self, attempt: _Attempt) -> Ending:
        row = attempt.row
        job = self._jobs.get(row.job)
        if job is None:
            return failed(StepFailed(f"This version of the server has no job {row.job!r}.", code="unknown_job"))
        if row.losses >= MOST_LOSSES:
            return failed(StepFailed(f"{row.losses} processes died while they executed it.", code="deadly"))
        try:
            result = await job.function(attempt, msgspec.json.decode(row.arguments, type=job.arguments))
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

    async def begin_step(self, step: object, work: Coroutine[Any, Any, T]) -> T:
        """The work, unless the process stops."""
        if self._stops:
            work.close()
            raise asyncio.CancelledError
        self._under_way[step] = cast("asyncio.Task[Any]", asyncio.current_task())
        return await work

    def _forget(self, step: object) -> None:
        self._under_way.pop(step, None)
        if self._stops and not self._under_way:
            self._all_recorded.set()

    async def _begin(self, run_id: str) -> _Attempt | None:
        async def begin() -> runs.Run | None:
            async with self.parts.database.write() as connection:
                return await runs.begin(connection, run_id, node_id=self.engine.executor_id, at=self._now())

        row = await _patiently(begin)
        if row is None:
            return None
        if stale := self._current.get(run_id):
            stale.close()
        attempt = self._current[run_id] = _Attempt(self, row)
        return attempt

    async def _end(self, attempt: _Attempt, ending: Ending) -> None:
        async def end() -> bool:
            async with self.parts.database.write() as connection:
                return await runs.end(
                    connection, attempt.id, attempt.row.attempt, ending, attempt.progress, at=self._now()
                )

        attempt.close()
        await _patiently(end)
        self.parts.changes.tell("runs", attempt.workspace_id)

    def closed(self, attempt: _Attempt) -> None:
        """The attempt is over, one way or another."""
        if self._current.get(attempt.id) is attempt:
            del self._current[attempt.id]


class _Attempt:
    """The `Run` that a job is given. `step`, `each` and `tell` are for the engine's loop, the rest for the server's."""

    def __init__(self, execution: Execution, row: runs.Run) -> None:
        self.id = row.id
        self.workspace_id = row.workspace_id
        self.created_by = row.created_by
        self.parts = execution.parts
        self.folder = execution.folder
        self.row = row
        self.progress = Progress(row.done, row.total, row.note)
        self.tasks: set[asyncio.Task[Any]] = set()
        self._execution = execution
        self._loop = asyncio.get_running_loop()
        self._is_aborted = False
        self._teller: asyncio.Task[None] | None = None

    async def step(
        self,
        function: Callable[..., Awaitable[T]],
        *args: Any,
        name: str | None = None,
        retries: Retries = ONCE,
    ) -> T:
        outcome = await self._reserved(function, args, name, retries)()
        if isinstance(outcome, StepFailed):
            raise outcome
        return outcome

    async def each(
        self,
        function: Callable[..., Awaitable[T]],
        items: Sequence[Any],
        *,
        at_once: int,
        name: str | None = None,
        retries: Retries = ONCE,
    ) -> list[T | StepFailed]:
        # All numbers are drawn before anything runs: which item ends first must not matter when this is played again.
        steps = [self._reserved(function, (item,), name, retries) for item in items]
        room = asyncio.Semaphore(at_once)

        async def one(step: Callable[[], Awaitable[T | StepFailed]]) -> T | StepFailed:
            async with room:
                return await step()

        return await _all_of([asyncio.ensure_future(one(step)) for step in steps])

    def tell(self, done: int, total: int | None = None, note: str | None = None) -> None:
        progress = Progress(done, total, note[:MAX_NOTE] if note else None)
        self._loop.call_soon_threadsafe(self._told, progress)

    def _reserved(
        self,
        function: Callable[..., Awaitable[T]],
        args: Sequence[Any],
        name: str | None,
        retries: Retries,
    ) -> Callable[[], Awaitable[T | StepFailed]]:
        """The next step: its place is taken now, and it is done when what is returned is called."""
        title = name or function.__qualname__
        shape = answer_type(function)
        perform = self._execution.engine.reserve(title)

        mark = object()

        async def work() -> Any:
            await self._execution.unless_stopping()
            return await self._here(mark, self._tried(function, args, title, retries))

        async def step() -> T | StepFailed:
            await self._execution.unless_stopping()
            try:
                record = await perform(work)
            finally:
                self._execution.recorded(mark)
            if "code" in record:
                return StepFailed(record["error"], code=record["code"])
            return cast("T", msgspec.convert(record["value"], shape))

        return step

    async def _here(self, mark: object, work: Coroutine[Any, Any, T]) -> T:
        """On the server's loop, until the run is cancelled."""
        from handlers.run_engine import RunCancelled  # noqa: PLC0415 - it is loaded with the engine

        try:
            return await self._execution.on_server(self._execution.begin_step(mark, self._abortable(work)))
        except asyncio.CancelledError:
            if self._is_aborted:
                raise RunCancelled(f"the run {self.id} was cancelled") from None
            raise

    # On the server's loop

    async def _abortable(self, work: Coroutine[Any, Any, T]) -> T:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        if self._is_aborted:
            work.close()
            raise asyncio.CancelledError
        self.tasks.add(task)
        try:
            return await work
        finally:
            self.tasks.discard(task)

    async def _tried(
        self, function: Callable[..., Awaitable[Any]], args: Sequence[Any], title: str, retries: Retries
    ) -> dict[str, Any]:
        """The step's record: what it answered, or why it could not be done."""
        pause = retries.pause
        for left in reversed(range(retries.attempts)):
            try:
                async with asyncio.timeout(retries.timeout):
                    return {"value": recordable(await function(*args), f"the step {title}")}
            except Exception as error:
                failure = as_failure(error)
                if type(error) is not StepFailed and failure.code == "step_failed":
                    logger.warning("the step %s of the run %s failed", title, self.id, exc_info=error)
                if not left:
                    return {"error": failure.message[:MAX_MESSAGE], "code": failure.code}
            await asyncio.sleep(pause)
            pause *= 2
        raise AssertionError("a step is attempted at least once")

    def _told(self, progress: Progress) -> None:
        self.progress = progress
        if self._teller is None and not self._is_aborted:
            self._teller = asyncio.create_task(self._tell_now_and_then())

    async def _tell_now_and_then(self) -> None:
        told: Progress | None = None
        while told != self.progress:
            told = self.progress
            with contextlib.suppress(StorageError):
                async with self.parts.database.write() as connection:
                    await runs.tell_progress(connection, self.id, self.row.attempt, told)
            await asyncio.sleep(PROGRESS_SECONDS)
        self._teller = None

    def abort(self) -> None:
        self._is_aborted = True
        for task in self.tasks:
            task.cancel()
        self.close()

    def close(self) -> None:
        """Nothing more is told, and the run is not this process's any more."""
        if self._teller is not None:
            self._teller.cancel()
            self._teller = None
        self._execution.closed(self)


async def _all_of(tasks: Sequence[asyncio.Future[T]]) -> list[T]:
    """What all of them answered. What stops one stops the others, and is raised as it is: the engine knows it so."""
    if not tasks:
        return []
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        return [task.result() for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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
