"""Deliveries: events on their way out, in the order in which they are sent, and the log of attempts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, func, select, update
from sqlalchemy import insert as plain_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.integration_tables import deliveries, delivery_attempts

PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of deliveries."""

    id: int
    integration_id: int
    message_id: str
    feed: str
    epoch: str
    offset: int
    type: str
    body: str
    state: str
    tries: int
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


class NewDelivery(NamedTuple):
    """An event to send."""

    message_id: str
    feed: str
    epoch: str
    offset: int
    type: str
    body: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt went. `status` is that of the answer, `error` what kept it from coming."""

    number: int
    at: datetime
    seconds: float
    status: int | None
    error: str | None
    answer: str | None


async def enqueue(
    connection: AsyncConnection, integration_id: int, queued: Sequence[NewDelivery], *, at: datetime
) -> None:
    """Appends deliveries, to be tried at once, in this order."""
    common = {"integration_id": integration_id, "state": PENDING, "tries": 0, "next_attempt_at": at, "created_at": at}
    # One by one, so that their ids are in their order.
    for each in queued:
        await connection.execute(plain_insert(deliveries), [{**each._asdict(), **common}])


async def first_pending(connection: AsyncConnection, integration_id: int) -> Delivery | None:
    """The delivery that all later ones wait for."""
    query = (
        select(deliveries)
        .where(deliveries.c.integration_id == integration_id, deliveries.c.state == PENDING)
        .order_by(deliveries.c.id)
        .limit(1)
    )
    row = (await connection.execute(query)).first()
    return Delivery(*row) if row else None


async def get(connection: AsyncConnection, integration_id: int, delivery_id: int) -> Delivery | None:
    condition = (deliveries.c.id == delivery_id) & (deliveries.c.integration_id == integration_id)
    row = (await connection.execute(select(deliveries).where(condition))).first()
    return Delivery(*row) if row else None


async def list_of(
    connection: AsyncConnection,
    integration_id: int,
    *,
    state: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[Delivery]:
    """The newest first; `before` is the last id seen."""
    query = select(deliveries).where(deliveries.c.integration_id == integration_id)
    query = query.order_by(deliveries.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(deliveries.c.state == state)
    if before is not None:
        query = query.where(deliveries.c.id < before)
    return [Delivery(*row) for row in await connection.execute(query)]


async def attempts_of(connection: AsyncConnection, delivery_ids: Sequence[int]) -> dict[int, list[Attempt]]:
    """The attempts at each delivery, the first one first."""
    query = (
        select(delivery_attempts)
        .where(delivery_attempts.c.delivery_id.in_(delivery_ids))
        .order_by(delivery_attempts.c.delivery_id, delivery_attempts.c.number)
    )
    found: dict[int, list[Attempt]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.delivery_id, []).append(Attempt(*row[1:]))
    return found


async def note_attempt(
    connection: AsyncConnection,
    delivery_id: int,
    *,
    at: datetime,
    seconds: float,
    status: int | None,
    error: str | None,
    answer: str | None,
    keep: int,
) -> None:
    """Adds to the log, of which the last `keep` attempts stay."""
    last = select(func.max(delivery_attempts.c.number)).where(delivery_attempts.c.delivery_id == delivery_id)
    number = ((await connection.scalar(last)) or 0) + 1
    values: dict[str, Any] = {"delivery_id": delivery_id, "number": number, "at": at, "seconds": seconds}
    values |= {"status": status, "error": error, "answer": answer}
    await connection.execute(plain_insert(delivery_attempts), [values])
    old = (delivery_attempts.c.delivery_id == delivery_id) & (delivery_attempts.c.number <= number - keep)
    await connection.execute(delete(delivery_attempts).where(old))


async def finish(connection: AsyncConnection, delivery_id: int, state: str, *, tries: int, at: datetime) -> None:
    """It arrived, or was given up."""
    values = {"state": state, "tries": tries, "next_attempt_at": None, "finished_at": at}
    await connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(values))


async def postpone(connection: AsyncConnection, delivery_id: int, *, tries: int, until: datetime) -> None:
    values = {"tries": tries, "next_attempt_at": until}
    await connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(values))


async def queue_again(connection: AsyncConnection, delivery_id: int, *, at: datetime) -> Delivery | None:
    """Makes a finished delivery wait again, before all that is newer. None if it waits already, or is not there."""
    values = {"state": PENDING, "tries": 0, "next_attempt_at": at, "finished_at": None}
    condition = (deliveries.c.id == delivery_id) & (deliveries.c.state != PENDING)
    row = (
        await connection.execute(update(deliveries).where(condition).values(values).returning(*deliveries.c))
    ).first()
    return Delivery(*row) if row else None


async def trim(connection: AsyncConnection, integration_id: int, *, before: datetime, keep: int, at_most: int) -> int:
    """Deletes up to so many finished deliveries that are older, or beyond the newest `keep`: how many it were."""
    own = deliveries.c.integration_id == integration_id
    beyond = select(deliveries.c.id).where(own).order_by(deliveries.c.id.desc()).offset(keep).limit(1)
    last = (await connection.scalar(beyond)) or 0
    old = (deliveries.c.created_at < before) | (deliveries.c.id <= last)
    chosen = select(deliveries.c.id).where(own, deliveries.c.state != PENDING, old).order_by(deliveries.c.id)
    ids = list((await connection.execute(chosen.limit(at_most))).scalars())
    if ids:
        await connection.execute(delete(deliveries).where(deliveries.c.id.in_(ids)))
    return len(ids)


async def wake(connection: AsyncConnection, integration_id: int, *, at: datetime) -> None:
    """What waits is tried now."""
    condition = (deliveries.c.integration_id == integration_id) & (deliveries.c.state == PENDING)
    await connection.execute(update(deliveries).where(condition).values(tries=0, next_attempt_at=at))


async def has_failed_since(connection: AsyncConnection, integration_id: int, since: datetime) -> bool:
    """Whether a delivery was given up at that time or later."""
    query = select(deliveries.c.id).where(
        deliveries.c.integration_id == integration_id,
        deliveries.c.state == FAILED,
        deliveries.c.finished_at >= since,
    )
    return await connection.scalar(query.limit(1)) is not None
