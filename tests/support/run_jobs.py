"""Jobs of the tests' own: what each step does is written into a file, so that one sees what was done, where, how often.

    python tests/support/run_jobs.py DATABASE_URL FOLDER TAKEOVER_SECONDS

is a process that executes them, and runs schedules, until it is killed, or asked by SIGTERM to stop.
"""

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

import msgspec
from http_node import executing

from handlers.jobs import Job, Retries, Run, StepFailed
from handlers.schedules.firing import keep_schedules

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


JOBS = (
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
        by_clock = asyncio.create_task(keep_schedules(node.parts))
        print("ready", flush=True)
        await stop.wait()
        by_clock.cancel()


if __name__ == "__main__":
    asyncio.run(main())
