"""The worker pool, with real processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from handlers.workers import WorkerLostError, Workers, WorkerTimeoutError

ROOT = Path(__file__).resolve().parents[2]


def with_workers(case: Callable[[Workers], Awaitable[None]], **options: float) -> None:
    async def run() -> None:
        workers = Workers(time_limit_seconds=options.get("time_limit_seconds", 60.0))
        try:
            await case(workers)
        finally:
            await workers.close()

    asyncio.run(run())


def test_a_job_runs_in_another_process_that_is_kept() -> None:
    async def case(workers: Workers) -> None:
        first = await workers.run(os.getpid)
        assert first != os.getpid()
        assert await workers.run(os.getpid) == first
        assert await workers.run(divmod, 17, 5) == (3, 2)

    with_workers(case)


def test_the_worker_is_nicer_than_the_server() -> None:
    async def case(workers: Workers) -> None:
        assert await workers.run(os.nice, 0) == min(19, os.nice(0) + 5)

    with_workers(case)


def test_what_a_job_raises_is_raised_to_the_caller_and_the_pool_lives() -> None:
    async def case(workers: Workers) -> None:
        with pytest.raises(ZeroDivisionError):
            await workers.run(divmod, 1, 0)
        assert await workers.run(divmod, 1, 1) == (1, 0)

    with_workers(case)


def test_a_worker_that_was_killed_is_replaced_and_its_job_run_again() -> None:
    async def case(workers: Workers) -> None:
        child = await workers.run(os.getpid)
        job = asyncio.create_task(workers.run(time.sleep, 0.3))
        await asyncio.sleep(0)
        os.kill(child, signal.SIGKILL)
        await job
        assert await workers.run(os.getpid) != child

    with_workers(case)


def test_a_job_that_kills_its_worker_is_given_up_and_the_next_job_runs() -> None:
    async def case(workers: Workers) -> None:
        with pytest.raises(WorkerLostError, match="died"):
            await workers.run(os._exit, 1)
        assert await workers.run(divmod, 1, 1) == (1, 0)

    with_workers(case)


def test_a_caller_that_gives_up_takes_its_waiting_job_along() -> None:
    async def case(workers: Workers) -> None:
        await workers.run(os.getpid)
        jobs = [asyncio.create_task(workers.run(time.sleep, seconds)) for seconds in (0.2, 0, 60, 60)]
        await asyncio.sleep(0)
        for job in jobs[1:]:
            job.cancel()
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
        assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [False, True, True, True]

    with_workers(case)


def test_a_job_beyond_the_time_limit_is_ended() -> None:
    async def case(workers: Workers) -> None:
        child = await workers.run(os.getpid)
        with pytest.raises(WorkerTimeoutError):
            await workers.run(time.sleep, 60)
        wait_until_gone(child)
        assert await workers.run(os.getpid) != child

    with_workers(case, time_limit_seconds=3)


def test_the_worker_ignores_the_interrupt_key() -> None:
    async def case(workers: Workers) -> None:
        child = await workers.run(os.getpid)
        os.kill(child, signal.SIGINT)
        assert await workers.run(os.getpid) == child

    with_workers(case)


def test_closing_ends_the_process_and_refuses_later_jobs() -> None:
    async def case(workers: Workers) -> None:
        child = await workers.run(os.getpid)
        await workers.close()
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
        with pytest.raises(RuntimeError, match="closed"):
            await workers.run(os.getpid)

    with_workers(case)


def test_closing_does_not_wait_for_a_job_that_nobody_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    monkeypatch.setattr("handlers.workers._CLOSING_GRACE_SECONDS", 1000.0)

    async def case(workers: Workers) -> None:
        child = await workers.run(os.getpid)
        job = asyncio.create_task(workers.run(Path.read_bytes, gate))
        # Opens when the job reads, which goes on until this is closed.
        with await asyncio.to_thread(gate.open, "wb"):
            job.cancel()
            await asyncio.wait([job])
            async with asyncio.timeout(60):
                await workers.close()
        assert not is_running(child)

    with_workers(case)


def test_the_worker_dies_with_a_server_that_was_killed() -> None:
    program = textwrap.dedent("""
        import asyncio, json, os
        from handlers.workers import Workers

        async def serve():
            workers = Workers()
            print(json.dumps(await workers.run(os.getpid)), flush=True)
            await asyncio.Event().wait()

        if __name__ == "__main__":
            asyncio.run(serve())
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        assert server.stdout is not None
        child = json.loads(server.stdout.readline())
        server.kill()
    wait_until_gone(child)


def wait_until_gone(process: int) -> None:
    deadline = time.monotonic() + 20
    while is_running(process):
        assert time.monotonic() < deadline, "the worker is still there"
        time.sleep(0.02)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
        status = Path(f"/proc/{process}/stat").read_text() if Path("/proc").is_dir() else ") R"
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"  # a container without an init process never reaps it
