"""API keys. The keys themselves are never here, only their SHA-256 hashes and the few letters shown in lists."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import api_keys

_COLUMNS = [column for column in api_keys.c if column.name not in ("hash", "previous_hash")]

# Nobody needs to know the last use to the second, and each note is a commit.
_USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A row of api_keys, without the hashes."""

    id: int
    name: str
    user_id: str
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    scope: str | None = None
    rotated_at: datetime | None = None
    previous_until: datetime | None = None


async def create(
    connection: AsyncConnection,
    *,
    name: str,
    user_id: str,
    fingerprint: bytes,
    prefix: str,
    at: datetime,
    expires_at: datetime | None = None,
    scope: str | None = None,
) -> ApiKey:
    """A new key; `fingerprint` is the SHA-256 of the secret, `prefix` its first letters, `scope` JSON or None."""
    values = {
        "name": name,
        "user_id": user_id,
        "hash": fingerprint,
        "prefix": prefix,
        "created_at": at,
        "expires_at": expires_at,
        "scope": scope,
    }
    row = (await connection.execute(insert(api_keys).values(values).returning(*_COLUMNS))).one()
    return ApiKey(*row)


async def find(connection: AsyncConnection, fingerprint: bytes, *, at: datetime) -> ApiKey | None:
    """The key with that hash, if it is neither revoked nor expired.

    So is the one that had it before it was rotated, for as long as that holds on: `expires_at` is then the end of that.
    """
    query = select(*_COLUMNS, api_keys.c.hash == fingerprint).where(
        _holds(fingerprint, at), api_keys.c.expires_at.is_(None) | (api_keys.c.expires_at > at)
    )
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    *values, is_current = row
    key = ApiKey(*values)
    ends = [end for end in (key.expires_at, None if is_current else key.previous_until) if end is not None]
    return replace(key, expires_at=min(ends, default=None))


async def stands(connection: AsyncConnection, fingerprint: bytes, *, at: datetime) -> bool:
    """Whether a key of that hash is not revoked, nor rotated for too long; whether it has expired is not looked at."""
    query = select(api_keys.c.id).where(_holds(fingerprint, at))
    return (await connection.execute(query)).first() is not None


def _holds(fingerprint: bytes, at: datetime) -> ColumnElement[bool]:
    had_it = (api_keys.c.previous_hash == fingerprint) & (api_keys.c.previous_until > at)
    return ((api_keys.c.hash == fingerprint) | had_it) & api_keys.c.revoked_at.is_(None)


async def find_ended(connection: AsyncConnection, fingerprint: bytes) -> ApiKey | None:
    """The key that has that hash, or had it before it was rotated, valid or not."""
    had_it = (api_keys.c.hash == fingerprint) | (api_keys.c.previous_hash == fingerprint)
    row = (await connection.execute(select(*_COLUMNS).where(had_it))).first()
    return ApiKey(*row) if row else None


async def get(connection: AsyncConnection, key_id: int) -> ApiKey | None:
    """The key, valid or not."""
    row = (await connection.execute(select(*_COLUMNS).where(api_keys.c.id == key_id))).first()
    return ApiKey(*row) if row else None


async def list_of(connection: AsyncConnection, user_id: str, *, after: int | None = None, limit: int) -> list[ApiKey]:
    """The user's keys, revoked and expired ones too, the oldest first; `after` is the last id seen."""
    query = select(*_COLUMNS).where(api_keys.c.user_id == user_id).order_by(api_keys.c.id).limit(limit)
    if after is not None:
        query = query.where(api_keys.c.id > after)
    return [ApiKey(*row) for row in await connection.execute(query)]


async def note_use(connection: AsyncConnection, key_id: int, *, at: datetime) -> None:
    """Remembers that the key was used, to the minute."""
    unknown = api_keys.c.last_used_at.is_(None) | (api_keys.c.last_used_at < at - _USE_NOTED_EVERY)
    await connection.execute(update(api_keys).where(api_keys.c.id == key_id, unknown).values(last_used_at=at))


async def rotate(
    connection: AsyncConnection, key_id: int, *, fingerprint: bytes, prefix: str, at: datetime, previous_until: datetime
) -> ApiKey | None:
    """The key with another secret; the one it had holds until `previous_until`, and the one before that no more.

    None if there is no such key, or it was revoked or has expired.
    """
    holds = api_keys.c.revoked_at.is_(None) & (api_keys.c.expires_at.is_(None) | (api_keys.c.expires_at > at))
    values = {
        "previous_hash": api_keys.c.hash,
        "previous_until": previous_until,
        "hash": fingerprint,
        "prefix": prefix,
        "rotated_at": at,
    }
    statement = update(api_keys).where(api_keys.c.id == key_id, holds).values(values).returning(*_COLUMNS)
    row = (await connection.execute(statement)).first()
    return ApiKey(*row) if row else None


async def revoke(connection: AsyncConnection, key_id: int, *, at: datetime) -> ApiKey | None:
    """The key as revoked now; None if it does not exist or was revoked before."""
    condition = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
    statement = update(api_keys).where(condition).values(revoked_at=at).returning(*_COLUMNS)
    row = (await connection.execute(statement)).first()
    return ApiKey(*row) if row else None
