"""Processes that read sources: what they answer, how they stop, and what their death means."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from scanning import write_sqlite

from connectors.connector import Connector
from connectors.errors import NotReadOnly, PathNotFound
from connectors.settings import SourceLimits, SourceSettings
from handlers.source_readers import Reader, ReaderLostError, SourceReaders, Tell

VERSION = datetime(2026, 3, 1, tzinfo=UTC)


async def names(connector: Connector, tell: Tell, word: str) -> list[str]:
    tell(word)
    return [str(dataset.ref) for dataset in await connector.list_datasets()]


async def write(connector: Connector, _: Tell) -> None:
    await connector.query("DELETE FROM t")


async def never_listen(_: Connector, tell: Tell) -> None:
    tell("stuck")
    while True:  # holds the process's loop
        pass


async def die(_: Connector, __: Tell) -> None:
    os._exit(3)


async def pid(_: Connector, __: Tell) -> int:
    return os.getpid()


class Unreadable:
    """What can be sent, and not be made again where it arrives."""

    def __reduce__(self) -> tuple[type[int], tuple[str]]:
        return int, ("no number",)


async def take(_: Connector, __: Tell, ___: Unreadable) -> None:
    """Never called."""


def with_readers(
    folder: Path, scenario: Callable[[SourceReaders, SourceSettings], Awaitable[None]], **options: Any
) -> None:
    path = write_sqlite(folder / "s.sqlite3", "CREATE TABLE t AS SELECT 1 AS x")

    async def run() -> None:
        readers = SourceReaders(**options)
        try:
            await scenario(readers, SourceSettings(path=path, limits=SourceLimits(connections=1)))
        finally:
            await readers.close()

    asyncio.run(run())


def test_what_it_cannot_read_it_says(tmp_path: Path) -> None:
    async def scenario(readers: SourceReaders, settings: SourceSettings) -> None:
        async with readers.reader(1, VERSION, "sqlite", settings) as reader:
            with pytest.raises(RuntimeError, match="cannot read what it is asked: ValueError"):
                await reader.run(take, Unreadable())
            assert await reader.run(names, "still there") == ["t"]

    with_readers(tmp_path, scenario)


def test_it_answers_tells_and_raises(tmp_path: Path) -> None:
    async def scenario(readers: SourceReaders, settings: SourceSettings) -> None:
        heard: list[Any] = []
        async with readers.reader(1, VERSION, "sqlite", settings) as reader:
            assert await reader.run(names, "hello", tell=heard.append) == ["t"]
            assert heard == ["hello"]
            with pytest.raises(NotReadOnly):
                await reader.run(write)
            first = await reader.run(pid)
        async with readers.reader(1, VERSION, "sqlite", settings) as reader:
            assert await reader.run(pid) == first != os.getpid()
        missing = SourceSettings(path=tmp_path / "none.sqlite3")
        async with readers.reader(2, VERSION, "sqlite", missing) as reader:
            with pytest.raises(PathNotFound):
                await reader.run(pid)

    with_readers(tmp_path, scenario)


def test_one_that_does_not_listen_is_killed_within_a_second(tmp_path: Path) -> None:
    async def scenario(readers: SourceReaders, settings: SourceSettings) -> None:
        stuck = asyncio.Event()
        async with readers.reader(1, VERSION, "sqlite", settings) as reader:
            task = asyncio.ensure_future(reader.run(never_listen, tell=lambda _: stuck.set()))
            await asyncio.wait_for(stuck.wait(), 30)
            number, began = reader.pid, time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert time.monotonic() - began < 1.0
            assert not reader.is_alive
        await readers.close()
        assert not psutil.pid_exists(number)

    with_readers(tmp_path, scenario)


def test_the_next_gets_another_after_one_died(tmp_path: Path) -> None:
    async def scenario(readers: SourceReaders, settings: SourceSettings) -> None:
        async with readers.reader(1, VERSION, "sqlite", settings) as reader:
            with pytest.raises(ReaderLostError):
                await reader.run(die)
        async with readers.reader(1, VERSION, "sqlite", settings) as reader:
            assert await reader.run(names, "again") == ["t"]

    with_readers(tmp_path, scenario)


def test_a_source_has_no_more_readers_than_connections(tmp_path: Path) -> None:
    async def scenario(readers: SourceReaders, settings: SourceSettings) -> None:
        async with readers.reader(1, VERSION, "sqlite", settings):
            second = asyncio.ensure_future(entered(readers, settings))
            done, _ = await asyncio.wait((second,), timeout=0.05)
            assert not done
        assert (await asyncio.wait_for(second, 30)).pid not in (None, os.getpid())

    async def entered(readers: SourceReaders, settings: SourceSettings) -> Reader:
        async with readers.reader(1, VERSION, "sqlite", settings) as reader:
            return reader

    with_readers(tmp_path, scenario)


def test_idle_ones_end(tmp_path: Path) -> None:
    async def scenario(readers: SourceReaders, settings: SourceSettings) -> None:
        async with readers.reader(1, VERSION, "sqlite", settings) as reader:
            number = await reader.run(pid)
        async with asyncio.timeout(30):
            while psutil.pid_exists(number):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
        assert readers.pids == []

    with_readers(tmp_path, scenario, idle_seconds=0.0)
