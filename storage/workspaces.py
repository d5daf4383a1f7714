"""Workspaces: where people work together. The id is the name in addresses, and never changes.

Deleting hides a workspace with all that is in it; its name stays taken until it is restored.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import AlreadyExists
from storage.tables import members, workspaces
from storage.upsert import insert


@dataclass(frozen=True, slots=True)
class Workspace:
    """A row of workspaces."""

    id: str
    title: str
    created_by: str
    created_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Membership:
    """A workspace as one of its members sees it."""

    workspace: Workspace
    role: str


async def create(
    connection: AsyncConnection, workspace_id: str, *, title: str | None = None, created_by: str, at: datetime
) -> Workspace:
    """A new workspace without members. Raises AlreadyExists, also if a deleted one has the name."""
    values = {"id": workspace_id, "title": title or workspace_id, "created_by": created_by, "created_at": at}
    statement = insert(connection, workspaces).values(values).on_conflict_do_nothing().returning(*workspaces.c)
    row = (await connection.execute(statement)).first()
    if row is None:
        raise AlreadyExists(f"there is a workspace {workspace_id!r}")
    return Workspace(*row)


async def ensure(
    connection: AsyncConnection, workspace_id: str, *, title: str | None = None, created_by: str, at: datetime
) -> bool:
    """Makes the workspace if there is none of the name, deleted or not. Whether it was made."""
    if await get(connection, workspace_id, deleted=None):
        return False
    try:
        await create(connection, workspace_id, title=title, created_by=created_by, at=at)
    except AlreadyExists:
        return False
    return True


async def get(connection: AsyncConnection, workspace_id: str, *, deleted: bool | None = False) -> Workspace | None:
    """The workspace; only a deleted one if `deleted`, any if it is None."""
    query = select(workspaces).where(workspaces.c.id == workspace_id)
    if deleted is not None:
        query = query.where(workspaces.c.deleted_at.is_not(None) if deleted else workspaces.c.deleted_at.is_(None))
    row = (await connection.execute(query)).first()
    return Workspace(*row) if row else None


async def lock(connection: AsyncConnection, workspace_id: str) -> bool:
    """Keeps others from locking it until the transaction ends, for rules over several rows. Whether it exists.

    SQLite has one writer at a time anyway.
    """
    query = select(workspaces.c.id).where(workspaces.c.id == workspace_id, workspaces.c.deleted_at.is_(None))
    return await connection.scalar(query.with_for_update(key_share=True)) is not None


async def list_all(connection: AsyncConnection, *, after: str | None = None, limit: int) -> list[Workspace]:
    """All workspaces that are not deleted, by id; `after` is the last id seen."""
    query = select(workspaces).where(workspaces.c.deleted_at.is_(None)).order_by(workspaces.c.id).limit(limit)
    if after is not None:
        query = query.where(workspaces.c.id > after)
    return [Workspace(*row) for row in await connection.execute(query)]


async def list_for_user(
    connection: AsyncConnection, user_id: str, *, after: str | None = None, limit: int
) -> list[Membership]:
    """The workspaces the user is a member of and that are not deleted, by id; `after` is the last id seen."""
    query = (
        select(workspaces, members.c.role)
        .join(members, members.c.workspace_id == workspaces.c.id)
        .where(members.c.user_id == user_id, workspaces.c.deleted_at.is_(None))
        .order_by(members.c.workspace_id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(members.c.workspace_id > after)
    return [Membership(Workspace(*row[:-1]), row[-1]) for row in await connection.execute(query)]


async def change(connection: AsyncConnection, workspace_id: str, *, title: str) -> Workspace | None:
    """The workspace with its new title; None if there is none."""
    condition = (workspaces.c.id == workspace_id) & workspaces.c.deleted_at.is_(None)
    statement = update(workspaces).where(condition).values(title=title).returning(*workspaces.c)
    row = (await connection.execute(statement)).first()
    return Workspace(*row) if row else None


async def delete(connection: AsyncConnection, workspace_id: str, *, at: datetime) -> bool:
    """Hides the workspace. Whether there was one to hide."""
    condition = (workspaces.c.id == workspace_id) & workspaces.c.deleted_at.is_(None)
    result = await connection.execute(update(workspaces).where(condition).values(deleted_at=at))
    return result.rowcount > 0


async def restore(connection: AsyncConnection, workspace_id: str) -> bool:
    """Brings a deleted workspace back. Whether there was one."""
    condition = (workspaces.c.id == workspace_id) & workspaces.c.deleted_at.is_not(None)
    result = await connection.execute(update(workspaces).where(condition).values(deleted_at=None))
    return result.rowcount > 0
