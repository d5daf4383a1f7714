"""One node of a run: done as its policy says, and recorded whatever comes of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from analysis.rules.expressions import ExpressionFailed
from analysis.workflow.mentions import ExpressionError
from analysis.workflow.parameter_checks import Policy
from handlers.jobs import StepFailed, as_failure
from handlers.workflow_runs.outcomes import MOST_OUTPUT, Given, Outcome, Task, running

logger = logging.getLogger(__name__)

Executor = Callable[[Task], Awaitable[Given]]

# Of a node without a timeout of its own that works, and does not wait for people.
LONGEST_WORK = 3600.0
LONGEST_PAUSE = 3600.0
MAX_MESSAGE = 2000
# These fail alike however often they are tried.
_FINAL = (ExpressionError, ExpressionFailed, msgspec.ValidationError)


async def perform(task: Task, executors: Mapping[str, Executor], waits: bool) -> Outcome:
    """Never raises but when it is cancelled: what fails is an outcome too."""
    started_at = datetime.now(UTC)
    task.recorder.note([running(task, state="waiting" if waits else "running")])
    policy = msgspec.convert(task.form.get("policy") or {}, Policy)
    timeout = policy.timeout or (None if waits else LONGEST_WORK)
    pause, attempts = policy.interval, 0
    while True:
        attempts += 1
        try:
            async with asyncio.timeout(timeout):
                given = await executors[task.form["type"]](replace(task, attempt=attempts))
            return Outcome(
                started_at=started_at,
                finished_at=datetime.now(UTC),
                attempts=attempts,
                port=given.port,
                output=_capped(given.output),
                shown=given.shown,
            )
        except Exception as error:
            failure = _failure(error, timeout)
            if isinstance(error, _FINAL) or attempts > policy.retry_max:
                return failed(failure, started_at, attempts)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def failed(failure: StepFailed, started_at: datetime, attempts: int) -> Outcome:
    """The outcome of a node that could not be done."""
    return Outcome(
        started_at=started_at,
        finished_at=datetime.now(UTC),
        attempts=attempts,
        code=failure.code,
        message=failure.message[:MAX_MESSAGE],
    )


def _failure(error: Exception, timeout: float | None) -> StepFailed:
    match error:
        case TimeoutError():
            return StepFailed(f"It took longer than {timeout:g} seconds." if timeout else str(error), code="timeout")
        case ExpressionError() | ExpressionFailed():
            return StepFailed(f"An expression could not be computed: {error}.", code="expression")
        case msgspec.ValidationError():
            return StepFailed(f"The parameters are not right: {error}.", code="bad_parameters")
    failure = as_failure(error)
    if failure.code == "step_failed":
        logger.warning("a node of a workflow failed", exc_info=error)
    return failure


def _capped(output: Any) -> Any:
    """The output as JSON has it. Raises StepFailed for one that JSON does not hold, and one that is too large."""
    try:
        # Expressions give the keys of an object in another order in each process; what is kept has one.
        encoded = msgspec.json.encode(output, order="sorted")
    except (msgspec.MsgspecError, TypeError, UnicodeError, OverflowError, RecursionError) as error:
        raise StepFailed(f"What the node gives cannot be recorded: {error}.", code="not_recordable") from None
    if len(encoded) > MOST_OUTPUT:
        raise StepFailed(
            f"What the node gives has {len(encoded)} bytes as JSON; at most {MOST_OUTPUT} are kept: give "
            "less, or where it is.",
            code="output_too_large",
        )
    return msgspec.json.decode(encoded)
