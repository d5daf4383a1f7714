"""Steps that only wait: for an answer, for a time, for another run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from handlers.jobs import Ended, Run, State

if TYPE_CHECKING:
    from storage import runs


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`has_come` is false where the time was up before."""

    has_come: bool
    value: Any = None


async def wait_for_answer(run: Run, topic: str, seconds: float | None) -> Answer:
    """What the run is told under this topic."""
    has_come, value = await run.parts.runs.signals.answer(run.id, topic, seconds)
    return Answer(has_come=has_come, value=value)


async def end_of_child(run: Run, child_id: str, job: str, arguments: Any) -> Ended:
    """Starts the child, unless it was before, and waits for its end."""
    durable = run.parts.runs
    async with run.parts.database.write() as connection:
        await durable.add(
            connection,
            child_id,
            job,
            arguments,
            workspace_id=run.workspace_id,
            created_by=run.created_by,
            parent_id=run.id,
        )
    durable.tell()
    return ended(await durable.signals.ended(child_id))


def ended(child: runs.Run | None) -> Ended:
    """What came of it. One that is gone was cancelled, with its workspace."""
    if child is None:
        return Ended(state=State.CANCELLED)
    return Ended(
        state=State(child.state),
        result=None if child.result is None else msgspec.json.decode(child.result),
        error_code=child.error_code,
        error_message=child.error_message,
    )
