"""What can be told of files: how many, how large, when they were written, and how long it takes to read from them.

DuckDB databases are among them: their owner holds them locked while it works, so they are looked at as files only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from connectors.errors import PathForbidden
from connectors.file_listing import FileEntry, find_all
from connectors.paths import resolve
from connectors.performance.figures import GAUGE, Figure, FigureGroup, Level, Visit
from connectors.performance.uncounted import Uncounted
from connectors.settings import SourceSettings

_PROBE_BYTES = 65_536
# The largest files tell where the room goes; the rest is told together.
_LARGEST = 20


def reader(settings: SourceSettings) -> FilesReader:
    return FilesReader(settings)


class FilesReader(Uncounted):
    """A PerformanceReader of a folder, or of one file that is a database."""

    def __init__(self, settings: SourceSettings, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__("A folder of files", clock)
        self._settings = settings
        self._turn = asyncio.Lock()

    async def visit(self, level: Level) -> Visit:
        began, at_ms = time.perf_counter(), self._at_ms()
        async with self._turn:
            path, figures = await asyncio.to_thread(self._look, level)
        return Visit(at_ms, path, [FigureGroup(f"files {level}", path, figures)], time.perf_counter() - began)

    async def aclose(self) -> None:
        """Nothing is held open."""

    def _look(self, level: Level) -> tuple[str, list[Figure]]:
        """Figures of a level. A folder is walked each minute at most: it may be large."""
        path = resolve(self._settings.path, self._settings.roots)
        if path.is_file():
            figures = list(_of_file(path, level))
        else:
            figures = list(_of_folder(find_all(path, self._settings.pattern), level)) if level != Level.FAST else []
        return str(path), figures


def _gauge(metric: str, unit: str, value: float, **labels: str) -> Figure:
    return Figure(metric, tuple(sorted(labels.items())), GAUGE, unit, float(value))


def _of_file(path: Path, level: Level) -> Iterator[Figure]:
    if level == Level.FAST:
        yield _gauge("files.probe.seconds", "s", _seconds_to_read(path))
        yield _gauge("files.size", "By", path.stat().st_size, format=path.suffix.removeprefix(".") or "file")
        beside = path.with_name(path.name + ".wal")
        yield _gauge("files.wal.size", "By", beside.stat().st_size if beside.exists() else 0)
    elif level == Level.MEDIUM:
        yield _gauge("files.modified.age", "s", max(0.0, time.time() - path.stat().st_mtime))


def _of_folder(entries: Sequence[FileEntry], level: Level) -> Iterator[Figure]:
    if level == Level.SLOW:
        largest = sorted(entries, key=lambda entry: (-entry.size, entry.name))
        for entry in largest[:_LARGEST]:
            yield _gauge("files.file.size", "By", entry.size, file=entry.name)
        yield _gauge("files.file.size", "By", sum(entry.size for entry in largest[_LARGEST:]), file="other")
        return
    formats = sorted({str(entry.format) for entry in entries})
    for each in formats:
        sizes = [entry.size for entry in entries if entry.format == each]
        yield _gauge("files.size", "By", sum(sizes), format=each)
        yield _gauge("files.count", "{files}", len(sizes), format=each)
    if not entries:
        yield _gauge("files.count", "{files}", 0, format="none")
        return
    newest = max(entries, key=lambda entry: entry.modified_ns)
    yield _gauge("files.modified.age", "s", max(0.0, time.time() - newest.modified_ns / 1e9))
    yield _gauge("files.probe.seconds", "s", _seconds_to_read(newest.path))


def _seconds_to_read(path: Path) -> float:
    began = time.perf_counter()
    try:
        with path.open("rb") as file:
            file.read(_PROBE_BYTES)
    except OSError as error:
        raise PathForbidden(f"{path.name!r} cannot be read: {error.strerror}") from None
    return time.perf_counter() - began
