"""One attempt at a run, as its job is given it: steps are begun on the engine's loop and done on the server's."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from handlers.jobs import ONCE, Begun, Ended, Retries, StepFailed, answer_type, as_failure, recordable
from handlers.run_waiting import end_of_child, wait_for_answer
from storage import runs
from storage.errors import StorageError
from storage.runs import Progress

if TYPE_CHECKING:
    from handlers.run_execution import Execution

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Whoever watches a run sees four pictures of it a second; each is a commit.
PROGRESS_SECONDS = 0.25
MAX_MESSAGE = 2000
MAX_NOTE = 200


class Attempt:
    """The `Run` that a job is given. What a job calls is for the engine's loop, the rest for the server's."""

    def __init__(self, execution: Execution, row: runs.Run, *, is_shared: bool) -> None:
        self.id = row.id
        self.attempt = row.attempt
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
        self._is_shared = is_shared
        self._begun: set[asyncio.Task[Any]] = set()
        self._teller: asyncio.Task[None] | None = None

    async def step(
        self,
        function: Callable[..., Awaitable[T]],
        *args: Any,
        name: str | None = None,
        retries: Retries = ONCE,
        waits: bool = False,
    ) -> T:
        outcome = await self._reserved(function, args, name, retries, waits=waits)()
        if isinstance(outcome, StepFailed):
            raise outcome
        return outcome

    def begin(
        self,
        function: Callable[..., Awaitable[T]],
        *args: Any,
        name: str | None = None,
        retries: Retries = ONCE,
        waits: bool = False,
    ) -> Begun[T]:
        step = self._reserved(function, args, name, retries, waits=waits)
        begun = Begun(asyncio.ensure_future(step()))
        self._begun.add(begun.task)
        begun.task.add_done_callback(self._begun.discard)
        return begun

    async def first(self, begun: Sequence[Begun[T]]) -> list[Begun[T]]:
        # Of one there is nothing to record: which ends first is known.
        if len(begun) == 1:
            await asyncio.wait([begun[0].task])
            done = {begun[0].task}
        else:
            done = await self._execution.engine.first_of([one.task for one in begun])
        for task in done:
            task.result()
        return [one for one in begun if one.task in done]

    async def look_up(self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        await self._execution.unless_stopping()
        return await self._execution.on_server(function(*args))

    def post(self, function: Callable[..., None], *args: Any) -> None:
        self._loop.call_soon_threadsafe(function, *args)

    async def sleep(self, seconds: float, topic: str) -> None:
        await self.receive(topic, seconds)

    async def receive(self, topic: str, seconds: float | None = None) -> Any:
        answer = await self.step(wait_for_answer, self, topic, seconds, name=topic, waits=True)
        return answer.value

    def child(self, child_id: str, job: str, arguments: Any) -> Begun[Ended]:
        return self.begin(end_of_child, self, child_id, job, arguments, name=child_id, waits=True)

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

    async def let_go(self) -> None:
        """The job is over: nothing that it has begun goes on."""
        left = list(self._begun)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _reserved(
        self,
        function: Callable[..., Awaitable[T]],
        args: Sequence[Any],
        name: str | None,
        retries: Retries,
        *,
        waits: bool = False,
    ) -> Callable[[], Coroutine[Any, Any, T | StepFailed]]:
        """The next step: its place is taken now, and it is done when what is returned is called."""
        title = name or function.__qualname__
        shape = answer_type(function)
        perform = self._execution.engine.reserve(title)

        mark = object()

        async def work() -> Any:
            await self._execution.unless_stopping()
            return await self._here(mark, self._placed(function, args, title, retries, waits), waits=waits)

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

    async def _here(self, mark: object, work: Coroutine[Any, Any, T], *, waits: bool) -> T:
        """On the server's loop, until the run is cancelled."""
        from handlers.run_engine import RunCancelled  # noqa: PLC0415 - it is loaded with the engine

        try:
            step = self._execution.begin_step(mark, self._abortable(work), waits=waits)
            return await self._execution.on_server(step)
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

    async def _placed(
        self, function: Callable[..., Awaitable[Any]], args: Sequence[Any], title: str, retries: Retries, waits: bool
    ) -> dict[str, Any]:
        """The step's record. Of jobs that may have any number of steps under way, so many work at a time."""
        if waits or not self._is_shared:
            return await self._tried(function, args, title, retries)
        async with self._execution.places:
            return await self._tried(function, args, title, retries)

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
