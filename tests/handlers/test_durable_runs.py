"""Durable runs in one process: recorded steps, one run an id, cancelling, failing, and going on after a stop."""

import asyncio
import gc
import json
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from http_node import serving
from run_jobs import JOBS, lines
from run_nodes import asking, run_when, start, until, working

from handlers import run_engine
from handlers.registry import Conflict, InvalidRequest
from storage import durable_place, runs
from storage.database import Database
from storage.runs import Progress

LAG = 0.25


def test_a_run_does_its_steps_and_tells_what_came_of_them(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with working(database_url, tmp_path) as node:
            asker = node.parts.runs
            await start(asker, "r", "count", steps=3)
            run = await run_when(node.parts.database, "r")
            assert (run.state, run.attempt, run.node_id) == (runs.SUCCEEDED, 1, "node")
            assert json.loads(run.result or "")["numbers"] == [0, 10, 20]
            assert (run.done, run.total, run.note) == (3, 3, "step 2")
            assert lines(tmp_path, "r") == ["began 0", "did 0", "began 1", "did 1", "began 2", "did 2"]

    asyncio.run(scenario())


def test_two_starts_with_one_id_are_one_run(engine_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with working(engine_url, tmp_path) as node:
            asker = node.parts.runs

            async def begin(steps: int = 1) -> bool:
                _, is_new = await asker.start("r", "count", {"steps": steps}, workspace_id="lab", created_by="ada")
                return is_new

            assert sorted(await asyncio.gather(begin(), begin())) == [False, True]
            await run_when(node.parts.database, "r")
            assert not await begin()
            # One that is started later is done later: whatever the first led to is done by then.
            await start(asker, "later", "count", steps=1)
            await run_when(node.parts.database, "later")
            assert lines(tmp_path, "r") == ["began 0", "did 0"]
            with pytest.raises(Conflict, match="stands for another run"):
                await begin(steps=2)

    asyncio.run(scenario())


def test_the_engine_too_takes_an_id_once(engine_url: str, tmp_path: Path) -> None:
    """Nodes may hand over the same run at the same time, and a node may die before it notes that it did."""

    async def scenario() -> None:
        async with working(engine_url, tmp_path) as node:
            asker, database = node.parts.runs, node.parts.database
            await start(asker, "r", "count", steps=2, gate=1)
            await until(lambda: "began 1" in lines(tmp_path, "r"), lambda: "it did not begin")
            async with database.write() as connection:
                await runs.wait_again(connection, "r")
            asker.tell()
            await run_when(database, "r", lambda run: run.state == runs.QUEUED)
            # They are begun in their order: what was handed over a second time would have begun by then.
            await start(asker, "later", "count", steps=1)
            await run_when(database, "later")
            assert lines(tmp_path, "r") == ["began 0", "did 0", "began 1"]
            (tmp_path / "open").touch()
            assert (await run_when(database, "r")).attempt == 1

    asyncio.run(scenario())


def test_a_cancelled_run_is_stopped_within_a_second(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asking(database_url, tmp_path) as asker, working(database_url, tmp_path) as node:
            await start(asker, "r", "stick")
            await until(lambda: lines(tmp_path, "r") == ["stays"], lambda: "it did not begin")
            # The asker's bus is its own: the node hears nothing, and has to look.
            began = time.monotonic()
            assert await asker.cancel("r")
            await until(lambda: lines(tmp_path, "r") == ["stays", "stopped"], lambda: "it was not stopped")
            assert time.monotonic() - began < 1.0
            run = await run_when(node.parts.database, "r")
            assert run.state == runs.CANCELLED
            assert not await asker.cancel("r")

    asyncio.run(scenario())


def test_a_run_that_is_cancelled_before_it_begins_does_nothing(engine_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asking(engine_url, tmp_path) as asker:
            await start(asker, "r", "count")
            await asker.cancel("r")
            async with working(engine_url, tmp_path) as node:
                await start(asker, "later", "count", steps=1)
                await run_when(node.parts.database, "later")
                assert (await run_when(node.parts.database, "r")).state == runs.CANCELLED
        assert lines(tmp_path, "r") == []

    asyncio.run(scenario())


def test_steps_side_by_side_answer_in_their_order_and_fail_alone(engine_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with working(engine_url, tmp_path) as node:
            asker = node.parts.runs
            await start(asker, "r", "spread", steps=8)
            run = await run_when(node.parts.database, "r")
            assert json.loads(run.result or "")["numbers"] == [0, 0, -1, 1, 2, -1, 3, 3]

    asyncio.run(scenario())


def test_a_step_may_be_tried_again_and_a_failure_says_why(engine_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with working(engine_url, tmp_path) as node:
            asker = node.parts.runs
            await start(asker, "stubborn", "insist")
            await start(asker, "hopeless", "give_up")
            await start(asker, "strange", "nobody knows")
            database = node.parts.database
            assert (await run_when(database, "stubborn")).state == runs.SUCCEEDED
            assert lines(tmp_path, "stubborn") == ["tries"] * 3
            failed = await run_when(database, "hopeless")
            assert (failed.state, failed.error_code, failed.error_message) == (
                runs.FAILED,
                "impossible",
                "This cannot be done.",
            )
            assert (await run_when(database, "strange")).error_code == "unknown_job"

    asyncio.run(scenario())


def test_arguments_are_checked_before_anything_is_started(engine_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asking(engine_url, tmp_path) as asker:
            job = asker.job("count")
            assert asker.checked(job, {}) == {"steps": 3, "gate": None}
            with pytest.raises(InvalidRequest, match="takes no 'stepz'; it takes steps, gate"):
                asker.checked(job, {"stepz": 1})
            with pytest.raises(InvalidRequest, match=r"Expected `int`, got `str` - at `\$.steps`"):
                asker.checked(job, {"steps": "3"})
            with pytest.raises(InvalidRequest, match="there is no job 'cuont'; there are ask, count,"):
                asker.job("cuont")

    asyncio.run(scenario())


def test_a_node_that_stops_ends_its_steps_and_leaves_the_rest_to_the_next(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asking(database_url, tmp_path) as asker:
            async with working(database_url, tmp_path, node_id="first"):
                await start(asker, "r", "count", steps=4, gate=2)
                await until(lambda: "began 2" in lines(tmp_path, "r"), lambda: "it did not begin")
                asyncio.get_running_loop().call_later(0.1, (tmp_path / "open").touch)
            assert lines(tmp_path, "r") == ["began 0", "did 0", "began 1", "did 1", "began 2", "did 2"]
            async with working(database_url, tmp_path, node_id="second") as node:
                run = await run_when(node.parts.database, "r")
            assert (run.state, run.attempt, run.losses, run.node_id) == (runs.SUCCEEDED, 2, 0, "second")
            assert lines(tmp_path, "r")[6:] == ["began 3", "did 3"]

    asyncio.run(scenario())


def test_a_step_is_recorded_before_the_node_goes_however_slow_the_database(
    engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = run_engine.Engine.reserve

    def reserve_slowly(name: str) -> Callable[[run_engine.Work], Coroutine[Any, Any, Any]]:
        perform = reserve(name)

        async def perform_slowly(work: run_engine.Work) -> Any:
            async def slow_work() -> Any:
                answer = await work()
                await asyncio.sleep(0.3)
                return answer

            return await perform(slow_work)

        return perform_slowly

    async def scenario() -> None:
        async with working(engine_url, tmp_path, node_id="first") as node:
            await start(node.parts.runs, "r", "count", steps=2)
            await until(lambda: "did 0" in lines(tmp_path, "r"), lambda: "it did not begin")
        async with working(engine_url, tmp_path, node_id="second") as node:
            await run_when(node.parts.database, "r")
        assert lines(tmp_path, "r") == ["began 0", "did 0", "began 1", "did 1"]

    monkeypatch.setattr(run_engine.Engine, "reserve", staticmethod(reserve_slowly))
    asyncio.run(scenario())


def test_an_upgrade_of_the_engine_strands_no_run(
    engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself it goes on only with runs that its very release, and the very text of the workflow, began."""

    async def scenario() -> None:
        async with asking(engine_url, tmp_path) as asker:
            async with working(engine_url, tmp_path, node_id="old"):
                await start(asker, "r", "stick")
                await until(lambda: lines(tmp_path, "r") == ["stays"], lambda: "it did not begin")
            monkeypatch.setattr("dbos._utils.GlobalParams.dbos_version", "99.0.0")
            async with working(engine_url, tmp_path, node_id="new"):
                await until(lambda: lines(tmp_path, "r").count("stays") == 2, lambda: "nobody goes on with it")

    monkeypatch.setattr("http_node.GRACE_SECONDS", 0.0)
    asyncio.run(scenario())


def test_the_servers_own_threads_stay_its_own(engine_url: str, tmp_path: Path) -> None:
    """The engine would make its pool the default of every loop that calls it."""

    async def scenario() -> None:
        before = await default_executor_thread()
        async with working(engine_url, tmp_path) as node:
            asker = node.parts.runs
            await start(asker, "r", "count", steps=2, gate=1)
            await until(lambda: "began 1" in lines(tmp_path, "r"), lambda: "it did not begin")
            during = await default_executor_thread()
            (tmp_path / "open").touch()
            run = await run_when(node.parts.database, "r")
        assert before.startswith("asyncio_")
        assert during.startswith("asyncio_")
        assert (await default_executor_thread()).startswith("asyncio_")
        # The job decides on the engine's loop, its steps are done on the server's.
        assert json.loads(run.result or "")["thread"] != threading.current_thread().name

    async def default_executor_thread() -> str:
        return await asyncio.to_thread(lambda: threading.current_thread().name)

    asyncio.run(scenario())


def test_the_engine_has_a_bounded_number_of_threads_and_holds_up_nobody(engine_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with working(engine_url, tmp_path) as node:
            asker = node.parts.runs
            await start(asker, "first", "count", steps=1)
            await run_when(node.parts.database, "first")
            lags: list[float] = []
            # What a thousand other tests have left takes the collector longer than anything here.
            gc.collect()
            gc.freeze()
            watching = asyncio.create_task(watch(lags))
            for number in range(30):
                await start(asker, f"r{number}", "spread", steps=6)
            for number in range(30):
                await run_when(node.parts.database, f"r{number}")
            gc.unfreeze()
            names = [thread.name for thread in threading.enumerate()]
            watching.cancel()
            assert 0 < len([name for name in names if name.startswith("dbos-executor")]) <= run_engine.MAX_THREADS
            assert max(lags) < LAG, sorted(lags)[-5:]

    async def watch(lags: list[float]) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            lags.append(time.monotonic() - began - 0.01)

    asyncio.run(scenario())


def test_a_second_node_of_a_process_does_without_and_says_so(
    engine_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with working(engine_url, tmp_path) as one:
            asker = one.parts.runs
            await start(asker, "r", "count", steps=1, gate=0)
            await until(lambda: one.parts.runs.service.is_executing, lambda: "it does not execute")
            async with working(engine_url, tmp_path, node_id="other") as other:
                await until(lambda: "this one does not" in caplog.text, lambda: caplog.text)
                assert not other.parts.runs.service.is_executing
                (tmp_path / "open").touch()
                assert (await run_when(other.parts.database, "r")).node_id == "node"

    asyncio.run(scenario())


def test_without_runs_there_is_no_engine(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(sqlite_url, jobs=JOBS, folder=tmp_path) as node:
            service = asyncio.ensure_future(node.parts.runs.run(node.parts))
            node.parts.runs.tell()
            await until(lambda: not node.parts.runs.news.is_set(), lambda: "it does not look")
            assert not node.parts.runs.service.is_executing
            await node.parts.runs.close(1.0)
            await service
        assert not (tmp_path / "durable.sqlite3").exists()

    asyncio.run(scenario())


def test_what_the_engine_has_lost_is_begun_anew(engine_url: str, tmp_path: Path) -> None:
    """One of the two databases was restored from a backup, and the other not."""

    async def scenario() -> None:
        async with asking(engine_url, tmp_path) as asker:
            await start(asker, "r", "count", steps=1)
            database = asker.service._database
            async with database.write() as connection:
                await runs.taken_in(connection, ["r"])
            async with working(engine_url, tmp_path):
                assert (await run_when(database, "r")).state == runs.SUCCEEDED

    asyncio.run(scenario())


def test_what_an_attempt_says_that_was_taken_over_does_not_count(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asking(database_url, tmp_path) as asker:
            database: Database = asker.service._database
            await start(asker, "r", "count")
            now = asker._now()
            async with database.write() as connection:
                old = await runs.begin(connection, "r", node_id="one", at=now)
                new = await runs.begin(connection, "r", node_id="two", at=now)
                assert old is not None
                assert new is not None
                await runs.tell_progress(connection, "r", old.attempt, Progress(7, 9))
                ending = runs.Ending(runs.FAILED, error_code="x", error_message="X.")
                assert not await runs.end(connection, "r", old.attempt, ending, Progress(), at=now)
                assert await runs.end(connection, "r", new.attempt, runs.Ending(runs.SUCCEEDED), Progress(3), at=now)
                run = await runs.get(connection, "r")
            assert run is not None
            assert (run.state, run.done, run.node_id) == (runs.SUCCEEDED, 3, "two")

    asyncio.run(scenario())


class _Records(logging.Handler):
    """What is logged, as text; `raised` is set once the engine had an exception to log, whether or not it was."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        self.raised = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(f"{record.levelname} {record.getMessage()} {record.exc_info and record.exc_info[1]}")

    def see(self, record: logging.LogRecord) -> bool:
        """As the first filter of a logger: all pass."""
        if record.exc_info:
            self.raised.set()
        return True


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_the_log_tells_of_failures_and_not_of_what_was_cancelled(
    sqlite_url: str, tmp_path: Path, is_cancelled: bool
) -> None:
    engine, records = run_engine.Engine("one"), _Records()

    async def execute(run_id: str) -> None:
        """Ends at the very moment at which it is cancelled, or fails."""
        if not is_cancelled:
            raise ValueError("no such thing")
        # A thread that knows nothing of the run that it cancels.
        cancelling = threading.Thread(target=engine.cancel, args=(run_id,))
        cancelling.start()
        cancelling.join()

    async def prepared() -> str:
        database = await Database.open(sqlite_url)
        await database.migrate()
        try:
            return await asyncio.to_thread(durable_place.prepare, database)
        finally:
            await database.close()

    logging.getLogger().addHandler(records)
    engine.start(asyncio.run(prepared()), execute)
    logging.getLogger("dbos").filters.insert(0, records.see)
    try:
        engine.enqueue("r", waits=False)
        assert records.raised.wait(30)
    finally:
        engine.stop()
        logging.getLogger("dbos").removeFilter(records.see)
        logging.getLogger().removeHandler(records)
    assert bool(records.texts) == (not is_cancelled), records.texts
    assert all("no such thing" in text for text in records.texts)
