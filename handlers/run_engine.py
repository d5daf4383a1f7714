"""The engine of durable runs: DBOS, kept on an event loop and on threads of its own.

DBOS makes its own pool of threads the default of every event loop that calls it. So ours never does: it is started and
asked from threads, and then runs everything on a loop of its own, where only what belongs to a run's order happens.
The work of the steps is handed back to the server's loop.

DBOS is one for a process, and so is this: a second node in the process does without (`EngineTakenError`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID, StepOptions, error

Execute = Callable[[str], Coroutine[Any, Any, None]]
Work = Callable[[], Coroutine[Any, Any, Any]]

# DBOS executes and recovers only runs of its own version. Of all that it could notice by itself - another release of
# DBOS, another line in the workflow - nothing concerns ours, which are interpreted: raised by hand, when a run begun
# by the version before could not be gone on with.
ENGINE_VERSION = "1"
APPLICATION = "collab-studio"
QUEUE = "runs"
# Of runs that mostly wait: were they to take places, those that they wait for might get none.
WAITING_QUEUE = "waiting"
WORKFLOW = "run"
SCHEMA = "dbos"

# Unbounded otherwise, and slower so: each only waits for the database.
MAX_THREADS = 16
# As many as have a thread while they record a step, with some to spare for the engine's own queries.
CONNECTIONS = 8
RUNS_AT_ONCE = 10
# How soon a run begins that was queued; on a server, each process asks so often.
EMBEDDED_POLL_SECONDS = 0.1
POLL_SECONDS = 0.25
NOTIFICATION_SECONDS = 0.25
# Its own scheduler is not used: it looks for schedules as seldom as can be.
SCHEDULER_SECONDS = 3600.0
RESUMED_AT_ONCE = 1000

# What DBOS warns of whenever a run is cancelled, moved or parked as it should be.
_EXPECTED = ("Asyncio task cancelled", "is no longer owned", "was cancelled during execution")
# One that is cancelled as its function returns waits for its own outcome, and is told that there is none.
_EXPECTED_ERRORS = (error.DBOSAwaitedWorkflowCancelledError, error.DBOSWorkflowCancelledError)

_taken = threading.Lock()


class EngineTakenError(RuntimeError):
    """Another node of this process has the engine."""


class RunCancelled(error.DBOSWorkflowCancelledError):
    """Raised in a step: its run was cancelled, and the step is not to be recorded."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as the engine has it."""

    id: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class BegunRun:
    """A run that some process has begun, and the queue that it came from."""

    id: str
    queue: str


