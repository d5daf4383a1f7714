"""Whoever goes away takes the work along: the statement at the source stops, and so does the process."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from analysed import Analyst, analyse, until

from handlers.analytics.stopping import Course, OutOfTime, Stopped
from handlers.analytics.tasks import Told

# A view whose rows take for ever.
SLOW = """
CREATE VIEW slow AS SELECT i AS a, i * 2 AS b FROM range(100000000000) r(i) WHERE hash(i) % 1000000007 = 3;
CREATE TABLE quick AS SELECT i AS a, hash(i) % 97 AS b FROM range(1000) r(i);
"""


def test_a_client_that_goes_away_stops_the_statement(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        ids = await analyst.duckdb(SLOW)
        slow = ids["slow"]
        asking = asyncio.create_task(analyst.ada.get(f"/analytics/correlations/{slow}", params={"wait": 60}))
        readers, computations = analyst.node.parts.readers, analyst.node.parts.computations
        await until(lambda: len(readers.pids) == 1, "a process has begun")
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(lambda: computations.underway == 0, "nothing is computed")
        # The process is free for the next who asks, or another takes its place: nobody waits for what was left.
        answer = await analyst.ask("correlations", ids["quick"], seconds=20)
        assert answer["state"] == "done"

    analyse(sqlite_url, tmp_path, scenario)


def test_who_does_not_wait_is_told_to_ask_again(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        slow = (await analyst.duckdb(SLOW))["slow"]
        told = await analyst.get(f"/analytics/correlations/{slow}", wait=0, seconds=3)
        assert (told["state"], told["result"], told["feed"]) == ("computing", None, f"analytics.{slow}")
        assert told["progress"]["seconds"] >= 0
        assert analyst.node.parts.computations.underway == 1
        failed = await analyst.ask("correlations", slow, wait=60, seconds=3)
        assert (failed["state"], failed["error"]["code"], failed["rows"]["read"]) == ("failed", "out_of_time", 0)
        assert "within 3 s" in failed["error"]["message"]
        # It is not tried again for everybody who asks at once, but for who gives it more time.
        assert (await analyst.ask("correlations", slow, seconds=3))["cached"]
        assert not (await analyst.ask("correlations", slow, seconds=2, wait=60))["cached"]
        assert (await analyst.get("/analytics/results", workspace_id="lab"))["items"] == []

    analyse(sqlite_url, tmp_path, scenario)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_course_ends_in_time_and_when_it_is_stopped() -> None:
    async def scenario() -> None:
        clock, told = Clock(), list[Any]()
        course = Course(10.0, told.append, clock)
        course.check()
        course.tell(0.1, "reading")
        course.tell(0.2, "left out: too soon")
        clock.now = 1.0
        course.part(0.5)(0.5, "computing")
        assert told == [Told(share=0.1, note="reading"), Told(share=0.75, note="computing")]
        assert course.left == 9.0
        clock.now = 11.0
        with pytest.raises(OutOfTime):
            course.check()
        clock.now = 0.0
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()
        seen: list[type[BaseException]] = []

        def work() -> None:
            loop.call_soon_threadsafe(begun.set)
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                try:
                    course.check()
                except Stopped as stopped:
                    seen.append(type(stopped))
                    raise

        computing = asyncio.create_task(course.compute(work))
        await begun.wait()
        computing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await computing
        assert seen == [Stopped]

    asyncio.run(scenario())
