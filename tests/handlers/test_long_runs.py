"""Runs that do several things at once and wait: side by side, for a time, for an answer, for other runs; and dying."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from run_jobs import lines
from run_nodes import RunProcess, asking, run_when, start, until, working

from handlers.durable_runs import DurableRuns
from storage import run_signals, runs
from storage.run_signals import Signal

SILENCE = 1.0


@pytest.fixture
def processes() -> Iterator[list[RunProcess]]:
    started: list[RunProcess] = []
    yield started
    for process in started:
        process.kill()


async def signal_of(asker: DurableRuns, run_id: str, topic: str) -> Signal:
    """Once the run waits for it."""
    async with asyncio.timeout(30):
        while True:
            async with asker.service._database.read() as connection:
                if found := await run_signals.find(connection, run_id, topic):
                    return found
            await asyncio.sleep(0.01)


async def tell(asker: DurableRuns, run_id: str, value: object) -> bool:
    async with asker.service._database.write() as connection:
        is_first = await asker.signals.send(connection, run_id, "question", value)
    asker.signals.tell(run_id)
    return is_first


def test_a_killed_process_goes_on_with_each_lane_where_it_was(
    database_url: str, tmp_path: Path, processes: list[RunProcess]
) -> None:
    async def scenario() -> None:
        async with asking(database_url, tmp_path) as asker:
            await start(asker, "r", "side_by_side", lanes=4, steps=3)
            processes.append(RunProcess(database_url, tmp_path, takeover_seconds=SILENCE).ready())
            await until(lambda: len(lines(tmp_path, "r")) == 21, lambda: str(lines(tmp_path, "r")))
            processes[0].kill()
            before = lines(tmp_path, "r")
            (tmp_path / "open").touch()
            processes.append(RunProcess(database_url, tmp_path, takeover_seconds=SILENCE).ready())
            run = await run_when(asker.service._database, "r")
        assert (run.state, run.attempt, run.losses) == (runs.SUCCEEDED, 2, 1)
        done = Counter(lines(tmp_path, "r"))
        everything = sorted(lane * 10 + step for lane in range(4) for step in range(3))
        assert sorted(json.loads(run.result or "")["numbers"]) == everything
        # What had ended is not done again; what was under way is, once. Of the last of the first lane, either may be.
        assert all(done[f"did {lane}.{step}"] == 1 for lane in range(4) for step in range(2)), done
        assert all(done[f"began {lane}.2"] == 2 for lane in range(1, 4)), (before, done)

    asyncio.run(scenario())


def test_a_sleep_goes_on_where_it_was_in_another_process(
    database_url: str, tmp_path: Path, processes: list[RunProcess]
) -> None:
    async def scenario() -> None:
        async with asking(database_url, tmp_path) as asker:
            await start(asker, "r", "nap", seconds=1.5)
            processes.append(RunProcess(database_url, tmp_path, takeover_seconds=SILENCE).ready())
            before = await signal_of(asker, "r", "nap")
            processes[0].kill()
            processes.append(RunProcess(database_url, tmp_path, takeover_seconds=SILENCE).ready())
            run = await run_when(asker.service._database, "r")
            assert await signal_of(asker, "r", "nap") == before
            assert before.expires_at is not None
            assert run.finished_at is not None
            assert run.finished_at >= before.expires_at - timedelta(seconds=0.05)
            assert (run.state, run.attempt) == (runs.SUCCEEDED, 2)

    asyncio.run(scenario())


def test_an_answer_that_comes_while_nobody_runs_is_there_for_whoever_goes_on(
    database_url: str, tmp_path: Path, processes: list[RunProcess]
) -> None:
    async def scenario() -> None:
        async with asking(database_url, tmp_path) as asker:
            await start(asker, "r", "ask")
            processes.append(RunProcess(database_url, tmp_path, takeover_seconds=SILENCE).ready())
            await signal_of(asker, "r", "question")
            processes[0].kill()
            assert await tell(asker, "r", {"yes": 1})
            assert not await tell(asker, "r", "too late")
            processes.append(RunProcess(database_url, tmp_path, takeover_seconds=SILENCE).ready())
            run = await run_when(asker.service._database, "r")
            assert json.loads(run.result or "") == {"answer": {"yes": 1}}
            assert lines(tmp_path, "r") == ["began 0.0", "did 0.0"]

    asyncio.run(scenario())


def test_whoever_waits_is_woken_at_once_and_gives_up_in_time(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with working(database_url, tmp_path) as node:
            asker = node.parts.runs
            await start(asker, "r", "ask")
            await signal_of(asker, "r", "question")
            began = time.monotonic()
            await tell(asker, "r", "now")
            run = await run_when(node.parts.database, "r")
            assert json.loads(run.result or "") == {"answer": "now"}
            assert time.monotonic() - began < 1.0
            await start(asker, "late", "ask", seconds=0.05)
            assert json.loads((await run_when(node.parts.database, "late")).result or "") == {"answer": None}

    asyncio.run(scenario())


def test_a_time_that_passed_while_nobody_ran_is_not_waited_for_again(engine_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asking(engine_url, tmp_path) as asker:
            async with working(engine_url, tmp_path, node_id="first"):
                await start(asker, "r", "nap", seconds=1000.0)
                await signal_of(asker, "r", "nap")
                began = time.monotonic()
            # Who only waits holds up nobody who stops.
            assert time.monotonic() - began < 2.5
            async with working(engine_url, tmp_path, node_id="second") as node:
                node.clock += timedelta(seconds=1001)
                await run_when(node.parts.database, "r")
                assert lines(tmp_path, "r") == ["began 0.0", "did 0.0"]

    asyncio.run(scenario())


def test_children_are_runs_of_their_own_and_end_with_their_parent(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with working(database_url, tmp_path) as node:
            asker, database = node.parts.runs, node.parts.database
            await start(asker, "r", "raise", children={"a": ("count", {"steps": 2}), "b": ("give_up", {})})
            told = json.loads((await run_when(database, "r")).result or "")["answer"]
            assert (told["a"]["state"], told["a"]["result"]["numbers"]) == ("succeeded", [0, 10])
            assert (told["b"]["state"], told["b"]["error_code"]) == ("failed", "impossible")
            assert (await run_when(database, "r:a")).parent_id == "r"
            await start(asker, "s", "raise", children={"a": ("raise", {"children": {"b": ("stick", {})}})})
            await until(lambda: lines(tmp_path, "s:a:b") == ["stays"], lambda: "it did not begin")
            await asker.cancel("s")
            await until(lambda: lines(tmp_path, "s:a:b")[-1] == "stopped", lambda: "it was not stopped")
            states = [(await run_when(database, run_id)).state for run_id in ("s", "s:a", "s:a:b")]
            assert states == [runs.CANCELLED] * 3

    asyncio.run(scenario())


def test_those_that_wait_take_no_place_from_those_that_work(engine_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with working(engine_url, tmp_path) as node:
            asker, database = node.parts.runs, node.parts.database
            for number in range(25):
                await start(asker, f"w{number}", "ask")
            for number in range(25):
                await signal_of(asker, f"w{number}", "question")
            await start(asker, "r", "count", steps=1)
            assert (await run_when(database, "r")).state == runs.SUCCEEDED
            for number in range(25):
                await tell(asker, f"w{number}", number)
            for number in range(25):
                assert json.loads((await run_when(database, f"w{number}")).result or "") == {"answer": number}

    asyncio.run(scenario())
