"""One SQLite connection on one thread of its own, for the path where each microsecond counts.

A thread pool costs three times as much for each call, most of it while the interpreter is locked.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from storage.engines import SQLITE_PRAGMAS

R = TypeVar("R")

Job = tuple[asyncio.AbstractEventLoop, asyncio.Future[Any], Callable[[sqlite3.Connection], Any]]


class SqliteThread:
    """Runs functions of a connection, one after the other. The file is opened by the first of them."""

    def __init__(self, path: Path, busy_timeout: float) -> None:
        self._path = path
        self._busy_timeout = busy_timeout
        self._connection: sqlite3.Connection | None = None
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        # A node that was not closed in order must still be able to exit.
        self._thread = threading.Thread(target=self._work, name="update-log", daemon=True)
        self._closed = False

    def run(self, function: Callable[[sqlite3.Connection], R]) -> asyncio.Future[R]:
        """The function's result or exception. Cancelling the future does not stop the function."""
        if self._closed:
            raise RuntimeError("the update log is closed")
        if not self._thread.ident:
            self._thread.start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._jobs.put((loop, future, function))
        return future

    def close(self) -> None:
        """Waits for what was given to `run` before."""
        self._closed = True
        if self._thread.ident:
            self._jobs.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            loop, future, function = job
            result, error = None, None
            try:
                result = function(self._connection or self._connect())
            except BaseException as raised:
                error = raised
            # The loop may be gone if the process is ending.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, future, result, error)
            del job, future, function, result, error
        if self._connection is not None:
            self._connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=self._busy_timeout,
            isolation_level=None,
            check_same_thread=False,
            # An INSERT of 128 rows takes 110 KB compiled and 0.2 ms to compile, and there are 512 shapes of it: kept
            # are those that come again and again, and not all that ever came.
            cached_statements=32,
        )
        try:
            for pragma in SQLITE_PRAGMAS:
                connection.execute(pragma)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
