"""What can be told of an SQLite database: it counts nothing itself, so its sizes, and how long our own looks take."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from connectors.paths import resolve_file
from connectors.performance.figures import GAUGE, Figure, FigureGroup, IndexAdvices, Level, Unsupported, Visit
from connectors.performance.sqlite_indexes import advise
from connectors.performance.uncounted import Uncounted
from connectors.settings import SourceSettings
from connectors.sqlite_session import telling
from connectors.threads import InterruptibleThread

_PROBE_SECONDS = 5.0
# A look at every page: seldom, and not for longer than this.
_CHECK_SECONDS = 10.0
_CHECK_BYTES = 512 * 1024 * 1024

R = TypeVar("R")


def reader(settings: SourceSettings) -> SqliteReader:
    return SqliteReader(settings)


class SqliteReader(Uncounted):
    """A PerformanceReader of a database file. Every question opens the file anew: that is what is measured."""

    def __init__(self, settings: SourceSettings, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__("SQLite", clock)
        self._settings = settings
        self._turn = asyncio.Lock()
        self._open: sqlite3.Connection | None = None
        self._thread = InterruptibleThread("sqlite-figures", self._interrupt)

    async def visit(self, level: Level) -> Visit:
        began, at_ms = time.perf_counter(), self._at_ms()
        work = {Level.FAST: _sizes, Level.MEDIUM: _tables, Level.SLOW: _checked}[level]
        figures, server = await self._run(work, _CHECK_SECONDS if level is Level.SLOW else _PROBE_SECONDS)
        groups = [FigureGroup(f"sqlite {level}", server, figures)]
        return Visit(at_ms, server, groups, time.perf_counter() - began)

    async def index_advice(self) -> IndexAdvices:
        advices, _ = await self._run(lambda connection, _: advise(connection), _PROBE_SECONDS)
        unsupported = Unsupported("unused indexes", "SQLite does not count how often an index is used.")
        return IndexAdvices(self._at_ms(), None, advices, (unsupported,))

    async def aclose(self) -> None:
        self._thread.close()

    async def _run(self, work: Callable[[sqlite3.Connection, Path], R], seconds: float) -> tuple[R, str]:
        """What the work answers, and which file that was."""

        def call() -> tuple[R, str]:
            path = resolve_file(self._settings.path, self._settings.roots)
            status = path.stat()
            with telling(), contextlib.closing(_opened(path, seconds)) as connection:
                self._open = connection
                try:
                    return work(connection, path), f"{status.st_dev}:{status.st_ino}"
                finally:
                    self._open = None

        async with self._turn:
            if self._thread.is_stuck:
                self._thread = InterruptibleThread("sqlite-figures", self._interrupt)
            return await self._thread.run(call, seconds + 1)

    def _interrupt(self) -> None:
        connection = self._open
        if connection is not None:
            with contextlib.suppress(sqlite3.ProgrammingError):
                connection.interrupt()


def _opened(path: Path, seconds: float) -> sqlite3.Connection:
    """Not the session of connectors, which may not ask for the pragmas that tell sizes."""
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=seconds, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _gauge(metric: str, unit: str, value: float, **labels: str) -> Figure:
    return Figure(metric, tuple(sorted(labels.items())), GAUGE, unit, float(value))


def _sizes(connection: sqlite3.Connection, path: Path) -> list[Figure]:
    """What a look at the file and one read of its schema tell."""
    began = time.perf_counter()
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    seconds = time.perf_counter() - began
    page, pages, free = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
    )
    return [
        _gauge("sqlite.probe.seconds", "s", seconds),
        _gauge("sqlite.database.size", "By", page * pages),
        _gauge("sqlite.pages", "{pages}", pages),
        _gauge("sqlite.pages.free", "{pages}", free),
        _gauge("sqlite.wal.size", "By", _size_of(path.with_name(path.name + "-wal"))),
    ]


def _tables(connection: sqlite3.Connection, path: Path) -> list[Figure]:
    """How long ago the file was written to, and how much its schema holds."""
    kinds = dict(connection.execute("SELECT type, count(*) FROM sqlite_master GROUP BY type"))
    modified = max(path.stat().st_mtime, _modified(path.with_name(path.name + "-wal")))
    return [
        _gauge("sqlite.modified.age", "s", max(0.0, time.time() - modified)),
        *(_gauge("sqlite.schema.objects", "{objects}", count, type=kind) for kind, count in sorted(kinds.items())),
    ]


def _checked(connection: sqlite3.Connection, path: Path) -> list[Figure]:
    """Whether the pages hang together; left out where that would take too long."""
    if path.stat().st_size > _CHECK_BYTES:
        return []
    began = time.monotonic()
    connection.set_progress_handler(lambda: time.monotonic() - began > _CHECK_SECONDS, 10_000)
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return []
        raise
    finally:
        connection.set_progress_handler(None, 0)
    seconds = time.monotonic() - began
    return [_gauge("sqlite.check.ok", "1", found == "ok"), _gauge("sqlite.check.seconds", "s", seconds)]


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
