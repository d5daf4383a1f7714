"""Work that would hold the event loop, done in another process.

The engine keeps the interpreter's lock while it applies an update, so a large replay stalls the loop from a thread as
well. It runs in a worker process instead: started with the first job, replaced when it dies, gone when the server goes.
"""

import asyncio
import contextlib
import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar, TypeVarTuple, Unpack

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

# Live editing comes first: on a busy machine the scheduler gives workers what is left over.
_NICENESS = 5

# Longer than any replay of a document within the size limits; a job beyond it would block all jobs behind it.
_TIME_LIMIT_SECONDS = 120.0

# How long a job that is running may go on when the server stops.
_CLOSING_GRACE_SECONDS = 5.0


class WorkerLostError(RuntimeError):
    """The worker process died under a job, twice (out of memory, most often)."""


class WorkerTimeoutError(RuntimeError):
    """A job did not end within the time limit; its process was killed."""


class Workers:
    """A pool of worker processes. Jobs are module-level functions without side effects: a lost one is run again."""

    def __init__(self, processes: int = 1, time_limit_seconds: float = _TIME_LIMIT_SECONDS) -> None:
        self._processes = processes
        self._time_limit = time_limit_seconds
        self._pool: ProcessPoolExecutor | None = None
        self._closed = False
        self._unfinished = 0

    @property
    def jobs(self) -> tuple[int, int]:
        """How many jobs are running, and how many wait for a process."""
        running = min(self._unfinished, self._processes)
        return running, self._unfinished - running

    async def run(self, function: Callable[[Unpack[Arguments]], Result], *args: *Arguments) -> Result:
        """Answer `function(*args)`, run in a worker; what it raises is raised here.

        Raises WorkerLostError, WorkerTimeoutError, or RuntimeError after `close`.
        """
        try:
            return await self._attempt(function, *args)
        except BrokenProcessPool:
            pass  # this job or another one's memory may have been the reason: a fresh process decides
        try:
            return await self._attempt(function, *args)
        except BrokenProcessPool as error:
            raise WorkerLostError(f"the worker process died while running {function.__name__}") from error

    async def warm(self, *modules: str) -> None:
        """Have a process ready that has loaded these, so that the first large paste does not wait for it."""
        await self.run(_load, modules)

    async def close(self) -> None:
        """Drop waiting jobs, give running ones a few seconds, and end the processes. May be called again."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is None:
            return
        children = _children(pool)
        pool.shutdown(wait=False, cancel_futures=True)
        # Where nobody waits for a job, nobody waits for a process that gets what a busy machine has left over.
        await asyncio.to_thread(_end, children, _CLOSING_GRACE_SECONDS if self._unfinished else 0.0)
        await asyncio.to_thread(pool.shutdown, wait=True)

    async def _attempt(self, function: Callable[[Unpack[Arguments]], Result], *args: *Arguments) -> Result:
        pool = self._open()
        self._unfinished += 1
        try:
            job = pool.submit(function, *args)
            return await self._within_limit(pool, job)
        except BrokenProcessPool:
            self._forget(pool)
            raise
        finally:
            self._unfinished -= 1

    async def _within_limit(self, pool: ProcessPoolExecutor, job: "Future[Result]") -> Result:
        waiting = asyncio.wrap_future(job)
        try:
            done, _ = await asyncio.wait((waiting,), timeout=self._time_limit)
            if done:
                return waiting.result()
        finally:
            waiting.cancel()  # a caller that went away takes its job out of the queue
        if not job.cancelled():  # it is running, and nothing short of this ends it
            children = _children(pool)
            self._forget(pool)
            for child in children:
                child.kill()
        raise WorkerTimeoutError(f"a job was stopped after {self._time_limit:g} s")

    def _open(self) -> ProcessPoolExecutor:
        if self._closed:
            raise RuntimeError("the workers are closed")
        if self._pool is None:
            # spawn: a forked child would inherit sockets, threads' locks and the loop.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._processes, mp_context=context, initializer=settle_in)
        return self._pool

    def _forget(self, pool: ProcessPoolExecutor) -> None:
        if self._pool is pool:
            self._pool = None
            pool.shutdown(wait=False)


def _children(pool: ProcessPoolExecutor) -> list[multiprocessing.process.BaseProcess]:
    # The executor clears this attribute when it has shut down, and offers nothing public before Python 3.14.
    return list((getattr(pool, "_processes", None) or {}).values())


def _end(children: list[multiprocessing.process.BaseProcess], grace: float) -> None:
    for child in children:
        child.join(grace)
        if child.is_alive():
            child.kill()
            child.join()


def _load(modules: tuple[str, ...]) -> None:
    for name in modules:
        importlib.import_module(name)


def settle_in() -> None:
    """In the worker: leave Ctrl-C to the server, step back behind it, and end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(_NICENESS)
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)
