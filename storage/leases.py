"""Leases: what only one node may do at a time, and which one does.

A lease ends by itself if its holder dies. Each holder has a number of its own, so that one who was too late is told
from the present one: whoever writes under a lease keeps it in the same transaction, and writes nothing if it is gone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.alert_tables import leases
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that was taken. `number` counts its holders."""

    name: str
    holder: str
    number: int


async def take(connection: AsyncConnection, name: str, holder: str, *, at: datetime, until: datetime) -> Lease | None:
    """The lease, if nobody holds it at `at`; of those who try at once only one gets it."""
    made = insert(connection, leases).values(name=name, holder=None, until=None, number=0)
    await connection.execute(made.on_conflict_do_nothing(index_elements=["name"]))
    free = or_(leases.c.until.is_(None), leases.c.until <= at)
    values = {"holder": holder, "until": until, "number": leases.c.number + 1}
    taken = update(leases).where(leases.c.name == name, free).values(values).returning(leases.c.number)
    number = await connection.scalar(taken)
    return None if number is None else Lease(name, holder, number)


async def keep(connection: AsyncConnection, lease: Lease, *, until: datetime) -> bool:
    """Makes the lease longer, and keeps it until the transaction ends; False if somebody else has it now."""
    kept = update(leases).where(_held(lease)).values(until=until).returning(leases.c.number)
    return await connection.scalar(kept) is not None


async def keep_all(connection: AsyncConnection, held: Collection[Lease], *, until: datetime) -> set[str]:
    """Makes all leases of one holder longer, in one statement: the names of those that it still has."""
    numbers = {lease.name: lease.number for lease in held}
    mine = and_(leases.c.name.in_(numbers), leases.c.holder.in_({lease.holder for lease in held}))
    kept = update(leases).where(mine).values(until=until).returning(leases.c.name, leases.c.number)
    return {name for name, number in await connection.execute(kept) if numbers[name] == number}


async def end(connection: AsyncConnection, lease: Lease, *, at: datetime | None = None) -> None:
    """Others may have it at once. `at`: what `held_until` says of it from now on."""
    await connection.execute(update(leases).where(_held(lease)).values(holder=None, until=at))


async def held_until(connection: AsyncConnection, name: str) -> datetime | None:
    """Until when somebody has it, or had it last; None if that is not known."""
    until: datetime | None = await connection.scalar(select(leases.c.until).where(leases.c.name == name))
    return until


async def holder_of(connection: AsyncConnection, name: str, *, at: datetime) -> str | None:
    """Who has it at `at`."""
    query = select(leases.c.holder).where(leases.c.name == name, leases.c.until > at)
    holder: str | None = await connection.scalar(query)
    return holder


async def free_at(connection: AsyncConnection, names: Collection[str], *, at: datetime) -> set[str]:
    """Those of the names that nobody holds at `at`."""
    held = select(leases.c.name).where(leases.c.name.in_(names), leases.c.until > at)
    return set(names) - set(await connection.scalars(held))


def _held(lease: Lease) -> ColumnElement[bool]:
    return and_(leases.c.name == lease.name, leases.c.holder == lease.holder, leases.c.number == lease.number)
