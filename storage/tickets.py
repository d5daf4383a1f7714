"""Tickets: sign in once with a secret that may stand in a URL. Only their SHA-256 hashes are here."""

from datetime import datetime

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import tickets


async def create(connection: AsyncConnection, fingerprint: bytes, user_id: str, *, expires_at: datetime) -> None:
    """A new ticket; `fingerprint` is the SHA-256 of its secret."""
    values = {"hash": fingerprint, "user_id": user_id, "expires_at": expires_at}
    await connection.execute(insert(tickets).values(values))


async def consume(connection: AsyncConnection, fingerprint: bytes, *, at: datetime) -> str | None:
    """The user the ticket is for, for the first who asks before it expires; None for all others."""
    condition = (tickets.c.hash == fingerprint) & (tickets.c.expires_at > at)
    return (await connection.execute(delete(tickets).where(condition).returning(tickets.c.user_id))).scalar()


async def purge_expired(connection: AsyncConnection, *, at: datetime) -> int:
    """How many tickets were forgotten because nobody came with them in time."""
    return (await connection.execute(delete(tickets).where(tickets.c.expires_at <= at))).rowcount
