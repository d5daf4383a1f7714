"""Processes that die under runs: real ones, over a real PostgreSQL, and the heartbeats that tell."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from run_jobs import DONE, lines
from run_nodes import RunProcess, asking, run_when, start, until

from handlers.durable_runs import DurableRuns
from storage import executors, runs, schedules
from storage.database import Database
from storage.schedules import Plan
from tests.storage.opened import with_database

# Short against a test, long against a beat: a fifth of it.
SILENCE = 1.0


class Processes(list[RunProcess]):
    """What a test started, and what is to be killed after it."""

    def start(self, url: str, folder: Path, *, takeover_seconds: float = SILENCE) -> RunProcess:
        self.append(RunProcess(url, folder, takeover_seconds=takeover_seconds))
        return self[-1]

    def named(self, name: str | None) -> RunProcess:
        return next(process for process in self if process.name == name)


@pytest.fixture
def processes() -> Iterator[Processes]:
    started = Processes()
    yield started
    for process in started:
        process.kill()


def test_a_killed_process_goes_on_at_the_next_step(sqlite_url: str, tmp_path: Path, processes: Processes) -> None:
    """The one server of a file: whoever comes next knows at once that the other is dead."""

    async def scenario() -> None:
        async with asking(sqlite_url, tmp_path) as asker:
            await start(asker, "r", "count", steps=5, gate=3)
            first = processes.start(sqlite_url, tmp_path, takeover_seconds=3600.0).ready()
            await until(lambda: "began 3" in lines(tmp_path, "r"), lambda: "it did not begin")
            first.kill()
            (tmp_path / "open").touch()
            second = processes.start(sqlite_url, tmp_path, takeover_seconds=3600.0).ready()
            run = await run_when(asker.service._database, "r")
            assert (run.state, run.attempt, run.losses, run.node_id) == (runs.SUCCEEDED, 2, 1, second.name)
            assert json.loads(run.result or "")["numbers"] == [0, 10, 20, 30, 40]
            done = Counter(lines(tmp_path, "r"))
            assert [done[f"did {number}"] for number in range(5)] == [1] * 5
            # Only what was under way is done again.
            assert [done[f"began {number}"] for number in range(5)] == [1, 1, 1, 2, 1]

    asyncio.run(scenario())


def test_a_dead_processs_runs_are_taken_over_and_nothing_is_done_twice(
    postgres_url: str, tmp_path: Path, processes: Processes
) -> None:
    async def scenario() -> None:
        async with asking(postgres_url, tmp_path) as asker:
            two = [processes.start(postgres_url, tmp_path) for _ in range(2)]
            for process in two:
                process.ready()
            names = [f"r{number}" for number in range(12)]
            for name in names:
                await start(asker, name, "count", steps=4, gate=2)
            began = [await run_when(asker.service._database, name, is_running) for name in names]
            await until(lambda: all("began 2" in lines(tmp_path, name) for name in names), lambda: "they did not begin")
            # Both have some, and which has how many does not matter.
            executing = Counter(run.node_id for run in began)
            victim = processes.named(executing.most_common(1)[0][0])
            victim.kill()
            (tmp_path / "open").touch()
            ended = [await run_when(asker.service._database, name) for name in names]
            assert {run.state for run in ended} == {runs.SUCCEEDED}
            assert victim.name not in {run.node_id for run in ended}
            for before, run in zip(began, ended, strict=True):
                was_lost = before.node_id == victim.name
                assert (run.attempt, run.losses) == ((2, 1) if was_lost else (1, 0))
                done = Counter(lines(tmp_path, run.id))
                assert [done[f"did {number}"] for number in range(4)] == [1, 1, 1, 1]
                assert [done[f"began {number}"] for number in range(4)] == [1, 1, 2 if was_lost else 1, 1]

    asyncio.run(scenario())


def is_running(run: runs.Run) -> bool:
    return run.state == runs.RUNNING


def test_each_due_time_is_run_once_by_two_processes_of_which_one_dies(
    postgres_url: str, tmp_path: Path, processes: Processes
) -> None:
    async def scenario() -> None:
        async with asking(postgres_url, tmp_path) as asker:
            two = [processes.start(postgres_url, tmp_path) for _ in range(2)]
            for process in two:
                process.ready()
            schedule_id = await schedule_each_second(asker)
            await until(lambda: len(steps_done(tmp_path)) >= 3, lambda: "too few runs")
            two[0].kill()
            killed_at = len(steps_done(tmp_path))
            await until(lambda: len(steps_done(tmp_path)) >= killed_at + 4, lambda: "nobody goes on")
            async with asker.service._database.write() as connection:
                await schedules.remove(connection, schedule_id)
            for name in await unfinished(asker):
                await run_when(asker.service._database, name)
            async with asker.service._database.read() as connection:
                everything = await runs.list_of(connection, workspace_id="lab", limit=1000)
            due = sorted(run.due_at for run in everything if run.due_at is not None)
            # Every second, without a gap. Each step was done once, or again if it was not recorded at the kill.
            assert due == [due[0] + timedelta(seconds=number) for number in range(len(due))]
            done = Counter(steps_done(tmp_path))
            for run in everything:
                assert run.state == runs.SUCCEEDED
                assert done[run.id] == 1 or (run.losses, done[run.id]) == (1, 2), run

    asyncio.run(scenario())


async def schedule_each_second(asker: DurableRuns) -> int:
    plan = Plan("each second", "count", '{"steps":1,"gate":null}', "* * * * * *", "UTC", None, "skip", "queue", True)
    now = datetime.now(UTC)
    async with asker.service._database.write() as connection:
        row = await schedules.create(connection, "lab", plan, next_run_at=now.replace(microsecond=0), by="ada", at=now)
    return row.id


def steps_done(folder: Path) -> list[str]:
    """Of which run each step is that was done."""
    path = folder / DONE
    return re.findall(r"^(\S+) did 0 ", path.read_text(), re.MULTILINE) if path.exists() else []


async def unfinished(asker: DurableRuns) -> list[str]:
    async with asker.service._database.read() as connection:
        everything = await runs.list_of(connection, workspace_id="lab", limit=1000)
    return [run.id for run in everything if run.finished_at is None]


def test_a_process_that_stops_in_order_is_taken_over_from_at_once(
    postgres_url: str, tmp_path: Path, processes: Processes
) -> None:
    async def scenario() -> None:
        async with asking(postgres_url, tmp_path) as asker:
            await start(asker, "r", "count", steps=3, gate=1)
            first = processes.start(postgres_url, tmp_path, takeover_seconds=3600.0).ready()
            await until(lambda: "began 1" in lines(tmp_path, "r"), lambda: "it did not begin")
            second = processes.start(postgres_url, tmp_path, takeover_seconds=3600.0).ready()
            asyncio.get_running_loop().call_later(0.2, (tmp_path / "open").touch)
            assert await asyncio.to_thread(first.stop) == 0
            run = await run_when(asker.service._database, "r")
            assert (run.state, run.losses) == (runs.SUCCEEDED, 0)
            done = Counter(lines(tmp_path, "r"))
            assert [done[f"did {number}"] for number in range(3)] == [1] * 3
            assert run.node_id in (first.name, second.name)

    asyncio.run(scenario())


def test_only_one_of_all_takes_over(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            assert not await executors.beat(connection, "dead")
            assert await executors.beat(connection, "dead")
            await executors.beat(connection, "one")
            [seen] = await executors.others(connection, "one")
        assert (seen.id, seen.beat, seen.has_left) == ("dead", 2, False)
        claims = []
        for _ in range(3):
            async with database.write() as connection:
                claims.append(await executors.claim(connection, seen))
        assert claims == [True, False, False]
        async with database.write() as connection:
            # It was alive after all: what it says now shows that nobody must claim what they saw before.
            [claimed] = await executors.others(connection, "one")
            assert await executors.beat(connection, "dead")
            assert not await executors.claim(connection, claimed)
            await executors.leave(connection, "dead")
            [left] = await executors.others(connection, "one")
            assert left.has_left
            await executors.remove(connection, "dead")
            assert await executors.others(connection, "one") == []
            assert not await executors.beat(connection, "dead")

    with_database(database_url, body)


def test_a_process_under_which_too_many_died_is_not_tried_for_ever(
    sqlite_url: str, tmp_path: Path, processes: Processes
) -> None:
    async def scenario() -> None:
        async with asking(sqlite_url, tmp_path) as asker:
            run = await start(asker, "r", "count")
            async with asker.service._database.write() as connection:
                for _ in range(5):
                    await runs.begin(connection, "r", node_id="gone", at=run.created_at)
                    await runs.lost(connection, "gone")
                await runs.wait_again(connection, "r")
            processes.start(sqlite_url, tmp_path).ready()
            failed = await run_when(asker.service._database, "r")
            assert (failed.state, failed.error_code) == (runs.FAILED, "deadly")
            assert lines(tmp_path, "r") == []

    asyncio.run(scenario())
