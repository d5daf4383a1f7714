"""Signing in: a session is opened, and its first token given out."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.credentials import new_sid
from server.tokens import ServerIssuer
from server.visitors import NOBODY, Visitor
from storage import sessions

# Words for the ways in.
CONSOLE = "console"


async def open_session(
    connection: AsyncConnection,
    issuer: ServerIssuer,
    user_id: str,
    lifetime: timedelta,
    at: datetime,
    *,
    opened_by: str,
    visitor: Visitor = NOBODY,
) -> str:
    """A token for the user, of a session of its own that ends with it. `opened_by` is a word for the way in."""
    lifetime = timedelta(seconds=math.ceil(lifetime.total_seconds()))
    session = await sessions.create(
        connection,
        sid=new_sid(),
        user_id=user_id,
        opened_by=opened_by,
        at=at,
        expires_at=at + lifetime,
        address=visitor.address,
        user_agent=visitor.user_agent,
    )
    return issuer.issue(user_id, lifetime, session.sid)
