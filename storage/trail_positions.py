"""How far something has followed the audit trail. Whoever holds the row of its position is the only one that does."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit import Head
from storage.detection_tables import trail_positions
from storage.tables import audit
from storage.upsert import insert


async def get(connection: AsyncConnection, name: str) -> Head | None:
    """The position; None where there is none yet."""
    query = select(trail_positions.c.audit_id, trail_positions.c.audit_hash).where(trail_positions.c.name == name)
    row = (await connection.execute(query)).first()
    return Head(*row) if row else None


async def begin(connection: AsyncConnection, name: str, at: Head) -> None:
    """A first position, unless there is one."""
    values = {"name": name, "audit_id": at.id, "audit_hash": at.hash}
    made = insert(connection, trail_positions).values(values)
    await connection.execute(made.on_conflict_do_nothing(index_elements=["name"]))


async def hold(connection: AsyncConnection, name: str) -> Head | None:
    """The position, for this transaction alone; None where another transaction holds it, or there is none."""
    columns = (trail_positions.c.audit_id, trail_positions.c.audit_hash)
    query = select(*columns).where(trail_positions.c.name == name).with_for_update(skip_locked=True)
    row = (await connection.execute(query)).first()
    return Head(*row) if row else None


async def move(connection: AsyncConnection, name: str, to: Head) -> None:
    """The position that the caller holds is there from now on."""
    values = {"audit_id": to.id, "audit_hash": to.hash}
    await connection.execute(update(trail_positions).where(trail_positions.c.name == name).values(values))


async def newest_but(connection: AsyncConnection, rows: int) -> Head | None:
    """The row before the newest `rows`; None where there are no more than these."""
    last = await connection.scalar(select(audit.c.id).order_by(audit.c.id.desc()).limit(1))
    query = select(audit.c.id, audit.c.hash).where(audit.c.id == (last or 0) - rows)
    row = (await connection.execute(query)).first()
    return Head(*row) if row else None
