"""Jobs of the tests' own: what each step does is written into a file, so that one sees what was done, where, how often.

    python tests/support/run_jobs.py DATABASE_URL FOLDER TAKEOVER_SECONDS

is a process that executes them, and runs schedules, until it is killed, or asked by SIGTERM to stop.
"""

import asyncio
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from http_node import Node, executing

from analysis.workflow.action_parameters import OperationParameters
from handlers.jobs import Job, LongRun, Retries, Run, StepFailed
from handlers.schedules.firing import keep_schedules
from handlers.workflow_runs.flow_nodes import filled
from handlers.workflow_runs.job import jobs as workflow_jobs
from handlers.workflow_runs.outcomes import Given, Task

DONE = "steps.txt"


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Each step is a line in the file. Those from `gate` on wait until the file `open` is there."""

    steps: int = 3
    gate: int | None = None


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    numbers: list[int]
    thread: str


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    pass


async def count(run: Run, arguments: Count) -> Counted:
    numbers = []
    for number in range(arguments.steps):
        numbers.append(await run.step(note, run, number, arguments.gate))
        run.tell(number + 1, arguments.steps, f"step {number}")
    return Counted(numbers=numbers, thread=threading.current_thread().name)


async def note(run: Run, number: int, gate: int | None) -> int:
    write(run, f"began {number}")
    while gate is not None and number >= gate and not (run.folder / "open").exists():  # noqa: ASYNC110 - another process opens
        await asyncio.sleep(0.005)
    write(run, f"did {number}")
    return number * 10


async def stick(run: Run, _: Nothing) -> None:
    await run.step(stay, run)


async def stay(run: Run) -> None:
    write(run, "stays")
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        write(run, "stopped")
        raise


async def spread(run: Run, arguments: Count) -> Counted:
    """The steps side by side; every third one fails."""
    outcomes = await run.each(halve, list(range(arguments.steps)), at_once=4)
    return Counted(numbers=[-1 if isinstance(one, StepFailed) else one for one in outcomes], thread="")


async def halve(number: int) -> int:
    if number % 3 == 2:
        raise ValueError(f"{number} cannot be halved")
    await asyncio.sleep(0)
    return number // 2


async def insist(run: Run, _: Nothing) -> None:
    await run.step(fail_twice, run, retries=Retries(attempts=3, pause=0.001))


async def fail_twice(run: Run) -> None:
    write(run, "tries")
    if len(lines(run.folder, run.id)) < 3:
        raise OSError("not yet")


async def give_up(run: Run, _: Nothing) -> None:
    await run.step(refuse)


async def refuse() -> None:
    raise StepFailed("This cannot be done.", code="impossible")


class Lanes(msgspec.Struct, frozen=True, kw_only=True):
    """So many lanes of so many steps. The last step of each but the first waits for the file `open`."""

    lanes: int = 3
    steps: int = 3


async def side_by_side(run: LongRun, arguments: Lanes) -> Counted:
    """What each lane does next is begun as soon as its step has ended, whatever the others do."""
    under_way = {run.begin(pace, run, lane, 0, name=f"{lane}.0"): (lane, 0) for lane in range(arguments.lanes)}
    ended = []
    while under_way:
        for done in await run.first(list(under_way)):
            lane, step = under_way.pop(done)
            ended.append(lane * 10 + step)
            if step + 1 < arguments.steps:
                gated = lane > 0 and step + 2 == arguments.steps
                under_way[run.begin(pace, run, lane, step + 1, gated, name=f"{lane}.{step + 1}")] = (lane, step + 1)
    return Counted(numbers=ended, thread="")


async def pace(run: Run, lane: int, step: int, gated: bool = False) -> int:
    write(run, f"began {lane}.{step}")
    while gated and not (run.folder / "open").exists():  # noqa: ASYNC110 - another process opens
        await asyncio.sleep(0.005)
    # The earlier lanes are the slower ones.
    await asyncio.sleep(0.01 / (lane + 1))
    write(run, f"did {lane}.{step}")
    return step


class Nap(msgspec.Struct, frozen=True, kw_only=True):
    seconds: float


async def nap(run: LongRun, arguments: Nap) -> None:
    await run.sleep(arguments.seconds, "nap")
    await run.step(pace, run, 0, 0)


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    seconds: float | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    answer: Any


async def ask(run: LongRun, arguments: Ask) -> Told:
    await run.step(pace, run, 0, 0)
    return Told(answer=await run.receive("question", arguments.seconds))


class Raise(msgspec.Struct, frozen=True, kw_only=True):
    """Children, by job, with what they are told."""

    children: dict[str, tuple[str, dict[str, Any]]]


async def raise_children(run: LongRun, arguments: Raise) -> Told:
    begun = {name: run.child(f"{run.id}:{name}", *what) for name, what in arguments.children.items()}
    left = list(begun.values())
    while left:
        for one in await run.first(left):
            left.remove(one)
    return Told(answer={name: one.outcome() for name, one in begun.items()})


async def work(task: Task) -> Given:
    """A node that does something: takes `seconds`, fails so many times, and gives `value`."""
    params = await filled(task, OperationParameters)
    write(task.run, f"began {task.place}")
    wanted = params.parameters
    await asyncio.sleep(wanted.get("seconds", 0))
    if task.attempt <= wanted.get("failures", 0):
        raise StepFailed("Not this time.", code="not_yet")
    write(task.run, f"did {task.place} as {task.key}")
    return Given(output=wanted.get("value"))


JOBS = (
    *workflow_jobs({"operation": work}),
    Job("side_by_side", Lanes, side_by_side, "Lanes of steps.", waits=True),
    Job("nap", Nap, nap, "Sleep.", waits=True),
    Job("ask", Ask, ask, "Wait to be told.", waits=True),
    Job("raise", Raise, raise_children, "Have children.", waits=True),
    Job("count", Count, count, "Count."),
    Job("stick", Nothing, stick, "Never end."),
    Job("spread", Count, spread, "Halve numbers side by side."),
    Job("insist", Nothing, insist, "Try three times."),
    Job("give_up", Nothing, give_up, "Fail."),
)


def write(run: Run, what: str) -> None:
    """A line of the run, written at once and whole, whoever else writes."""
    with (run.folder / DONE).open("a") as file:
        file.write(f"{run.id} {what} {os.getpid()}\n")


def lines(folder: Path, run_id: str) -> list[str]:
    """What the steps of the run did, without where."""
    path = folder / DONE
    everything = path.read_text().splitlines() if path.exists() else []
    return [line.rsplit(" ", 1)[0].split(" ", 1)[1] for line in everything if line.startswith(f"{run_id} ")]


async def main() -> None:
    url, folder, takeover_seconds = sys.argv[1:]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    name = f"process-{os.getpid()}"
    async with executing(
        url, jobs=JOBS, folder=Path(folder), node_id=name, takeover_seconds=float(takeover_seconds)
    ) as node:
        ticking = asyncio.create_task(tick(node))
        by_clock = asyncio.create_task(keep_schedules(node.parts))
        print("ready", flush=True)
        await stop.wait()
        by_clock.cancel()
        ticking.cancel()


async def tick(node: Node) -> None:
    """The node's clock shows the time."""
    while True:
        node.clock = datetime.now(UTC)
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main())
