"""Libraries that block, each call in a thread that can be interrupted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from connectors.errors import StatementTimeout

R = TypeVar("R")

# An interrupt that comes just before a statement begins is lost, so it is given again and again.
_INTERRUPT_EVERY = 0.02
# Engines look for interrupts thousands of times a second; what does not stop within this is no statement of theirs.
_PATIENCE = 0.8
# After that nobody waits any more, but a statement that goes on would take a core for ever.
_INTERRUPT_SELDOM = 0.2


class InterruptibleThread:
    """One thread, one call at a time. `is_stuck` once a call did not stop when told to: use another then."""

    def __init__(self, name: str, interrupt: Callable[[], None]) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._interrupt = interrupt
        self.is_stuck = False

    async def run(self, work: Callable[[], R], seconds: float) -> R:
        """What `work()` answers. Interrupts it when the caller is cancelled, or after `seconds` (StatementTimeout)."""
        call = self._executor.submit(work)
        job = asyncio.wrap_future(call)
        # Of a call that was interrupted nobody reads the error.
        job.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            done, _ = await asyncio.wait((job,), timeout=seconds)
        except asyncio.CancelledError:
            await self._stop(call, job)
            raise
        if not done:
            await self._stop(call, job)
            raise StatementTimeout(f"it ran longer than {seconds:g} s and was stopped")
        return job.result()

    def submit(self, work: Callable[[], object]) -> None:
        """Does it after what runs now; nobody waits."""
        self._executor.submit(work)

    def close(self) -> None:
        """What was submitted is still done."""
        self._executor.shutdown(wait=False)

    async def _stop(self, call: Future[R], job: asyncio.Future[R]) -> None:
        self.is_stuck = True
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        try:
            while not job.done() and asyncio.get_running_loop().time() < deadline:
                self._interrupt()
                await asyncio.wait((job,), timeout=_INTERRUPT_EVERY)
        finally:
            # Also where whoever waits here is cancelled once more. Nothing else runs in a thread that is stuck, so no
            # interrupt can meet a later call.
            self.is_stuck = not job.done()
            if self.is_stuck:
                threading.Thread(target=self._go_on_stopping, args=(call,), name="interrupt", daemon=True).start()

    def _go_on_stopping(self, call: Future[R]) -> None:
        while not wait((call,), _INTERRUPT_SELDOM).done:
            self._interrupt()
