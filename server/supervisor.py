"""One address, several processes: what `collab-studio serve --workers N` runs beside its workers.

The supervisor serves nobody. It holds a listening socket for each worker, so that newcomers wait in its queue while a
worker is replaced; it starts workers, starts those that die again, and on SIGHUP replaces one after the other.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import multiprocessing
import signal
import socket
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from server.drain import GONE
from server.settings import Settings

logger = logging.getLogger(__name__)

READY = b"ready"
# A second or two of imports and a connection to the database; on a machine that starts everything at once, more.
START_SECONDS = 60.0
# Whoever lives for less has not found what it needs. So many times in a row, and it never will.
STEADY_SECONDS = 5.0
MOST_EARLY_ENDS = 4
FIRST_PAUSE_SECONDS = 0.5

Main = Callable[[Settings, socket.socket, Connection], int]

# A forked child would inherit the loop and its signal handlers.
_spawning = multiprocessing.get_context("spawn")


class Worker:
    """One worker process, from its start to its end.

    The lifeline is a pipe: the worker says on it that it is ready, and leaves when it ends, however that came about.
    """

    def __init__(self, main: Main, settings: Settings, listener: socket.socket) -> None:
        self.index = settings.worker_index
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()
        # Seconds, once it has ended.
        self.lived = 0.0
        self._started_at = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._lifeline, theirs = _spawning.Pipe()
        self.process = _spawning.Process(target=_work, args=(main, settings, listener, theirs))
        self.process.start()
        theirs.close()
        self._loop.add_reader(self._lifeline.fileno(), self._heard)
        self._loop.add_reader(self.process.sentinel, self._gone)

    @property
    def name(self) -> str:
        return f"worker {self.index} (process {self.process.pid})"

    @property
    def was_steady(self) -> bool:
        """Whether it served for a while, so that its end has nothing to do with its start."""
        return self.ready.is_set() and self.lived >= STEADY_SECONDS

    async def starts(self) -> bool:
        """Whether it accepts connections in time."""
        waits = [asyncio.create_task(self.ready.wait()), asyncio.create_task(self.ended.wait())]
        await asyncio.wait(waits, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return self.ready.is_set() and not self.ended.is_set()

    def stop(self) -> None:
        """Leave; newcomers are told until the end that nobody is ready."""
        self.process.terminate()

    def give_way(self) -> None:
        """Leave; another accepts from the same socket already."""
        self._cut_lifeline()

    async def ends(self, within: float) -> None:
        """Returns once it is gone, killed if need be."""
        try:
            async with asyncio.timeout(within):
                await self.ended.wait()
        except TimeoutError:
            logger.error("%s did not end and is killed", self.name)  # noqa: TRY400 - its trace is the worker's
            self.process.kill()
            await self.ended.wait()

    def _heard(self) -> None:
        try:
            self._lifeline.recv_bytes()
            self.ready.set()
        except (EOFError, OSError):
            self._cut_lifeline()

    def _cut_lifeline(self) -> None:
        if not self._lifeline.closed:
            self._loop.remove_reader(self._lifeline.fileno())
            self._lifeline.close()

    def _gone(self) -> None:
        self._loop.remove_reader(self.process.sentinel)
        self._cut_lifeline()
        self.process.join()
        self.lived = time.monotonic() - self._started_at
        self.ended.set()


class Supervisor:
    """Keeps a worker for each listener, until a signal says stop or the workers cannot be kept."""

    def __init__(
        self, main: Main, settings: Settings, listeners: Sequence[socket.socket], announce: Callable[[], None]
    ) -> None:
        """`announce` is called once, when every worker accepts connections."""
        self._main = main
        self._settings = settings
        self._listeners = listeners
        self._announce = announce
        self._present: dict[int, Worker] = {}
        # All that live, those that give way to another included.
        self._alive: set[Worker] = set()
        # The places that have not had a worker yet.
        self._to_start = set(range(len(listeners)))
        self._changing = [asyncio.Lock() for _ in listeners]
        self._stopping = asyncio.Event()
        self._renewing: asyncio.Task[None] | None = None
        self._has_failed = False

    async def run(self) -> int:
        """The exit code: 0 if every worker ended as it should."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._renew)
        tasks = [asyncio.create_task(self._keep(index)) for index in range(len(self._listeners))]
        await self._stopping.wait()
        await self._end_all()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        return 1 if self._has_failed else 0

    # One place

    def _start(self, index: int) -> Worker:
        settings = dataclasses.replace(self._settings, worker_index=index)
        worker = Worker(self._main, settings, self._listeners[index])
        self._alive = {other for other in self._alive if not other.ended.is_set()} | {worker}
        return worker

    async def _keep(self, index: int) -> None:
        """Have a worker in this place, whatever happens to it."""
        early = 0
        while not self._stopping.is_set():
            async with self._changing[index]:
                worker = self._present[index] = self._start(index)
                if await worker.starts():
                    self._note_start(index)
                else:
                    worker.process.kill()
            worker = await self._outlive(index)
            if self._stopping.is_set():
                return
            early = 0 if worker.was_steady else early + 1
            if early == MOST_EARLY_ENDS:
                self._give_up(worker)
                return
            pause = FIRST_PAUSE_SECONDS * 2 ** (early - 1) if early else 0.0
            code = worker.process.exitcode
            logger.error("%s ended with exit code %s; another starts in %g s", worker.name, code, pause)
            await asyncio.sleep(pause)

    async def _outlive(self, index: int) -> Worker:
        """The worker of this place that ended without another in its place."""
        while True:
            worker = self._present[index]
            await worker.ended.wait()
            if self._present[index] is worker:
                return worker

    def _give_up(self, worker: Worker) -> None:
        logger.error(
            "%s ended with exit code %s, as the %d before it, right after its start; the server stops",
            worker.name,
            worker.process.exitcode,
            MOST_EARLY_ENDS - 1,
        )
        self._has_failed = True
        self._stopping.set()

    # All together

    def _note_start(self, index: int) -> None:
        if index in self._to_start:
            self._to_start.discard(index)
            if not self._to_start:
                logger.info("%d workers accept connections", len(self._listeners))
                self._announce()

    def _renew(self) -> None:
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._replace_all())
        else:
            logger.warning("the workers are being replaced already")

    async def _replace_all(self) -> None:
        """One after the other, so that all but one serve at any moment."""
        logger.info("replacing %d workers", len(self._listeners))
        for index in range(len(self._listeners)):
            if self._stopping.is_set() or not await self._replace(index):
                return
        logger.info("all workers were replaced")

    async def _replace(self, index: int) -> bool:
        async with self._changing[index]:
            old, new = self._present[index], self._start(index)
            if not await new.starts():
                logger.error("%s does not start; the workers that serve are left alone", new.name)
                new.process.kill()
                return False
            self._present[index] = new
        old.give_way()
        await old.ends(self._settings.shutdown_timeout)
        return True

    def _stop(self) -> None:
        """At the first signal the workers leave in order, at the second at once."""
        if self._stopping.is_set():
            for worker in self._alive:
                worker.process.kill()
        self._stopping.set()

    async def _end_all(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
        # The workers have their own; with the last of them nobody listens any more.
        for listener in self._listeners:
            listener.close()
        leaving = [worker for worker in self._alive if not worker.ended.is_set()]
        for worker in leaving:
            worker.stop()
        await asyncio.gather(*(worker.ends(self._settings.shutdown_timeout * GONE) for worker in leaving))
        self._has_failed |= any(worker.ready.is_set() and worker.process.exitcode for worker in leaving)


def _work(main: Main, settings: Settings, listener: socket.socket, lifeline: Connection) -> None:
    raise SystemExit(main(settings, listener, lifeline))
