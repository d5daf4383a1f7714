"""Sessions: a sign-in and all tokens that come of it. Tokens are nowhere stored; they name their session's `sid`."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.session_tables import sessions

# What has ended is told of in the audit trail; here it is kept for as long as somebody may still ask about it.
KEPT_AFTER_ITS_END = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Session:
    """A row of sessions."""

    id: int
    sid: str
    user_id: str
    opened_by: str
    created_at: datetime
    expires_at: datetime
    last_seen_at: datetime | None
    address: str | None
    user_agent: str | None
    ended_at: datetime | None


async def create(
    connection: AsyncConnection,
    *,
    sid: str,
    user_id: str,
    opened_by: str,
    at: datetime,
    expires_at: datetime,
    address: str | None = None,
    user_agent: str | None = None,
) -> Session:
    """A new session. `sid` is random and unique, `opened_by` a word for the way in, `expires_at` when it ends at last.

    Forgets sessions that ended long ago.
    """
    await connection.execute(delete(sessions).where(sessions.c.expires_at < at - KEPT_AFTER_ITS_END))
    values = {
        "sid": sid,
        "user_id": user_id,
        "opened_by": opened_by,
        "created_at": at,
        "expires_at": expires_at,
        "address": address,
        "user_agent": user_agent,
    }
    return Session(*(await connection.execute(insert(sessions).values(values).returning(*sessions.c))).one())


async def find(connection: AsyncConnection, sid: str, *, at: datetime) -> Session | None:
    """The session of that `sid`, if it has not ended."""
    query = select(sessions).where(sessions.c.sid == sid, sessions.c.ended_at.is_(None), sessions.c.expires_at > at)
    row = (await connection.execute(query)).first()
    return Session(*row) if row else None


async def stands(connection: AsyncConnection, sid: str) -> bool:
    """Whether nobody has ended the session; whether its time is over is not looked at."""
    query = select(sessions.c.id).where(sessions.c.sid == sid, sessions.c.ended_at.is_(None))
    return (await connection.execute(query)).first() is not None


async def list_of(
    connection: AsyncConnection, user_id: str, *, at: datetime, before: int | None = None, limit: int
) -> list[Session]:
    """The user's sessions that have not ended, the newest first; `before` is the last id seen."""
    query = (
        select(sessions)
        .where(sessions.c.user_id == user_id, sessions.c.ended_at.is_(None), sessions.c.expires_at > at)
        .order_by(sessions.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(sessions.c.id < before)
    return [Session(*row) for row in await connection.execute(query)]


async def note_use(
    connection: AsyncConnection, sid: str, *, at: datetime, address: str | None, user_agent: str | None
) -> None:
    """Remembers when the session was last used, and from where."""
    values = {"last_seen_at": at, "address": address, "user_agent": user_agent}
    await connection.execute(update(sessions).where(sessions.c.sid == sid).values(values))


async def end(connection: AsyncConnection, user_id: str, session_id: int, *, at: datetime) -> Session | None:
    """The user's session as ended now; None if the user has none of that id that has not ended."""
    ended = await _end(connection, user_id, sessions.c.id == session_id, at)
    return ended[0] if ended else None


async def end_others(connection: AsyncConnection, user_id: str, sid: str | None, *, at: datetime) -> list[Session]:
    """All of the user's sessions but the one of this `sid`, as ended now."""
    return await _end(connection, user_id, sessions.c.sid != (sid or ""), at)


async def _end(connection: AsyncConnection, user_id: str, which: ColumnElement[bool], at: datetime) -> list[Session]:
    statement = (
        update(sessions)
        .where(sessions.c.user_id == user_id, sessions.c.ended_at.is_(None), sessions.c.expires_at > at, which)
        .values(ended_at=at)
        .returning(*sessions.c)
    )
    return [Session(*row) for row in await connection.execute(statement)]
