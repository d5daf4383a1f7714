"""The thread that owns the update log's SQLite connection."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from storage.sqlite_thread import SqliteThread


def test_functions_run_in_order_on_one_thread(tmp_path: Path) -> None:
    async def run() -> None:
        thread = SqliteThread(tmp_path / "file", 1.0)
        done: list[int] = []

        def note(i: int) -> int:
            done.append(i)
            return threading.get_ident()

        idents = await asyncio.gather(*[thread.run(lambda _, i=i: note(i)) for i in range(20)])  # type: ignore[misc]
        thread.close()
        assert done == list(range(20))
        assert len(set(idents)) == 1
        assert threading.get_ident() not in idents

    asyncio.run(run())


def test_an_error_goes_to_who_waits_and_the_thread_goes_on(tmp_path: Path) -> None:
    async def run() -> None:
        thread = SqliteThread(tmp_path / "file", 1.0)
        with pytest.raises(sqlite3.OperationalError, match="syntax error"):
            await thread.run(lambda connection: connection.execute("SELEC"))
        assert await thread.run(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
        thread.close()

    asyncio.run(run())


def test_a_file_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    async def run() -> None:
        thread = SqliteThread(tmp_path / "folder" / "file", 1.0)
        with pytest.raises(sqlite3.OperationalError):
            await thread.run(lambda _: None)
        (tmp_path / "folder").mkdir()
        await thread.run(lambda _: None)
        thread.close()

    asyncio.run(run())


def test_closing_waits_for_what_was_given_before(tmp_path: Path) -> None:
    async def run() -> None:
        thread = SqliteThread(tmp_path / "file", 1.0)
        started, let_go = threading.Event(), threading.Event()

        def wait(_: sqlite3.Connection) -> str:
            started.set()
            let_go.wait(10)
            return "done"

        result = thread.run(wait)
        await asyncio.to_thread(started.wait, 10)
        closing = asyncio.create_task(asyncio.to_thread(thread.close))
        let_go.set()
        await closing
        assert await result == "done"
        with pytest.raises(RuntimeError):
            thread.run(lambda _: None)
        thread.close()

    asyncio.run(run())
