"""Who belongs to a workspace, and as what. Roles are text here; what they allow is not storage's business."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import members, workspaces
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class Member:
    """A row of members."""

    workspace_id: str
    user_id: str
    role: str
    added_by: str
    added_at: datetime


async def put(
    connection: AsyncConnection, workspace_id: str, user_id: str, role: str, *, added_by: str, at: datetime
) -> Member:
    """Makes the user a member, or gives a member another role; who added it and when stays.

    Raises BrokenReference if there is no such workspace.
    """
    values = {
        "workspace_id": workspace_id,
        "user_id": user_id,
        "role": role,
        "added_by": added_by,
        "added_at": at,
    }
    statement = (
        insert(connection, members)
        .values(values)
        .on_conflict_do_update(index_elements=["workspace_id", "user_id"], set_={"role": role})
        .returning(*members.c)
    )
    return Member(*(await connection.execute(statement)).one())


async def remove(connection: AsyncConnection, workspace_id: str, user_id: str) -> bool:
    """Whether the user was a member."""
    condition = (members.c.workspace_id == workspace_id) & (members.c.user_id == user_id)
    result = await connection.execute(delete(members).where(condition))
    return result.rowcount > 0


async def get(connection: AsyncConnection, workspace_id: str, user_id: str) -> Member | None:
    """The membership, None if there is none. The workspace may be deleted."""
    query = select(members).where(members.c.workspace_id == workspace_id, members.c.user_id == user_id)
    row = (await connection.execute(query)).first()
    return Member(*row) if row else None


async def role_of(connection: AsyncConnection, workspace_id: str, user_id: str) -> str | None:
    """The user's role; None for strangers and for workspaces that are deleted or never were."""
    query = (
        select(members.c.role)
        .join(workspaces, workspaces.c.id == members.c.workspace_id)
        .where(
            members.c.workspace_id == workspace_id,
            members.c.user_id == user_id,
            workspaces.c.deleted_at.is_(None),
        )
    )
    return (await connection.execute(query)).scalar()


async def list_of(
    connection: AsyncConnection, workspace_id: str, *, after: str | None = None, limit: int
) -> list[Member]:
    """The workspace's members by user id; `after` is the last user id seen."""
    query = select(members).where(members.c.workspace_id == workspace_id).order_by(members.c.user_id).limit(limit)
    if after is not None:
        query = query.where(members.c.user_id > after)
    return [Member(*row) for row in await connection.execute(query)]


async def count(connection: AsyncConnection, workspace_id: str, role: str | None = None) -> int:
    """How many members the workspace has, with the role if one is given."""
    query = select(func.count()).select_from(members).where(members.c.workspace_id == workspace_id)
    if role is not None:
        query = query.where(members.c.role == role)
    return (await connection.execute(query)).scalar_one()
