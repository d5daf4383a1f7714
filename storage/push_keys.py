"""Keys that may push samples to one data source. Only their SHA-256 hashes are here, and the letters shown in lists."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.metric_tables import push_keys

_COLUMNS = [column for column in push_keys.c if column.name != "hash"]

# A sender comes each few seconds, nobody needs to know its last time to the second, and each note is a commit.
_USE_NOTED_EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class PushKey:
    """A row of push_keys, without the hash."""

    id: int
    source_id: int
    name: str
    prefix: str
    created_by: str
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None

    def use_is_worth_noting(self, at: datetime) -> bool:
        return self.last_used_at is None or self.last_used_at < at - _USE_NOTED_EVERY


async def create(
    connection: AsyncConnection,
    source_id: int,
    *,
    name: str,
    fingerprint: bytes,
    prefix: str,
    by: str,
    at: datetime,
) -> PushKey:
    """A new key; `fingerprint` is the SHA-256 of the secret, `prefix` its first letters."""
    values = {
        "source_id": source_id,
        "name": name,
        "hash": fingerprint,
        "prefix": prefix,
        "created_by": by,
        "created_at": at,
    }
    row = (await connection.execute(insert(push_keys).values(values).returning(*_COLUMNS))).one()
    return PushKey(*row)


async def find(connection: AsyncConnection, fingerprint: bytes) -> PushKey | None:
    """The key with that hash, unless it is revoked."""
    query = select(*_COLUMNS).where(push_keys.c.hash == fingerprint, push_keys.c.revoked_at.is_(None))
    row = (await connection.execute(query)).first()
    return PushKey(*row) if row else None


async def list_of(
    connection: AsyncConnection, source_id: int, *, after: int | None = None, limit: int
) -> list[PushKey]:
    """The source's keys, revoked ones too, the oldest first; `after` is the last id seen."""
    query = select(*_COLUMNS).where(push_keys.c.source_id == source_id).order_by(push_keys.c.id).limit(limit)
    if after is not None:
        query = query.where(push_keys.c.id > after)
    return [PushKey(*row) for row in await connection.execute(query)]


async def count_valid(connection: AsyncConnection, source_id: int) -> int:
    query = select(func.count()).where(push_keys.c.source_id == source_id, push_keys.c.revoked_at.is_(None))
    return await connection.scalar(query) or 0


async def note_use(connection: AsyncConnection, key_id: int, *, at: datetime) -> None:
    """Remembers that the key was used."""
    await connection.execute(update(push_keys).where(push_keys.c.id == key_id).values(last_used_at=at))


async def revoke(connection: AsyncConnection, source_id: int, key_id: int, *, at: datetime) -> PushKey | None:
    """The source's key as revoked now; None if it has no such key, or it was revoked before."""
    condition = (push_keys.c.id == key_id) & (push_keys.c.source_id == source_id) & push_keys.c.revoked_at.is_(None)
    statement = update(push_keys).where(condition).values(revoked_at=at).returning(*_COLUMNS)
    row = (await connection.execute(statement)).first()
    return PushKey(*row) if row else None


async def has(connection: AsyncConnection, source_id: int, key_id: int) -> bool:
    """Whether the source has that key, revoked or not."""
    query = select(push_keys.c.id).where(push_keys.c.id == key_id, push_keys.c.source_id == source_id)
    return await connection.scalar(query) is not None
