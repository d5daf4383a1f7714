"""Processes that read sources: a connector and all that is computed over its columns, away from the event loop.

A reader is a process of its own with one connection to one source. Whatever a broken file or a huge column does to
it, the server goes on, and whoever asked is told. What it is asked to do are module-level coroutine functions:

    async with parts.readers.reader(source_id, version, kind, settings) as reader:
        answer = await reader.run(read_dataset, task, tell=note_progress)

    async def read_dataset(connector: Connector, tell: Tell, task: Task) -> Answer: ...

A caller that is cancelled cancels the function, which interrupts the statement at the source; a process that does not
stop in time is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import pickle
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any, TypeVar, TypeVarTuple, Unpack

from connectors.connector import Connector
from connectors.errors import ConnectorError, SourceLost
from connectors.opening import open_connector
from connectors.settings import SourceSettings
from handlers.workers import settle_in

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")
Tell = Callable[[Any], None]

# A scan asks for one dataset after the other; in between it only stores what came of the last.
IDLE_SECONDS = 5.0
# Of the second within which a cancelled scan has stopped.
STOP_SECONDS = 0.6
# Each takes some hundred megabytes at its worst; other sources wait for their turn.
MOST_READERS = 4
# For files and DuckDB: with what figures take, a reader stays below a gibibyte.
MEMORY_BYTES = 384 * 1024 * 1024


class ReaderLostError(RuntimeError):
    """The process died under its work: out of memory most often, or a file that its library cannot bear."""


class Reader:
    """A process with a source open in it. It does one thing at a time."""

    def __init__(self, kind: str, settings: SourceSettings) -> None:
        self.is_alive = False
        self._loop = asyncio.get_running_loop()
        # spawn: a forked child would inherit sockets, threads' locks and the loop.
        context = multiprocessing.get_context("spawn")
        self._pipe, self._other_end = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(self._other_end, kind, settings), name="source-reader", daemon=True
        )
        self._answer: asyncio.Future[Any] | None = None
        self._tell: Tell | None = None
        self._quiet = asyncio.Event()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    async def start(self) -> None:
        await asyncio.to_thread(self._process.start)
        self._other_end.close()
        self.is_alive = True
        threading.Thread(target=self._listen, name="source-reader", daemon=True).start()

    async def run(
        self,
        function: Callable[[Connector, Tell, Unpack[Arguments]], Awaitable[T]],
        *args: *Arguments,
        tell: Tell | None = None,
    ) -> T:
        """What the function answers there. `tell` is called with what it tells meanwhile.

        Raises what the function raises, ConnectorError where the source cannot be opened, ReaderLostError.
        """
        if not self.is_alive:
            raise ReaderLostError("the process that read the source has died")
        self._answer, self._tell = self._loop.create_future(), tell
        self._quiet.clear()
        self._say(("run", function, args))
        try:
            return await self._answer  # type: ignore[no-any-return]
        except asyncio.CancelledError:
            await self._stop()
            raise
        finally:
            self._answer = self._tell = None

    async def close(self) -> None:
        """Ends the process, kindly if it listens."""
        if self._process.pid is None:
            return
        self._say(None)
        await asyncio.to_thread(self._end)

    def kill(self) -> None:
        self.is_alive = False
        if self._process.pid is not None:
            self._process.kill()

    async def _stop(self) -> None:
        self._tell = None
        self._say(("stop",))
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._quiet.wait()
        except TimeoutError:
            self.kill()
        except asyncio.CancelledError:
            self.kill()
            raise

    def _say(self, message: Any) -> None:
        # Small and seldom: it never fills the pipe.
        with contextlib.suppress(OSError, ValueError):
            self._pipe.send(message)

    def _end(self) -> None:
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()

    def _listen(self) -> None:
        """On a thread: passes on what the process says until it is gone."""
        while True:
            try:
                message = self._pipe.recv()
            except (EOFError, OSError, TypeError):
                message = None
            except Exception as error:
                message = ("failed", RuntimeError(f"{type(error).__name__}: {error}"))
            try:
                self._loop.call_soon_threadsafe(self._heard, message)
            except RuntimeError:  # the loop is closed
                return
            if message is None:
                return

    def _heard(self, message: tuple[Any, ...] | None) -> None:
        answer = self._answer
        if message is None:
            self.is_alive = False
            if answer is not None and not answer.done():
                answer.set_exception(ReaderLostError("the process that read the source has died"))
            self._quiet.set()
        elif message[0] == "told":
            if self._tell is not None:
                self._tell(message[1])
        else:
            self._quiet.set()
            if answer is None or answer.done():
                return
            if message[0] == "done":
                answer.set_result(message[1])
            else:
                answer.set_exception(message[1])


@dataclass(slots=True, eq=False)
class _Idle:
    reader: Reader
    timer: asyncio.TimerHandle


class SourceReaders:
    """Starts readers as they are needed; each is kept for a few seconds for the next who asks for its source."""

    def __init__(self, most: int = MOST_READERS, idle_seconds: float = IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._turns = asyncio.Semaphore(most)
        self._of_source: dict[int, asyncio.Semaphore] = {}
        self._idle: dict[tuple[int, datetime], list[_Idle]] = {}
        self._busy: set[Reader] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    @contextlib.asynccontextmanager
    async def reader(
        self, source_id: int, version: datetime, kind: str, settings: SourceSettings
    ) -> AsyncIterator[Reader]:
        """A reader of the caller's own until the block ends. `version` is when the source was last changed.

        Never more of one source than the source's limit of connections: each has one.
        """
        turns = self._of_source.setdefault(source_id, asyncio.Semaphore(settings.limits.connections))
        async with turns, self._turns:
            reader = await self._taken((source_id, version), kind, settings)
            try:
                yield reader
            finally:
                self._busy.discard(reader)
                self._give_back((source_id, version), reader)

    @property
    def pids(self) -> list[int]:
        """Of all processes that there are."""
        readers = [*self._busy, *(idle.reader for idles in self._idle.values() for idle in idles)]
        return [reader.pid for reader in readers if reader.pid is not None]

    async def close(self) -> None:
        """Ends all of them."""
        self._closed = True
        for reader in self._busy:
            reader.kill()
        readers = [idle.reader for idles in self._idle.values() for idle in idles]
        self._idle.clear()
        await asyncio.gather(*(reader.close() for reader in (*readers, *self._busy)), *self._closing)

    async def _taken(self, key: tuple[int, datetime], kind: str, settings: SourceSettings) -> Reader:
        if self._closed:
            raise SourceLost("the server is stopping")
        self._end_older(key)
        while idles := self._idle.get(key):
            idle = idles.pop()
            idle.timer.cancel()
            if idle.reader.is_alive:
                self._busy.add(idle.reader)
                return idle.reader
            self._let_go(idle.reader)
        reader = Reader(kind, _bounded(settings))
        self._busy.add(reader)
        try:
            await reader.start()
        except BaseException:
            self._busy.discard(reader)
            self._let_go(reader)
            raise
        return reader

    def _end_older(self, key: tuple[int, datetime]) -> None:
        """The source was changed: nobody asks for it as it was."""
        for other in [other for other in self._idle if other[0] == key[0] and other != key]:
            for idle in self._idle.pop(other):
                idle.timer.cancel()
                self._let_go(idle.reader)

    def _give_back(self, key: tuple[int, datetime], reader: Reader) -> None:
        if self._closed or not reader.is_alive:
            self._let_go(reader)
            return
        timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._end_idle, key, reader)
        self._idle.setdefault(key, []).append(_Idle(reader, timer))

    def _end_idle(self, key: tuple[int, datetime], reader: Reader) -> None:
        left = [idle for idle in self._idle.get(key, ()) if idle.reader is not reader]
        if left:
            self._idle[key] = left
        else:
            self._idle.pop(key, None)
        self._let_go(reader)

    def _let_go(self, reader: Reader) -> None:
        task = asyncio.get_running_loop().create_task(reader.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _bounded(settings: SourceSettings) -> SourceSettings:
    memory = min(settings.limits.memory_bytes, MEMORY_BYTES)
    return replace(settings, limits=replace(settings.limits, connections=1, memory_bytes=memory))


# In the reader's process


def _serve(pipe: Connection, kind: str, settings: SourceSettings) -> None:
    settle_in()
    asyncio.run(_Served(pipe, kind, settings).serve())


class _Served:
    """What a reader does: one function after the other, until it is told to end."""

    def __init__(self, pipe: Connection, kind: str, settings: SourceSettings) -> None:
        self._pipe = pipe
        self._kind, self._settings = kind, settings
        self._connector: Connector | None = None
        self._heard: asyncio.Queue[tuple[Any, ...] | None] = asyncio.Queue()
        self._work: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop,), name="pipe", daemon=True).start()
        while (message := await self._heard.get()) is not None:
            if message[0] == "run":
                self._work = asyncio.create_task(self._do(*message[1:]))
            elif message[0] == "unreadable":
                self._pipe.send(("failed", RuntimeError(f"the process cannot read what it is asked: {message[1]}")))
            elif self._work is not None:
                self._work.cancel()
        if self._work is not None:
            self._work.cancel()
        if self._connector is not None:
            await self._connector.aclose()

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        message: tuple[Any, ...] | None = ()
        while message is not None:
            try:
                message = self._pipe.recv()
            except (EOFError, OSError):
                message = None
            except Exception as error:
                # Who asked must hear of it: nobody else would ever answer.
                message = ("unreadable", f"{type(error).__name__}: {error}")
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._heard.put_nowait, message)

    async def _do(self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        try:
            if self._connector is None:
                self._connector = await open_connector(self._kind, self._settings)
            answer = ("done", await function(self._connector, self._tell, *args))
        except asyncio.CancelledError:
            answer = ("failed", RuntimeError("it was stopped"))
        except Exception as error:
            answer = ("failed", _portable(error))
        self._pipe.send(answer)

    def _tell(self, value: Any) -> None:
        self._pipe.send(("told", value))


def _portable(error: Exception) -> Exception:
    """The error, if the other side can make it again; what it says otherwise."""
    if isinstance(error, ConnectorError):
        return type(error)(str(error))
    if isinstance(error, MemoryError):
        return ReaderLostError("it needs more memory than a reader has")
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
