"""Jobs: what the server does beside requests, step by step, so that a process that dies takes nothing with it.

A slice lists its jobs in a tail `JOBS = (...)`, and the catalogue joins them. A job's function is given its `Run` and
its arguments, and does its work in steps:

    async def export(run: Run, arguments: Arguments) -> Exported:
        names = await run.step(list_names, run)
        for name in names:
            await run.step(write_document, run, name)
        return Exported(documents=len(names))

What a step returned is recorded. When the process dies, or the run is moved, the function is called again from its
beginning, elsewhere perhaps, and each step that was done answers at once with what is recorded. Hence:

- The function itself only decides: always alike, given the same arguments and answers. It asks no clock and draws no
  random numbers, and calls nothing of the server: that is what steps are for. It has an event loop of its own.
- A step may be done twice, if the process dies before the record is made: it must lead to the same.
- A step that fails raises StepFailed in the function, every time, and the function may go on without it.

Steps side by side are begun one after the other, in an order that is always the same, and which of them ended first is
asked of the run, who records it:

    begun = [run.begin(write_document, run, name) for name in names]
    while begun:
        for done in await run.first(begun):
            begun.remove(done)
"""

from __future__ import annotations

import asyncio
import enum
import functools
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, get_type_hints

import msgspec

from handlers.registry import OperationError, Permission

if TYPE_CHECKING:
    from pathlib import Path

    from handlers.parts import Parts

T = TypeVar("T")

# What is larger is stored by the step that made it, which then returns where.
MAX_RECORD_BYTES = 1024 * 1024


class State(enum.StrEnum):
    """What has become of a run."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepFailed(Exception):
    """A step, or a whole job, could not be done. `code` is a stable word for programs, `message` one for people."""

    def __init__(self, message: str, *, code: str = "step_failed") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


@dataclass(frozen=True, slots=True)
class Retries:
    """How a step that fails is tried again: so often in all, after so many seconds, each time twice as many.

    An attempt that takes longer than `timeout` seconds has failed.
    """

    attempts: int = 1
    pause: float = 1.0
    timeout: float | None = None


ONCE = Retries()


class Begun(Generic[T]):
    """A step that was begun."""

    __slots__ = ("task",)

    def __init__(self, task: asyncio.Task[T | StepFailed]) -> None:
        self.task = task

    def outcome(self) -> T | StepFailed:
        """What came of it, once it is among the first."""
        return self.task.result()


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What came of another run: its state, and what it answered or why it failed."""

    state: State
    result: Any = None
    error_code: str | None = None
    error_message: str | None = None


class Run(Protocol):
    """What a job's function has of its run. `parts` and `folder`, the server's own, are for steps."""

    id: str
    workspace_id: str | None
    created_by: str
    parts: Parts
    folder: Path

    async def step(
        self,
        function: Callable[..., Awaitable[T]],
        *args: Any,
        name: str | None = None,
        retries: Retries = ONCE,
    ) -> T:
        """What `function(*args)` returned, now or before. It runs on the server's event loop.

        The return type that the function declares says what a record is read as. Raises StepFailed.
        """
        ...

    async def each(
        self,
        function: Callable[..., Awaitable[T]],
        items: Sequence[Any],
        *,
        at_once: int,
        name: str | None = None,
        retries: Retries = ONCE,
    ) -> list[T | StepFailed]:
        """A step for each item, `function(item)`, so many at a time: what came of each, in the items' order."""
        ...

    def tell(self, done: int, total: int | None = None, note: str | None = None) -> None:
        """How far the run is, for whoever watches it. From the function or from a step."""
        ...


class LongRun(Run, Protocol):
    """What a job has besides that does several things at once, or waits for people and for other runs.

    `attempt` counts how often the run was begun.
    """

    attempt: int

    async def look_up(self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        """What `function(*args)` answers on the server's loop, without a record: for what never changes."""
        ...

    def post(self, function: Callable[..., None], *args: Any) -> None:
        """Calls the function on the server's loop, soon and in the order of these calls."""
        ...

    def begin(
        self,
        function: Callable[..., Awaitable[T]],
        *args: Any,
        name: str | None = None,
        retries: Retries = ONCE,
        waits: bool = False,
    ) -> Begun[T]:
        """As `step`, and goes on at once. What is still under way when the job's function returns is cancelled.

        A step that only `waits` does not hold up a server that stops: it waits again where the run goes on.
        """
        ...

    async def first(self, begun: Sequence[Begun[T]]) -> list[Begun[T]]:
        """Those that have ended, once there are any, in the order given: now or before."""
        ...

    async def sleep(self, seconds: float, topic: str) -> None:
        """So many seconds from when this was first called for the topic, whichever processes die meanwhile."""
        ...

    async def receive(self, topic: str, seconds: float | None = None) -> Any:
        """What `RunSignals.send` sends to the run under this topic, once; None if so many seconds bring nothing."""
        ...

    def child(self, child_id: str, job: str, arguments: Any) -> Begun[Ended]:
        """A run of its own, of the same workspace, and what comes of it. It is cancelled when this one ends."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """A kind of work. `arguments` and what the function returns are structs; `permission` is asked in the workspace
    of whoever starts it, or of its schedule. One that `waits`, for people or for other runs, takes no place from
    those that work: any number of them is under way at a time."""

    name: str
    arguments: type[msgspec.Struct]
    function: Callable[[LongRun, Any], Awaitable[msgspec.Struct | None]]
    summary: str
    permission: Permission = Permission.WRITE
    waits: bool = False


@functools.lru_cache(maxsize=1024)
def answer_type(function: Callable[..., Any]) -> Any:
    """What the function says that it returns. Raises TypeError if it does not say."""
    hints = get_type_hints(function)
    if "return" not in hints:
        raise TypeError(f"the step {function.__qualname__} does not declare what it returns")
    return hints["return"]


def as_failure(error: Exception) -> StepFailed:
    """The error as it is recorded."""
    if isinstance(error, StepFailed):
        return error
    if isinstance(error, OperationError):
        return StepFailed(error.message, code=error.code)
    if isinstance(error, TimeoutError):
        return StepFailed(str(error) or "It took too long.", code="timeout")
    return StepFailed(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def recordable(value: Any, what: str) -> Any:
    """The value as JSON holds it. Raises StepFailed for what JSON does not hold, and for too much of it."""
    try:
        encoded = msgspec.json.encode(value)
    except (msgspec.MsgspecError, TypeError, UnicodeError, OverflowError, RecursionError) as error:
        raise StepFailed(f"What {what} answered cannot be recorded: {error}.", code="not_recordable") from None
    if len(encoded) > MAX_RECORD_BYTES:
        raise StepFailed(
            f"What {what} answered has {len(encoded)} bytes as JSON; at most {MAX_RECORD_BYTES} can be recorded.",
            code="not_recordable",
        )
    return msgspec.json.decode(encoded)
