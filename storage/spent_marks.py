"""What counts only once, on whichever node it comes: the state of a sign-in, the id of a message that is signed."""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.openid_tables import spent_marks
from storage.upsert import insert


async def spend(connection: AsyncConnection, fingerprint: bytes, *, expires_at: datetime, at: datetime) -> bool:
    """Whether it had not been spent. It is remembered until `expires_at`, when it would be refused for its age.

    Forgets what expired.
    """
    await connection.execute(delete(spent_marks).where(spent_marks.c.expires_at <= at))
    statement = insert(connection, spent_marks).values({"hash": fingerprint, "expires_at": expires_at})
    result = await connection.execute(statement.on_conflict_do_nothing())
    return result.rowcount > 0
