"""The processes that execute durable runs, by their heartbeats.

Beats are counted and not dated: whoever watches measures the silence with a clock of its own, so that clocks that
differ between machines matter to nobody.
"""

from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.run_tables import executors
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class Executor:
    """A row of executors."""

    id: str
    beat: int
    has_left: bool


async def beat(connection: AsyncConnection, executor_id: str) -> bool:
    """Says that it is alive. Whether it was known: one that is not is new, or was taken for dead."""
    condition = executors.c.id == executor_id
    result = await connection.execute(update(executors).where(condition).values(beat=executors.c.beat + 1))
    if result.rowcount > 0:
        return True
    values = {"id": executor_id, "beat": 1, "has_left": False}
    await connection.execute(insert(connection, executors).values(values).on_conflict_do_nothing())
    return False


async def leave(connection: AsyncConnection, executor_id: str) -> None:
    """Says that it executes nothing any more: what it had begun is anybody's."""
    await connection.execute(update(executors).where(executors.c.id == executor_id).values(has_left=True))


async def others(connection: AsyncConnection, executor_id: str) -> list[Executor]:
    """All but this one, by id."""
    query = select(executors).where(executors.c.id != executor_id).order_by(executors.c.id)
    return [Executor(*row) for row in await connection.execute(query)]


async def claim(connection: AsyncConnection, seen: Executor) -> bool:
    """Whether the caller is the one to take over from it: of all that saw it so, only one is told yes.

    A claim counts as a beat. If the caller dies as well, the others see the silence begin anew, and one claims it.
    """
    condition = (executors.c.id == seen.id) & (executors.c.beat == seen.beat)
    result = await connection.execute(update(executors).where(condition).values(beat=executors.c.beat + 1))
    return result.rowcount > 0


async def remove(connection: AsyncConnection, executor_id: str) -> None:
    """It is gone, and everything of it taken over."""
    await connection.execute(delete(executors).where(executors.c.id == executor_id))