class Engine:
    """Started by `start`. All methods but `reserve` and `first_of` block, and are for threads without an event loop."""

    def __init__(self, executor_id: str) -> None:
        self.executor_id = executor_id
        self._workflow: Callable[[str], Coroutine[Any, Any, None]] | None = None

    def start(self, url: str, execute: Execute) -> None:
        """`execute` is called with the id of each run that is begun or gone on with, on the engine's loop.

        Raises EngineTakenError, and whatever keeps the database from being used.
        """
        if not _taken.acquire(blocking=False):
            raise EngineTakenError("another node of this process executes runs")
        try:
            _send_log_to_ours()
            self._launch(url, execute)
        except BaseException:
            with contextlib.suppress(Exception):
                DBOS.destroy(destroy_registry=True)
            _taken.release()
            raise

    def _launch(self, url: str, execute: Execute) -> None:
        async def run(run_id: str) -> None:
            await execute(run_id)

        is_embedded = url.startswith("sqlite")
        DBOS(config=configuration(url, self.executor_id))
        self._workflow = DBOS.workflow(name=WORKFLOW)(run)
        DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=RUNS_AT_ONCE,
            polling_interval_sec=EMBEDDED_POLL_SECONDS if is_embedded else POLL_SECONDS,
        )
        DBOS.register_queue(WAITING_QUEUE, polling_interval_sec=EMBEDDED_POLL_SECONDS if is_embedded else POLL_SECONDS)

    def stop(self) -> None:
        """What is being executed stays begun, and is gone on with by whoever takes it over."""
        try:
            DBOS.destroy(destroy_registry=True)
        finally:
            _taken.release()

    def enqueue(self, run_id: str, *, waits: bool) -> None:
        """Some process executes the run, once, however often it is asked to. One that `waits` takes no place."""
        assert self._workflow is not None
        with SetWorkflowID(run_id):
            DBOS.enqueue_workflow(WAITING_QUEUE if waits else QUEUE, self._workflow, run_id)

    def cancel(self, run_id: str) -> None:
        """No step of the run is begun any more. What is under way is for the caller to stop."""
        DBOS.cancel_workflow(run_id)

    def begun_by(self, executor_id: str) -> list[BegunRun]:
        """The runs that this executor has begun and not ended."""
        found = DBOS.list_workflows(
            status="PENDING", executor_id=executor_id, load_input=False, load_output=False, limit=RESUMED_AT_ONCE
        )
        return [BegunRun(status.workflow_id, status.queue_name or QUEUE) for status in found]

    def resume(self, begun: list[BegunRun]) -> None:
        """Some process goes on with these; a process that still executes one is stopped at its next record."""
        for queue in (QUEUE, WAITING_QUEUE):
            if run_ids := [run.id for run in begun if run.queue == queue]:
                DBOS.resume_workflows(run_ids, queue_name=queue)

    def find(self, run_ids: list[str]) -> dict[str, StoredRun]:
        """Those of the runs that the engine knows."""
        found = DBOS.list_workflows(workflow_ids=run_ids, load_input=False, load_output=False)
        alive = ("PENDING", "ENQUEUED", "DELAYED")
        return {status.workflow_id: StoredRun(status.workflow_id, status.status not in alive) for status in found}

    def forget(self, run_ids: list[str]) -> None:
        """The runs have ended, and nobody asks for their steps any more."""
        known = [run_id for run_id, run in self.find(run_ids).items() if run.is_over]
        if known:
            DBOS.delete_workflows(known)

    # On the engine's loop, inside a run

    @staticmethod
    def reserve(name: str) -> Callable[[Work], Coroutine[Any, Any, Any]]:
        """The next step of the run that this is called in, to be done later: the order of these calls is recorded."""
        reservation = DBOS.reserve_step()
        options = StepOptions(name=name)

        async def perform(work: Work) -> Any:
            return await reservation.run_async(options, work)

        return perform

    @staticmethod
    async def first_of(tasks: list[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
        """Those that have ended, once there are any. Recorded, so that it was these also when it is played again."""
        done, _ = await DBOS.asyncio_wait(tasks, return_when=asyncio.FIRST_COMPLETED)  # type: ignore[arg-type]
        return done


def configuration(url: str, executor_id: str) -> DBOSConfig:
    """How DBOS is set up: no telemetry, nothing that calls elsewhere."""
    return DBOSConfig(
        name=APPLICATION,
        system_database_url=url,
        sys_db_pool_size=CONNECTIONS,
        dbos_system_schema=SCHEMA,
        application_version=ENGINE_VERSION,
        executor_id=executor_id,
        # JSON: the default pickles.
        serializer=DBOSPortableJSONSerializer(),
        max_executor_threads=MAX_THREADS,
        notification_listener_polling_interval_sec=NOTIFICATION_SECONDS,
        scheduler_polling_interval_sec=SCHEDULER_SECONDS,
        enable_otlp=False,
        log_level="WARNING",
    )


def _send_log_to_ours() -> None:
    """DBOS writes to the console unless its logger has a handler. With one that does nothing, records go on to ours."""
    logger = logging.getLogger("dbos")
    if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
        logger.addHandler(logging.NullHandler())
        logger.addFilter(_is_unexpected)
    logger.propagate = True


def _is_unexpected(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    cause = record.exc_info[1] if record.exc_info else None
    return not isinstance(cause, _EXPECTED_ERRORS) and not any(phrase in message for phrase in _EXPECTED)
