"""What durable runs wait for, by topic: an answer, or a time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.run_tables import run_signals
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class Signal:
    """`answer` is JSON, None while there is none."""

    expires_at: datetime | None
    answer: str | None


async def expect(connection: AsyncConnection, run_id: str, topic: str, *, expires_at: datetime | None) -> Signal:
    """The signal, which expires when it was first said to; one that was answered before stays answered."""
    values = {"run_id": run_id, "topic": topic, "expires_at": expires_at}
    statement = insert(connection, run_signals).values(values).on_conflict_do_nothing()
    await connection.execute(statement)
    found = await find(connection, run_id, topic)
    assert found is not None
    return found


async def find(connection: AsyncConnection, run_id: str, topic: str) -> Signal | None:
    query = select(run_signals.c.expires_at, run_signals.c.answer)
    row = (await connection.execute(query.where(*_is(run_id, topic)))).first()
    return Signal(*row) if row else None


async def answer(connection: AsyncConnection, run_id: str, topic: str, value: Any) -> bool:
    """Whether this is the first answer, and so is what the run is told. The run may not wait for it yet."""
    text = msgspec.json.encode(value).decode()
    values = {"run_id": run_id, "topic": topic, "answer": text}
    statement = insert(connection, run_signals).values(values).on_conflict_do_nothing()
    if (await connection.execute(statement)).rowcount > 0:
        return True
    changed = update(run_signals).where(*_is(run_id, topic), run_signals.c.answer.is_(None)).values(answer=text)
    return (await connection.execute(changed)).rowcount > 0


def _is(run_id: str, topic: str) -> tuple[Any, Any]:
    return run_signals.c.run_id == run_id, run_signals.c.topic == topic
