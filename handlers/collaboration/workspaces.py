"""Workspaces: where people work together. Who creates one owns it; a deleted one is hidden with all that is in it."""

from __future__ import annotations

import msgspec

from handlers.access import Role
from handlers.audit_trail import record
from handlers.feed_names import activity_of
from handlers.names import Title, WorkspaceId
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, Instant, NotFound, Operation, Page, Permission
from storage import members, users, workspaces
from storage.errors import AlreadyExists


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace, and the role that the caller has in it."""

    id: WorkspaceId
    title: str
    role: Role
    created_by: str
    created_at: Instant


class ListWorkspaces(msgspec.Struct, frozen=True, kw_only=True):
    """Server administrators see every workspace, others those that they are members of."""

    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class CreateWorkspace(msgspec.Struct, frozen=True, kw_only=True):
    """The caller becomes its owner. The title is the name unless given."""

    id: WorkspaceId
    title: Title | None = None


class GetWorkspace(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId


class UpdateWorkspace(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId
    title: Title


class DeleteWorkspace(msgspec.Struct, frozen=True, kw_only=True):
    """Its name stays taken, and its documents stay in the database."""

    workspace_id: WorkspaceId


async def list_workspaces(context: Context, request: ListWorkspaces) -> Page[Workspace]:
    after = decode_cursor("workspaces", request.cursor, WorkspaceId)
    limit = request.limit + 1
    async with context.parts.database.read() as connection:
        if context.user.is_admin:
            everything = await workspaces.list_all(connection, after=after, limit=limit)
            rows = [workspaces.Membership(workspace, Role.OWNER) for workspace in everything]
        else:
            rows = await workspaces.list_for_user(connection, context.user.user_id, after=after, limit=limit)
    return page_of(
        rows,
        request.limit,
        "workspaces",
        key=lambda row: row.workspace.id,
        item=lambda row: _shown(row.workspace, Role(row.role)),
    )


async def create_workspace(context: Context, request: CreateWorkspace) -> Workspace:
    user_id, now = context.user.user_id, context.now()
    async with context.parts.database.write() as connection:
        await users.ensure(connection, user_id, at=now)
        try:
            created = await workspaces.create(connection, request.id, title=request.title, created_by=user_id, at=now)
        except AlreadyExists:
            raise Conflict(f"The name {request.id!r} is taken.", code="workspace_exists") from None
        await members.put(connection, request.id, user_id, Role.OWNER, added_by=user_id, at=now)
        await record(connection, context, "collaboration.workspaces.create", request.id, {"title": created.title})
    context.parts.access.invalidate(workspace_id=request.id)
    return _shown(created, Role.OWNER)


async def get_workspace(context: Context, request: GetWorkspace) -> Workspace:
    async with context.parts.database.read() as connection:
        found = await workspaces.get(connection, request.workspace_id)
    role = await context.parts.access.role_for(context.user, request.workspace_id)
    if found is None or role is None:
        raise _gone(request.workspace_id)
    return _shown(found, role)


async def update_workspace(context: Context, request: UpdateWorkspace) -> Workspace:
    role = await context.parts.access.role_for(context.user, request.workspace_id)
    async with context.parts.feeds.writing() as (connection, outbox):
        changed = await workspaces.change(connection, request.workspace_id, title=request.title)
        if changed is None or role is None:
            raise _gone(request.workspace_id)
        await record(
            connection, context, "collaboration.workspaces.update", request.workspace_id, {"title": request.title}
        )
        details = {"title": changed.title}
        outbox.add(activity_of(changed.id), "workspace.changed", details, actor=context.user.user_id)
    return _shown(changed, role)


async def delete_workspace(context: Context, request: DeleteWorkspace) -> None:
    async with context.parts.database.write() as connection:
        if not await workspaces.delete(connection, request.workspace_id, at=context.now()):
            raise _gone(request.workspace_id)
        await record(connection, context, "collaboration.workspaces.delete", request.workspace_id)
    context.parts.access.invalidate(workspace_id=request.workspace_id)


def _shown(row: workspaces.Workspace, role: Role) -> Workspace:
    return Workspace(id=row.id, title=row.title, role=role, created_by=row.created_by, created_at=row.created_at)


def _gone(workspace_id: str) -> NotFound:
    """It was deleted between the question whether the caller may and the answer."""
    return NotFound(f"There is no workspace {workspace_id!r}, or you are not a member of it.")


OPERATIONS = (
    Operation(
        "collaboration.workspaces.list",
        ListWorkspaces,
        Page[Workspace],
        list_workspaces,
        "GET /collaboration/workspaces",
        Permission.SIGNED_IN,
        "List workspaces.",
    ),
    Operation(
        "collaboration.workspaces.create",
        CreateWorkspace,
        Workspace,
        create_workspace,
        "POST /collaboration/workspaces",
        Permission.SIGNED_IN,
        "Create a workspace.",
        status=201,
        errors=(Conflict,),
    ),
    Operation(
        "collaboration.workspaces.get",
        GetWorkspace,
        Workspace,
        get_workspace,
        "GET /collaboration/workspaces/{workspace_id}",
        Permission.READ,
        "Get a workspace.",
    ),
    Operation(
        "collaboration.workspaces.update",
        UpdateWorkspace,
        Workspace,
        update_workspace,
        "PATCH /collaboration/workspaces/{workspace_id}",
        Permission.MANAGE,
        "Change a workspace's title.",
    ),
    Operation(
        "collaboration.workspaces.delete",
        DeleteWorkspace,
        None,
        delete_workspace,
        "DELETE /collaboration/workspaces/{workspace_id}",
        Permission.OWN,
        "Delete a workspace.",
        status=204,
    ),
)
