"""Tickets: sign in once with a secret that may stand in a URL. Only their SHA-256 hashes are here."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import tickets


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who made a ticket, and with what: a token of the session `sid`, an API key of this hash, or neither."""

    user_id: str
    sid: str | None = None
    key_hash: bytes | None = None


async def create(
    connection: AsyncConnection,
    fingerprint: bytes,
    user_id: str,
    *,
    expires_at: datetime,
    sid: str | None = None,
    key_hash: bytes | None = None,
) -> None:
    """A new ticket; `fingerprint` is the SHA-256 of its secret."""
    values = {"hash": fingerprint, "user_id": user_id, "expires_at": expires_at, "sid": sid, "key_hash": key_hash}
    await connection.execute(insert(tickets).values(values))


async def consume(connection: AsyncConnection, fingerprint: bytes, *, at: datetime) -> Bearer | None:
    """Who the ticket speaks for, for the first who asks before it expires; None for all others."""
    condition = (tickets.c.hash == fingerprint) & (tickets.c.expires_at > at)
    columns = (tickets.c.user_id, tickets.c.sid, tickets.c.key_hash)
    row = (await connection.execute(delete(tickets).where(condition).returning(*columns))).first()
    return Bearer(*row) if row else None


async def purge_expired(connection: AsyncConnection, *, at: datetime) -> int:
    """How many tickets were forgotten because nobody came with them in time."""
    return (await connection.execute(delete(tickets).where(tickets.c.expires_at <= at))).rowcount
