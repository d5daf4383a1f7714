"""Who manages a workspace: whom the server tells what nobody else is told of."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.access import NEEDED, ROLES
from handlers.registry import Permission
from storage import members

_AT_ONCE = 500


async def administrators_of(connection: AsyncConnection, workspace_id: str) -> list[str]:
    """The workspace's owners and administrators."""
    enough = ROLES[ROLES.index(NEEDED[Permission.MANAGE]) :]
    found: list[str] = []
    after = None
    while True:
        rows = await members.list_of(connection, workspace_id, after=after, limit=_AT_ONCE)
        found += [row.user_id for row in rows if row.role in enough]
        if len(rows) < _AT_ONCE:
            return found
        after = rows[-1].user_id
